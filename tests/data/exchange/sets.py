"""Tiny sets as people have them: images, annotations of COCO, and what ``convert`` makes of a set."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from crosstask.cli import main
from crosstask.data.table.table import Table, read_table

SQUARE = [2, 1, 6, 1, 6, 5, 2, 5]
CATEGORIES = [{"id": 0, "name": "cat"}, {"id": 7, "name": "dog"}]


def image(path: Path, size: tuple[int, int] = (8, 10)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1]).save(path)
    return path


def convert(root: Path, name: str, *more: str, out: Path | None = None) -> Table:
    out = out or root.parent / "out.csv"
    assert main(["convert", "datumaro", str(root), "--format", name, "--out", str(out), "--quiet", *more]) == 0
    return read_table(out)


def refused(root: Path, name: str, capsys, *more: str) -> str:
    out = root.parent / "refused.csv"
    assert main(["convert", "datumaro", str(root), "--format", name, "--out", str(out), "--quiet", *more]) == 2
    assert not out.exists()
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    return message


def coco(path: Path, annotations: list[dict], names: tuple[str, ...] = ("a.png",), **more: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"id": index, "file_name": name, "height": 8, "width": 10} for index, name in enumerate(names)]
    annotations = [{"id": place, "image_id": 0, **entry} for place, entry in enumerate(annotations)]
    content = {"images": images, "annotations": annotations, "categories": CATEGORIES} | more
    path.write_text(json.dumps(content))
    return path
