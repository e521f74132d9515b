"""Colours that can be told apart, by everybody."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.color import deltaE_ciede2000, rgb2lab

from crosstask.tasks.palette import NEUTRAL, UNKNOWN, class_colours, palette
from crosstask.tasks.segmentation import Segmentation

# Machado, Oliveira and Fernandes 2009, severity 1: another simulation than that by which the colours were chosen.
VISION = {
    "normal": np.eye(3),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]),
}  # fmt: skip
PAPERS = [(255, 255, 255), (21, 24, 28)]
"""The backgrounds of light and dark pages."""


def seen(colours, vision: str) -> np.ndarray:
    """Colours in CIE Lab, (N, 3), as somebody sees them."""
    encoded = np.asarray(colours, dtype=float) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    linear = (linear @ VISION[vision].T).clip(0, 1)
    return rgb2lab(np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055))


def distances(first, second, vision: str) -> np.ndarray:
    """CIEDE2000 of all pairs, (N, M)."""
    return deltaE_ciede2000(seen(first, vision)[:, None], seen(second, vision)[None])


@pytest.mark.parametrize(
    ("vision", "least"),
    [("normal", {7: 20, 13: 18, 20: 13, 40: 9}), ("deuteranopia", {7: 11, 13: 10, 20: 8, 40: 4}),
     ("protanopia", {7: 11, 13: 11, 20: 7, 40: 3})],
)  # fmt: skip
def test_colours_can_be_told_apart_by_everybody(vision, least):
    for count, distance in least.items():
        colours = palette(count).numpy()
        apart = distances(colours, colours, vision)[~np.eye(count, dtype=bool)]
        assert apart.min() > distance, count
        assert distances(colours, [NEUTRAL, UNKNOWN], vision).min() > (7 if count <= 20 else 5), count


def test_no_colour_is_lost_on_a_light_or_a_dark_page():
    colours = palette(60).numpy()
    assert distances(colours, PAPERS, "normal").min() > 15
    lightness, *hue = seen(colours, "normal").T
    assert lightness.min() > 29  # none near black
    assert np.hypot(*hue).min() > 17  # and none grey, which is unknown


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
