"""How targets move with their image, against references that walk over the pixels."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as nnf
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from crosstask.tasks import DepthMap, DisparityMap, NormalMap, Regions, SaliencyMap, SemanticMap, Tags
from crosstask.tasks.targets import as_target
from tests.tasks.cases import CASES, OPTIONS, SIZE, make, target

DENSE = [kind for kind in OPTIONS if make(kind).dense]
MAPS = [SemanticMap, DepthMap, DisparityMap, NormalMap, SaliencyMap]


def labels(kind: str):
    task = make(kind)
    return as_target(task.target_type, target(task, 4)[0])


def equal(first: Tensor, second: Tensor) -> None:
    torch.testing.assert_close(first.as_subclass(Tensor), second.as_subclass(Tensor), equal_nan=True)


@pytest.mark.parametrize(("kind", "number"), CASES)
def test_a_flip_is_an_involution_that_keeps_the_type(kind, number):
    value = labels(kind)
    flipped = F.horizontal_flip(value)
    assert type(flipped) is type(value)
    equal(F.horizontal_flip(flipped), value)


@pytest.mark.parametrize("kind", DENSE)
def test_a_flip_moves_each_pixel_to_the_other_side(kind):
    value = labels(kind)
    flipped = F.horizontal_flip(value).as_subclass(Tensor)
    plain = value.as_subclass(Tensor)
    for row in range(SIZE[0]):
        for column in range(SIZE[1]):
            expected = plain[..., row, SIZE[1] - 1 - column].clone()
            if kind == "normals":
                expected[0] = -expected[0]
            equal(flipped[..., row, column], expected)


@pytest.mark.parametrize("kind", DENSE)
@pytest.mark.parametrize("window", [(1, 2, 3, 4), (-2, -1, 5, 6), (3, 5, 6, 7), (-3, -3, 12, 14), (0, 0, *SIZE)])
def test_a_crop_copies_pixels_and_knows_nothing_outside(kind, window):
    value = labels(kind)
    top, left, height, width = window
    cropped = F.crop(value, *window)
    assert type(cropped) is type(value)
    assert cropped.shape[-2:] == (height, width)
    plain = value.as_subclass(Tensor)
    for row in range(height):
        for column in range(width):
            inside = 0 <= row + top < SIZE[0] and 0 <= column + left < SIZE[1]
            if inside:
                equal(cropped[..., row, column], plain[..., row + top, column + left])
            else:
                assert not cropped.known()[row, column]


@pytest.mark.parametrize("kind", DENSE)
def test_flip_and_crop_commute(kind):
    value = labels(kind)
    top, left, height, width = 1, -2, 4, 7
    first = F.horizontal_flip(F.crop(value, top, left, height, width))
    second = F.crop(F.horizontal_flip(value), top, SIZE[1] - left - width, height, width)
    equal(first, second)


@pytest.mark.parametrize("kind", ["segmentation", "depth", "disparity"])
@pytest.mark.parametrize("size", [(3, 4), (12, 16), (5, 11), SIZE])
def test_nearest_resize_takes_the_pixel_below_the_centre(kind, size):
    value = labels(kind)
    resized = F.resize(value, list(size))
    assert type(resized) is type(value)
    assert resized.dtype == value.dtype
    for row in range(size[0]):
        for column in range(size[1]):
            source = value.as_subclass(Tensor)[
                ..., int((row + 0.5) * SIZE[0] / size[0]), int((column + 0.5) * SIZE[1] / size[1])
            ]
            equal(resized[..., row, column], source)


@pytest.mark.parametrize("kind", ["saliency", "normals"])
def test_bilinear_resize_lets_unknown_pixels_spread_but_not_leak(kind):
    value = labels(kind)
    resized = F.resize(value, [12, 16])
    known = resized.known()
    assert 0 < known.sum() < known.numel()
    whole = value.as_subclass(Tensor).nan_to_num(0)
    expected = nnf.interpolate(whole[None], size=(12, 16), mode="bilinear", align_corners=False)[0]
    if kind == "normals":
        expected = nnf.normalize(expected, dim=0)
    equal(resized.as_subclass(Tensor)[:, known], expected[:, known])
    touched = nnf.interpolate((~value.known())[None, None].float(), size=(12, 16), mode="bilinear")[0, 0] > 0
    assert not known[touched].any()


def test_zooming_in_divides_depth_and_multiplies_disparity():
    plain = torch.full((1, 2, 2), 3.0)
    assert (as_target(DepthMap, plain).zoomed(1.5) == 2.0).all()
    assert (as_target(DisparityMap, plain).zoomed(1.5) == 4.5).all()
    assert (as_target(SaliencyMap, plain).zoomed(1.5) == 3.0).all()
    assert (as_target(NormalMap, plain.expand(3, 2, 2)).zoomed(1.5) == 3.0).all()


@pytest.mark.parametrize("cls", [*MAPS, Tags, Regions])
def test_photometric_operations_leave_targets_alone_and_unknown_ones_raise(cls):
    value = as_target(cls, torch.ones(3, 4, 4) if cls is not Regions else torch.ones(4, 4, dtype=torch.int32))
    assert F.adjust_brightness(value, 2.0) is value
    with pytest.raises(TypeError, match=f"rotate is not defined for {cls.__name__}"):
        F.rotate(value, 10.0)


@pytest.mark.parametrize("cls", MAPS)
def test_batches_of_raw_predictions_can_be_flipped(cls):
    raw = torch.randn(2, 3, 4, 5)
    flipped = as_target(cls, raw).flipped()
    expected = raw.flip(-1)
    if cls is NormalMap:
        expected = expected * torch.tensor([-1.0, 1.0, 1.0])[:, None, None]
    equal(flipped, expected)
