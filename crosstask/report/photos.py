"""A page of pictures of predictions: what ``crosstask predict`` wrote, to be looked at in a browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from crosstask.evaluation.predicting import PICTURES
from crosstask.evaluation.sources import file_names
from crosstask.report.templating import render
from crosstask.writing import write

PAGE = "index.html"
_MOST = 200


def write_photos(folder: str | Path, ids: Sequence[str], run: Path, seen: str) -> Path:
    """Write ``index.html`` beside the pictures that :func:`~crosstask.evaluation.predict.predict` wrote.

    Args:
        folder: where it wrote to.
        ids: the images that were predicted; the first 200 are shown.
        run: whose network it is.
        seen: what that network was trained on, in a few words.
    """
    names = file_names(ids)
    shown = [(name, quote(f"{PICTURES}/{names[name]}.png")) for name in ids[:_MOST]]
    page = render("photos.html", pictures=shown, count=len(ids), run=str(run), seen=seen)
    file = Path(folder) / PAGE
    write(file, page.encode())
    return file
