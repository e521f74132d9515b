"""Class maps in files that change them."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from crosstask.data.decode.files import load_classes, load_image, load_label, load_numbers, loader_of
from crosstask.errors import DataError
from crosstask.tasks import Depth, Segmentation


@pytest.fixture
def ids():
    return np.random.default_rng(0).integers(0, 20, (32, 48)).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "options", "kind"),
    [
        ("a.jpg", {}, "JPEG"),
        ("a.png", {"format": "JPEG"}, "JPEG"),
        ("a.webp", {"quality": 80}, "lossy WebP"),
        ("exif.webp", {"quality": 80, "exif": Image.Exif()}, "lossy WebP"),
        ("icc.webp", {"quality": 80, "icc_profile": b"odd"}, "lossy WebP"),
        ("a.tif", {"compression": "jpeg"}, "TIFF with JPEG compression"),
        ("a.jp2", {"irreversible": True}, "lossy JPEG 2000"),
        ("a.j2k", {"irreversible": True, "quality_layers": [40]}, "lossy JPEG 2000"),
    ],
)
def test_lossy_files_are_no_class_maps(ids, tmp_path, name, options, kind):
    Image.fromarray(ids).save(tmp_path / name, **options)
    assert load_label(tmp_path / name).shape[:2] == ids.shape
    with pytest.raises(DataError, match=f"{name}: is a {kind}, which changes class ids"):
        load_classes(tmp_path / name)


def test_files_that_keep_every_id_are(ids, tmp_path):
    for name, options in (
        ("a.png", {}),
        ("a.webp", {"lossless": True}),
        ("icc.webp", {"lossless": True, "icc_profile": b"odd"}),
        ("a.bmp", {}),
        ("a.tif", {}),
        ("zip.tif", {"compression": "tiff_deflate"}),
        ("a.jp2", {}),
        ("a.j2k", {}),
    ):
        Image.fromarray(ids).convert("RGB" if name.endswith("webp") else "L").save(tmp_path / name, **options)
        found = load_classes(tmp_path / name)
        assert np.array_equal(found if found.ndim == 2 else found[..., 0], ids)
    np.save(tmp_path / "a.npy", ids)
    assert np.array_equal(load_classes(tmp_path / "a.npy"), ids)


def test_only_tasks_with_classes_refuse_them():
    assert loader_of(Segmentation("a", classes=3)) is load_classes
    assert loader_of(Depth("a")) is load_numbers


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    for load in (load_image, load_label, load_classes):
        with pytest.raises(DataError, match="a pipe, a socket or a device"):
            load(tmp_path / "a.png")
