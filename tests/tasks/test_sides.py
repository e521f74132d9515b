"""Classes of the left and of the right change places when an image is mirrored; unknown stays unknown."""

import pytest
import torch
from torch import Tensor

from crosstask.tasks import Category, Regression, Segmentation, Tagging
from crosstask.tasks.sides import across, sides

PARTS = ["body", "left_arm", "right_arm"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (PARTS, [0, 2, 1]),
        (["Right-leg", "Left-leg"], [1, 0]),
        (["LEFT", "RIGHT", "left"], [1, 0, 2]),  # 'left' has no 'right' beside it
        (["armLeft", "armRight"], [1, 0]),
        (["left eye, left brow", "right eye, right brow"], [1, 0]),
        (["left", "straight"], None),
        (["bright", "bleft"], None),
        (["sofa", "bed"], None),
    ],
)
def test_names(names, expected):
    assert sides(names) == expected


def test_numbers_that_depend_on_the_side():
    assert across(["steering", "x1", "Yaw angle", "left_wheel"]) == ["steering", "x1", "Yaw angle", "left_wheel"]
    assert across(["age", "axis", "max", "width", "pandas", "y", "valence"]) == []


def test_a_map_is_turned_round_and_its_sides_change_places():
    task = Segmentation("parts", classes=PARTS)
    label = task.target_type(torch.tensor([[0, 1, 1, -1], [2, 0, -1, 2]]))
    exchanged = task.exchanged(label)
    assert type(exchanged) is type(label)
    assert exchanged.dtype == label.dtype
    assert exchanged.as_subclass(Tensor).tolist() == [[0, 2, 2, -1], [1, 0, -1, 1]]
    raw = torch.arange(24.0).reshape(1, 3, 2, 4)
    assert task.mirrored(raw).equal(raw.flip(-1)[:, [0, 2, 1]])
    assert task.mirrored(task.mirrored(raw)).equal(raw)


def test_labels_of_whole_images():
    side = Category("side", classes=["left", "right"])
    assert [int(side.exchanged(side.parse(cell))) for cell in ("left", "right", "")] == [1, 0, -1]
    assert side.mirrored(torch.tensor([[2.0, 5.0]])).tolist() == [[5.0, 2.0]]
    hands = Tagging("hands", classes=["glove", "left hand", "right hand"])
    exchanged = hands.exchanged(hands.parse("glove;left hand;?right hand"))
    assert exchanged.as_subclass(Tensor).nan_to_num(-1).tolist() == [1, -1, 1]


def test_others_stay_as_they_are():
    task = Segmentation("parts", classes=["bed", "wall"])
    label = task.target_type(torch.tensor([[0, 1, -1]]))
    assert task.sides is None
    assert task.exchanged(label) is label
    point = Regression("point", names=["left_x", "right_x"])
    assert point.exchanged(point.parse("1;2")).tolist() == [2, 1]  # the components are called so
