"""What is told of the images of a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crosstask.data.check.check import check
from crosstask.data.decode.files import Unused, load_label, unused
from crosstask.data.table.table import Table

SIZE = (48, 64)


def grey(index: int, low: int = 0, high: int = 2**16) -> np.ndarray:
    return np.random.default_rng(index).integers(low, high, SIZE).astype(np.uint16)


def told(folder: Path, save, ending: str = "png") -> list[str]:
    """Warnings about four images, each written by ``save(index, path)``."""
    names = [f"{index}.{ending}" for index in range(4)]
    for index, name in enumerate(names):
        save(index, folder / name)
    rows = [{"image": name, "kind": "ab"[index % 2]} for index, name in enumerate(names)]
    report = check(Table(folder / "t.csv", ("image", "kind"), rows))
    assert not report.errors
    return [f.message for f in report.findings if f.severity == "warning" and f.where == "image"]


def pages(count: int, **options):
    def save(index: int, path: Path) -> None:
        first, *more = (Image.fromarray((grey(10 * index + k) >> 8).astype(np.uint8)) for k in range(count))
        first.save(path, save_all=True, append_images=more, **options)

    return save


@pytest.mark.parametrize(("low", "high", "words"), [(0, 4096, "0 and 0.062"), (29500, 29900, "0.45 and 0.456")])
@pytest.mark.parametrize("ending", ["png", "tif", "npy"])
def test_images_in_a_small_part_of_their_range(tmp_path, low, high, words, ending):
    def save(index: int, path: Path) -> None:
        held = grey(index, low, high)
        np.save(path, held) if ending == "npy" else Image.fromarray(held).save(path)

    (warning,) = told(tmp_path, save, ending)
    assert warning.startswith(f"all images lie between {words}")


@pytest.mark.parametrize("high", [2**16, 2**15])
def test_images_in_their_range(tmp_path, high):
    assert told(tmp_path, lambda index, path: Image.fromarray(grey(index, 0, high)).save(path)) == []


@pytest.mark.parametrize(("ending", "count"), [("tif", 5), ("gif", 3), ("webp", 2)])
def test_pages_beyond_the_first(tmp_path, ending, count):
    (warning,) = told(tmp_path, pages(count), ending)
    assert warning.startswith(f"4 images have several pages, up to {count}, of which the first is used")


@pytest.mark.parametrize("ending", ["tif", "gif", "webp"])
def test_one_page(tmp_path, ending):
    assert told(tmp_path, pages(1), ending) == []


def test_smaller_copies_are_no_pages(tmp_path):
    """Pyramids, as programs for maps write them; labels of that kind are read."""
    full, small = Image.fromarray(np.eye(8, dtype=np.uint8)), Image.new("L", (4, 4))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    full.save(tmp_path / "a.tif", save_all=True, append_images=[small])
    with Image.open(tmp_path / "a.tif") as image:
        assert image.n_frames == 2
    assert unused(tmp_path / "a.tif") == Unused()
    assert load_label(tmp_path / "a.tif").tolist() == np.eye(8).tolist()


def test_what_phones_add_is_no_page(tmp_path):
    first, second = Image.new("RGB", (8, 8)), Image.new("RGB", (4, 4))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second])
    assert unused(tmp_path / "a.jpg") == Unused()
