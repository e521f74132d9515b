"""What contradicts what, by hand-made values."""

from __future__ import annotations

import math

import pytest
import torch

from crosstask.evaluation.disagreement import disagreement, relations
from crosstask.tasks import Category, Depth, Disparity, Normals, Segmentation, Tagging

CAMERA = torch.tensor([40.0, 40.0, 15.5, 11.5])


def test_a_wall_contradicts_the_normals_of_a_floor():
    tasks = {"depth": Depth("depth"), "normals": Normals("normals")}
    known = relations(tasks)
    wall = torch.full((1, 24, 32), 2.0)
    for normal, expected in (((0.0, 0, 1), 0.0), ((0.0, 1, 0), 0.5), ((0.0, 0, -1), 1.0)):
        values = {"depth": wall, "normals": torch.tensor(normal).view(3, 1, 1).expand(3, 24, 32)}
        for name in tasks:
            assert disagreement(name, known, values, CAMERA) == pytest.approx(expected, abs=1e-3)
    assert math.isnan(disagreement("depth", known, values, torch.full((4,), math.nan)))


def test_a_slanted_plane_agrees_at_any_size():
    tasks = {"depth": Depth("depth"), "normals": Normals("normals")}
    known = relations(tasks)
    for height, width in ((24, 32), (240, 320)):
        fx = 1.2 * width
        camera = torch.tensor([fx, fx, (width - 1) / 2, (height - 1) / 2])
        v, _ = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        inverse = 0.3 + 0.3 * (v - camera[3]) / fx  # nearer below
        up = torch.tensor([0.0, 0.3, 0.3])
        normals = (up / up.norm()).view(3, 1, 1).expand(3, height, width)
        values = {"depth": (1 / inverse)[None], "normals": normals}
        assert disagreement("depth", known, values, camera) < 0.01


def test_disparity_times_depth_is_one_number():
    tasks = {"depth": Depth("depth"), "disparity": Disparity("disparity")}
    known = relations(tasks)
    depth = torch.rand(1, 8, 8) + 1
    assert disagreement("depth", known, {"depth": depth, "disparity": 7 / depth}, CAMERA) == pytest.approx(0, abs=1e-5)
    assert disagreement("depth", known, {"depth": depth, "disparity": depth}, CAMERA) > 0.1


def test_masks_tags_and_categories_are_compared_by_the_names_they_share():
    tasks = {
        "mask": Segmentation("mask", classes=["wall", "cat", "dog"]),
        "tags": Tagging("tags", classes=["dog", "cat", "sofa"]),
        "place": Category("place", classes=["indoor", "outdoor"]),
    }
    known = relations(tasks)
    assert [(each.first, each.second) for each in known] == [("mask", "tags")]
    mask = torch.zeros(3, 10, 10)
    mask[0] = 1
    mask[:, :2, :2] = torch.tensor([0.0, 1, 0]).view(3, 1, 1)  # a cat
    values = {"mask": mask, "tags": torch.tensor([0.0, 1, 1])}
    assert disagreement("tags", known, values, CAMERA) == pytest.approx(0, abs=1e-6)
    values["tags"] = torch.tensor([1.0, math.nan, 1])
    assert disagreement("mask", known, values, CAMERA) == pytest.approx(1, abs=1e-6)
    assert math.isnan(disagreement("place", known, values, CAMERA))
