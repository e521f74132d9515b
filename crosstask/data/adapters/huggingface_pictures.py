"""Pictures of Hugging Face's data sets, which lie in Arrow and Parquet files or beside them, as files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from crosstask.data.adapters.base import Output
from crosstask.errors import DataError
from crosstask.reading import regular
from crosstask.writing import write

_ENDINGS = {"jpeg": "jpg", "mpo": "jpg", "jpeg2000": "jp2"}
"""Where they are not the name of the format."""


def picture(value: Any, name: str, output: Output, where: str) -> Path:
    """The file of a picture: the one that it is, or one that is written as it is stored.

    Args:
        value: what the set holds, undecoded.
        name: what a file that is written is called, without ending.
        output: where it goes.
        where: which row of the set this is, for messages.

    Raises:
        DataError: there is none, or nothing that can be read.
    """
    if not isinstance(value, Mapping) or not (value.get("bytes") or value.get("path")):
        raise DataError(f"{where}: has no image: leave the row out")
    if not value.get("bytes"):
        return Path(value["path"]).absolute()
    try:
        with Image.open(io.BytesIO(value["bytes"])) as image:
            kind = (image.format or "png").lower()
    except OSError as error:
        raise DataError(f"{where}: its image cannot be read ({error}): mend the set") from None
    path = output.files / f"{name}.{_ENDINGS.get(kind, kind)}"
    write(path, value["bytes"], durable=False)
    return path


def is_broken(path: Path) -> bool:
    """Whether a file is no whole picture."""
    try:
        with Image.open(regular(path)) as image:
            image.load()
    except Exception:  # decoders of broken files raise whatever they stumble over
        return True
    return False
