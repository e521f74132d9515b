"""Class maps in which other numbers than the ids were meant are told of, and sound ones are not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crosstask.data.check.check import check
from crosstask.data.check.masks import steps
from crosstask.data.decode.files import load_label
from crosstask.data.table.table import Table
from crosstask.tasks import Segmentation
from tests.shared import shared

SIZE = (48, 64)
GREYS = [(0, 0, 0), (7, 7, 7), (9, 9, 9)]


def blocks(index: int, ids: list[int]) -> np.ndarray:
    coarse = np.random.default_rng(index).choice(np.array(ids, np.uint8), (6, 8))
    return np.repeat(np.repeat(coarse, 8, 0), 8, 1)


def told(folder: Path, task: Segmentation, save, ending: str = "png") -> list[str]:
    """Warnings about six masks of blocks, each written by ``save(index, path)``."""
    rows = []
    for index in range(6):
        noise = np.random.default_rng(index).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"i{index}.png")
        save(index, folder / f"m{index}.{ending}")
        rows.append({"image": f"i{index}.png", "mask": f"m{index}.{ending}"})
    report = check(Table(folder / "t.csv", ("image", "mask"), rows), {"mask": task})
    assert not report.errors
    return [f.message for f in report.findings if f.severity == "warning" and "never in any label" not in f.message]


@pytest.mark.parametrize("scale", [0.5, 1.5, 2])
@pytest.mark.parametrize("ids", [[0, 5, 11], list(range(12))])
def test_smoothed_masks(tmp_path, scale, ids):
    def save(how: Image.Resampling):
        def write(index: int, path: Path) -> None:
            small = Image.fromarray(blocks(index, ids)).resize((int(64 * scale), int(48 * scale)), how)
            small.resize(SIZE[::-1], how).save(path)

        return write

    task = Segmentation("mask", classes=12)
    (warning,) = told(tmp_path, task, save(Image.Resampling.BILINEAR))
    assert "% of the edges between classes lead through an id that lies between the two" in warning
    assert told(tmp_path, task, save(Image.Resampling.NEAREST)) == []


def test_layers_and_noise_are_no_smoothed_masks(tmp_path):
    def layers(index: int, path: Path) -> None:
        Image.fromarray((np.arange(64)[None].repeat(48, 0) // 4 + index).clip(0, 15).astype(np.uint8)).save(path)

    def noise(index: int, path: Path) -> None:
        Image.fromarray(np.random.default_rng(index).integers(0, 16, SIZE, dtype=np.uint8)).save(path)

    for save in (layers, noise):
        assert told(tmp_path, Segmentation("mask", classes=16), save) == []


def test_unknown_pixels_are_no_step():
    ids = np.array([[0, 0, -1, 5, 9, 9], [3, 3, 3, 9, 9, -1]])
    assert steps(ids) == {"known": 4, "flat": 1, "sharp": 1, "through": 0}
    assert steps(ids[:, :2]).total() == 0


@pytest.mark.slow
@pytest.mark.parametrize("masks", ["camvid/train/semseg", "ccp/train/semseg", "nyuv2/train/semseg40"])
def test_real_masks_are_far_from_smoothed(masks):
    counts: Counter[str] = Counter()
    for path in sorted(shared(f"data/{masks}").iterdir())[:60]:
        ids = load_label(path).astype(np.int64)
        counts.update(steps(np.where(ids == 255, -1, ids)))
    assert 0 <= counts["through"] < 0.05 * counts["sharp"]


def paletted(colours: list[tuple[int, int, int]], order: tuple[int, ...] = (0, 1, 2)):
    def save(index: int, path: Path) -> None:
        image = Image.fromarray(np.array(order, np.uint8)[blocks(index, [0, 1, 2])], "P")
        image.putpalette([part for colour in colours for part in colour])
        image.save(path)

    return save


def test_greys_of_a_palette_that_are_ids_too(tmp_path):
    task = Segmentation("mask", classes=10)
    (warning,) = told(tmp_path, task, paletted(GREYS))
    assert warning.startswith("palettes show ids in other greys, 1 as 7, 2 as 9, and the ids are read")
    assert told(tmp_path, task, lambda index, path: Image.fromarray(blocks(index, [0, 7, 9])).save(path), "gif") == [
        warning
    ]
    colours = [list(GREYS[0]), [1, 1, 1], *([n] * 3 for n in range(2, 10))]
    assert told(tmp_path, Segmentation("mask", classes=10, colours=colours), paletted(GREYS)) == []


def test_a_palette_that_begins_with_white(tmp_path):
    def save(index: int, path: Path) -> None:
        Image.fromarray(blocks(index, [0, 255])).quantize(2).save(path)

    (warning,) = told(tmp_path, Segmentation("mask", classes=2), save)
    assert "0 as 255, 1 as 0" in warning


@pytest.mark.parametrize(
    "colours",
    [
        [(0, 0, 0), (128, 0, 0), (0, 128, 0)],  # VOC, DAVIS
        [(0, 0, 0), (127, 127, 127), (255, 255, 255)],  # to be seen
        [(0, 0, 0), (1, 1, 1), (2, 2, 2)],
        [(255, 255, 255), (128, 0, 0), (0, 0, 0)],
    ],
)
def test_palettes_that_are_right(tmp_path, colours):
    assert told(tmp_path, Segmentation("mask", classes=3), paletted(colours)) == []
