"""Error maps by hand, and pictures of bounded size."""

from __future__ import annotations

import base64
import io

import pytest
import torch
from PIL import Image

from crosstask.report.pictures import LIMIT, error_map, jpeg, shrink
from crosstask.tasks import KINDS

NAN = float("nan")


def test_error_of_classes_is_the_probability_given_to_others():
    task = KINDS["segmentation"]("semantic", classes=2)
    prediction = torch.tensor([0.75, 0.25]).log().reshape(1, 2, 1, 1).expand(1, 2, 1, 3)
    found = error_map(task, prediction, torch.tensor([[[0, 1, -1]]]))
    expected = [0.25, 0.75, NAN]
    assert found[0, 0].tolist() == pytest.approx(expected, nan_ok=True)


def test_error_of_depth_is_in_metres_and_that_of_normals_in_degrees():
    depth = KINDS["depth"]("depth")
    target = torch.tensor([2.0, NAN]).reshape(1, 1, 1, 2)
    raw = depth.invert(torch.full((1, 1, 1, 2), 3.0))
    assert error_map(depth, raw, target)[0, 0].tolist() == pytest.approx([1.0, NAN], nan_ok=True)
    normals = KINDS["normals"]("normals")
    right, up = torch.tensor([1.0, 0, 0]).reshape(1, 3, 1, 1), torch.tensor([0, 1.0, 0]).reshape(1, 3, 1, 1)
    assert error_map(normals, 5 * right, up).item() == pytest.approx(90, abs=1e-3)
    assert error_map(normals, up, up * NAN).isnan().all()


def test_image_level_tasks_have_no_error_map():
    task = KINDS["tags"]("tags", classes=["a", "b"])
    assert error_map(task, torch.zeros(1, 2), torch.zeros(1, 2)) is None


def test_pictures_are_small_jpegs():
    picture = shrink(torch.randint(0, 256, (3, 1000, 700), dtype=torch.uint8))
    assert tuple(picture.shape) == (3, LIMIT, round(700 * LIMIT / 1000))
    head, _, content = jpeg(picture).partition(",")
    assert head == "data:image/jpeg;base64"
    opened = Image.open(io.BytesIO(base64.b64decode(content)))
    assert (opened.format, opened.size) == ("JPEG", (picture.shape[2], picture.shape[1]))
