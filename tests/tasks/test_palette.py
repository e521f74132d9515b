"""Colours that can be told apart, by everybody."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from crosstask.tasks.palette import NEUTRAL, UNKNOWN, class_colours, differences, palette
from crosstask.tasks.segmentation import Segmentation


@pytest.mark.parametrize(("count", "least"), [(7, 0.07), (13, 0.07), (20, 0.07), (40, 0.045)])
def test_colours_differ_to_people_who_are_colour_blind(count, least):
    colours = palette(count).numpy()
    apart = differences(colours, colours)[~np.eye(count, dtype=bool)]
    assert apart.min() > least
    assert differences(colours, np.array([NEUTRAL])).min() > 0.06


def test_red_and_green_that_a_deuteranope_confuses_count_as_near():
    red, green, blue = np.array([[150, 90, 0]]), np.array([[110, 110, 0]]), np.array([[0, 90, 200]])
    assert differences(red, green)[0, 0] < differences(red, blue)[0, 0] / 3


def test_a_class_keeps_its_colour_when_others_are_added():
    assert (palette(30)[:9] == palette(9)).all()


def test_background_is_neutral_and_no_colour_is_spent_on_it():
    colours = class_colours(["background", "cat", "dog"])
    assert tuple(colours[0].tolist()) == NEUTRAL
    assert (colours[1:] == palette(2)).all()


def test_a_legend_names_the_classes_that_occur_in_the_colours_of_the_picture():
    task = Segmentation("s", classes=["null", "cat", "dog", "cow"])
    shown = torch.tensor([[2, 0], [-1, 2]])
    legend = task.legend([shown])
    picture = task.picture(shown)
    assert legend.swatches == (("null", NEUTRAL), ("dog", tuple(picture[:, 0, 0].tolist())))
    assert tuple(picture[:, 1, 0].tolist()) == UNKNOWN
