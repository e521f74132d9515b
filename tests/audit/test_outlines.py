"""Outlines of labels and of images: where a label lies is found without a network."""

import math

import numpy as np
import pytest
import torch

from crosstask.audit.outlines import REACH, Place, correlations, lines_of


def _scene(height: int = 40, width: int = 60, seed: int = 0) -> torch.Tensor:
    """Boxes before a wall, (1, H, W)."""
    chance = np.random.default_rng(seed)
    scene = torch.zeros(1, height, width)
    for value in range(1, 6):
        top, left = int(chance.integers(0, height - 12)), int(chance.integers(0, width - 20))
        scene[:, top : top + int(chance.integers(5, 12)), left : left + int(chance.integers(8, 20))] = value
    return scene


def _moved(label: torch.Tensor, down: int, right: int) -> torch.Tensor:
    rows = (torch.arange(label.shape[-2]) - down).clamp(0, label.shape[-2] - 1)
    columns = (torch.arange(label.shape[-1]) - right).clamp(0, label.shape[-1] - 1)
    return label[..., rows, :][..., columns]


def _place(label: torch.Tensor, seen: torch.Tensor) -> Place:
    return Place(correlations(lines_of(label), seen))


@pytest.mark.parametrize("unknown", [False, True])
def test_the_peak_is_where_the_label_belongs(unknown):
    label = _scene()
    image = label.expand(3, -1, -1) / 5 + 0.02 * torch.rand(3, 40, 60, generator=torch.Generator().manual_seed(0))
    wrong = _moved(label, 7, -9)
    if unknown:
        label, wrong = (each.clone() for each in (label, wrong))
        label[:, 10:16], wrong[:, 10:16] = math.nan, math.nan
    seen = lines_of(image)
    right, away = _place(label, seen), _place(wrong, seen)
    assert right.score > 3 > away.score
    assert right.elsewhere == 0 < away.elsewhere
    found = correlations(lines_of(wrong), seen)
    down, across = np.unravel_index(int(found.argmax()), found.shape)
    assert (down - int(REACH * 40), across - int(REACH * 60)) == (-7, 9)
    assert _place(label.flip(-1), seen).score < right.score - 1


def test_correlations_are_those_of_numpy():
    one, other = lines_of(_scene(seed=1)), lines_of(_scene(seed=2))
    one[:, 3:5], other[:, :, 7] = math.nan, math.nan
    found = correlations(one, other)
    for down, right in ((0, 0), (4, -11), (-12, 18)):
        apart = []
        for line, seen in zip(one.numpy(), other.numpy(), strict=True):
            line, seen = line - np.nanmean(line), seen - np.nanmean(seen)
            pairs = [
                (line[y, x], seen[y + down, x + right])
                for y in range(40) for x in range(60) if 0 <= y + down < 40 and 0 <= x + right < 60
            ]  # fmt: skip
            both = np.array([pair for pair in pairs if np.isfinite(pair).all()])
            apart.append((both[:, 0] @ both[:, 1]) / math.sqrt((both[:, 0] @ both[:, 0]) * (both[:, 1] @ both[:, 1])))
        assert float(found[12 + down, 18 + right]) == pytest.approx(np.mean(apart), abs=1e-4)


def test_what_is_flat_or_unknown_lies_nowhere():
    seen = lines_of(_scene())
    for nothing in (torch.zeros(1, 40, 60), torch.full((1, 40, 60), math.nan), torch.zeros(1, 1, 1)):
        size = nothing.shape[-2:]
        place = _place(nothing, seen[..., : size[0], : size[1]])
        assert math.isnan(place.score)
        assert place.elsewhere == 0
