"""Class maps in files that change them."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from crosstask.data.decode.files import load_classes, load_image, load_label, loader_of
from crosstask.errors import DataError
from crosstask.tasks import Depth, Segmentation


@pytest.fixture
def ids():
    return np.random.default_rng(0).integers(0, 20, (32, 48)).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "options"), [("a.jpg", {}), ("a.png", {"format": "JPEG"}), ("a.webp", {"quality": 80})]
)
def test_lossy_files_are_no_class_maps(ids, tmp_path, name, options):
    Image.fromarray(ids).save(tmp_path / name, **options)
    assert load_label(tmp_path / name).shape[:2] == ids.shape
    with pytest.raises(DataError, match=f"{name}: is a (JPEG|lossy WebP), which changes class ids"):
        load_classes(tmp_path / name)


def test_files_that_keep_every_id_are(ids, tmp_path):
    for name, options in (("a.png", {}), ("a.webp", {"lossless": True}), ("a.bmp", {}), ("a.tif", {})):
        Image.fromarray(ids).convert("RGB" if name == "a.webp" else "L").save(tmp_path / name, **options)
        found = load_classes(tmp_path / name)
        assert np.array_equal(found if found.ndim == 2 else found[..., 0], ids)
    np.save(tmp_path / "a.npy", ids)
    assert np.array_equal(load_classes(tmp_path / "a.npy"), ids)


def test_only_tasks_with_classes_refuse_them():
    assert loader_of(Segmentation("a", classes=3)) is load_classes
    assert loader_of(Depth("a")) is load_label


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    for load in (load_image, load_label, load_classes):
        with pytest.raises(DataError, match="a pipe, a socket or a device"):
            load(tmp_path / "a.png")
