"""Palette pictures: the index is a class, and a number is the grey that is seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crosstask.data.decode.files import load_classes, load_label, load_numbers, loader_of
from crosstask.data.decode.labels import load_beside, weights_of
from crosstask.errors import DataError
from crosstask.tasks import Depth, Normals, Saliency, Segmentation

IDS = (np.arange(35, dtype=np.uint8) % 2).reshape(5, 7)
FIGURE = IDS * 255
RAMP = np.linspace(0, 255, 35).astype(np.uint8).reshape(5, 7)


def paletted(path: Path, indices: np.ndarray, colours: list[tuple[int, int, int]]) -> Path:
    image = Image.fromarray(indices, "P")
    image.putpalette([part for colour in colours for part in colour])
    image.save(path)
    return path


def quantized(path: Path, grey: np.ndarray, colours: int = 2) -> Path:
    Image.fromarray(grey).quantize(colours).save(path)
    return path


def test_a_number_is_the_grey_that_is_seen(tmp_path):
    path = quantized(tmp_path / "a.png", FIGURE)
    assert np.array_equal(load_label(path), 1 - IDS)  # white is numbered first
    assert np.array_equal(load_numbers(path), FIGURE)
    soft = load_numbers(quantized(tmp_path / "soft.gif", RAMP, 256))
    assert np.abs(soft.astype(int) - RAMP).max() <= 4
    assert load_numbers(quantized(tmp_path / "b.png", FIGURE)).flags.writeable


@pytest.mark.parametrize("task", [Saliency("a"), Depth("a"), Saliency("a", scale=255)])
def test_the_tasks_of_one_number_read_it_so(tmp_path, task):
    assert np.array_equal(loader_of(task)(quantized(tmp_path / "a.png", FIGURE)), FIGURE)


def test_weights_are_read_so_too(tmp_path):
    path = quantized(tmp_path / "a.png", FIGURE)
    assert np.array_equal(weights_of(load_beside(path, path, IDS.shape)), IDS.astype(np.float32))


@pytest.mark.parametrize("unknown", [1, 255])
def test_masks_in_colours_are_read_by_their_index(tmp_path, unknown):
    """As DAVIS, VOC and annotation tools write them."""
    indices = IDS.copy()
    indices[0] = unknown
    colours = [(0, 0, 0), (128, 0, 0), *[(9, 8, 7)] * 253, (224, 224, 192)]
    path = paletted(tmp_path / "a.png", indices, colours)
    assert np.array_equal(load_numbers(path), indices)
    assert np.array_equal(load_classes(path), indices)


@pytest.mark.parametrize("colours", [[(128, 0, 0), (0, 0, 0)], [(0, 0, 0), (9, 0, 0), (0, 9, 0)]])
def test_other_colours_are_no_numbers(tmp_path, colours):
    indices = np.arange(35, dtype=np.uint8).reshape(5, 7) % len(colours)
    path = paletted(tmp_path / "a.png", indices, colours)
    for task in (Depth("a"), Saliency("a")):
        with pytest.raises(DataError, match=r"a\.png: its palette shows colours, .* save it as a grey picture"):
            loader_of(task)(path)


def test_remap_and_classes_are_about_the_index(tmp_path):
    path = quantized(tmp_path / "a.png", FIGURE)
    for task in (Saliency("a", remap={0: 1, 1: 0}), Segmentation("a", classes=2), Normals("a")):
        assert np.array_equal(loader_of(task)(path), 1 - IDS)


def test_colours_are_seen(tmp_path):
    colours = np.array([(0, 0, 0), (128, 0, 0)], np.uint8)
    path = paletted(tmp_path / "a.png", IDS, colours.tolist())
    task = Segmentation("a", classes=2, colours=colours.tolist())
    assert np.array_equal(loader_of(task)(path), colours[IDS])


def test_grey_pictures_and_those_of_one_bit_are_as_before(tmp_path):
    for name, held in (("grey.png", FIGURE), ("wide.png", FIGURE.astype(np.uint16) * 257), ("bits.png", IDS > 0)):
        Image.fromarray(held).save(tmp_path / name)
        assert np.array_equal(load_numbers(tmp_path / name), held)
