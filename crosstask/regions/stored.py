"""Region ids on disk: one 16-bit PNG that holds id + 1 (0 none) and, as text inside, the record of how it was made."""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from crosstask.errors import DataError
from crosstask.reading import read_bytes
from crosstask.regions.provider import Provider
from crosstask.remote import shown

if TYPE_CHECKING:
    from crosstask.tasks.targets import Regions

OFFSET = 1
"""A file of regions holds id + 1; 0 is a pixel without a region."""
MOST_IDS = 65534
FORMAT = 1
"""Part of every record: raise it when a provider of ours gives other ids for the same parameters."""

_KEY = "crosstask.regions"


@dataclass(frozen=True)
class Record:
    """How a file of regions was made.

    Attributes:
        provider: name of the provider.
        parameters: its parameters, as JSON values.
        source: SHA-256 of the file the ids were made from.
        library: name and version of the library that made them; kept to be read, not compared.
        format: version of this project's own part in the result.
    """

    provider: str
    parameters: dict[str, Any]
    source: str
    library: str
    format: int = FORMAT

    @classmethod
    def of(cls, provider: Provider, source: bytes) -> Record:
        """The record of what ``provider`` makes of a file with the content ``source``."""
        return cls(provider.name, provider.parameters(), hashlib.sha256(source).hexdigest(), provider.version())

    def same(self, other: Record) -> bool:
        """Whether both describe the same ids: everything but the library's version agrees."""
        return {**asdict(self), "library": ""} == {**asdict(other), "library": ""}


def encode(ids: np.ndarray, record: Record) -> bytes:
    """The PNG of region ids (H, W), -1 none.

    Raises:
        ValueError: more ids than 16 bits hold.
    """
    if ids.size and ids.max() >= MOST_IDS:
        raise ValueError(f"{ids.max() + 1} regions, at most {MOST_IDS} fit: ask for fewer, larger ones")
    stored = (ids + OFFSET).astype("<u2")
    text = PngInfo()
    text.add_text(_KEY, json.dumps({**asdict(record), "checksum": zlib.crc32(stored.tobytes())}, sort_keys=True))
    buffer = io.BytesIO()
    Image.fromarray(stored).save(buffer, "PNG", pnginfo=text, compress_level=6)
    return buffer.getvalue()


def decode(content: bytes) -> tuple[np.ndarray, Record | None]:
    """Ids (H, W) int32, -1 none, and the record of a PNG; no record in files that others made.

    Raises:
        ValueError: not one 8 or 16-bit integer per pixel, broken, or not the ids its record was written for.
    """
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            if image.mode not in ("L", "P", "I", "I;16"):
                raise ValueError(f"its pixels are {image.mode}, not one integer each")
            stored = np.asarray(image)
            text = image.info.get(_KEY)
        if text is None:
            return stored.astype(np.int32) - OFFSET, None
        fields = json.loads(text)
        if fields.pop("checksum") != zlib.crc32(stored.astype("<u2").tobytes()):
            raise ValueError("its ids are not those it was written with")
        return stored.astype(np.int32) - OFFSET, Record(**fields)
    except ValueError:
        raise
    except Exception as error:  # decoders of broken files raise whatever they stumble over
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from None


def read_regions(path: Path | str) -> Regions:
    """The region ids in a PNG (id + 1, 0 none) as int32 (H, W), -1 none.

    Files with a record are checked against it; files of others need none.

    Raises:
        DataError: the file is missing or broken, or does not hold one integer per pixel.
    """
    from crosstask.tasks.targets import Regions, as_target  # worker processes that only write do without torch

    try:
        return as_target(Regions, decode(read_bytes(Path(path)))[0])
    except OSError as error:
        raise DataError(
            f"{shown(path)}: cannot read the regions ({error.strerror or error}): run crosstask regions"
        ) from None
    except ValueError as error:
        raise DataError(
            f"{shown(path)}: broken regions ({error}): run crosstask regions again, it rebuilds what is broken"
        ) from None


def read_record(path: Path | str) -> Record | None:
    """The record in a file of regions; None where the file is missing, broken or made by others."""
    try:
        return decode(read_bytes(Path(path)))[1]
    except (OSError, ValueError):
        return None
