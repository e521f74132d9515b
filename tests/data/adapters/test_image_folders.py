from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from crosstask.cli import main
from crosstask.data.table.table import read_table


def write(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(root / name)
    return root


def converted(root: Path, out: Path) -> list[tuple[str, ...]]:
    assert main(["convert", "image_folders", str(root), "--out", str(out), "--quiet"]) == 0
    table = read_table(out)
    assert all(table.resolve(index, "image").is_file() for index in range(len(table)))
    return [(row["id"], row.get("split", ""), row["category"]) for row in table.rows]


def test_categories_are_the_names_of_folders(tmp_path):
    root = write(tmp_path / "photos", "cat/1.jpg", "cat/more/2.PNG", "dog/1.jpg", ".cache/3.jpg")
    (root / "cat" / "notes.txt").write_text("no image")
    assert converted(root, tmp_path / "out.csv") == [
        ("cat/1", "", "cat"), ("cat/more/2", "", "cat"), ("dog/1", "", "dog"),
    ]  # fmt: skip


def test_folders_of_splits_hold_the_categories(tmp_path):
    root = write(tmp_path / "photos", "train/cat/1.jpg", "valid/dog/1.jpg", "test/dog/2.jpg")
    found = {name: (split, category) for name, split, category in converted(root, tmp_path / "out.csv")}
    assert found == {
        "train/cat/1": ("train", "cat"), "valid/dog/1": ("val", "dog"), "test/dog/2": ("test", "dog"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.jpg", "cat/b.jpg"], "lies in no folder of a category"),
        (["cat/b.jpg"], "only category"),
        ([], "no such file or folder"),
    ],
)
def test_what_cannot_be_is_told(tmp_path, names, message, capsys):
    root = write(tmp_path / "photos", *names)
    assert main(["convert", "image_folders", str(root), "--out", str(tmp_path / "out.csv"), "--quiet"]) == 2
    assert message in capsys.readouterr().err
