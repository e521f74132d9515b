"""Labels with one known fault each: the right clue is the strongest, and a right label has none."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from crosstask.audit import variants
from crosstask.audit.evidence import SIDE, coarse
from crosstask.audit.kinds import KINDS, kind_of
from crosstask.audit.look import CLUES, DOUBTS, WIDTH
from crosstask.audit.suspicion import gaussian, improbable, outlying
from crosstask.tasks import KINDS as TASKS
from crosstask.tasks import Category, Depth, Normals, Saliency, Segmentation, Tagging
from tests.tasks.cases import make

NAMES = ["sky", "road", "car", "tree"]


def _scene(height: int = 32, width: int = 48) -> torch.Tensor:
    """Class ids of a scene without any symmetry."""
    ids = torch.zeros(height, width, dtype=torch.long)
    ids[height // 2 :] = 1
    ids[height // 2 : height - 6, 4:14] = 2
    ids[: height // 2 + 4, 30:42] = 3
    return ids


def _one_hot(ids: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.one_hot(ids, 4).movedim(-1, 0).float()


def _strongest(clues) -> str:
    gains = {name: clue.value for name, clue in clues.items() if name not in ("loss", "scale")}
    best = max(gains, key=lambda name: -math.inf if math.isnan(gains[name]) else gains[name])
    return best if gains[best] > 0 else "none"


def _exchanged(ids):
    return torch.where(ids == 1, 3, torch.where(ids == 3, 1, ids))


@pytest.mark.parametrize(
    ("spoil", "reason", "words"),
    [
        (lambda ids: ids, "none", ""),
        (lambda ids: ids.flip(-1), "mirrored", ""),
        (lambda ids: ids.flip(-2), "upside_down", ""),
        (lambda ids: ids.roll((4, -6), (0, 1)), "shifted", "12.5% down and 12.5% left"),
        (_exchanged, "swapped", "road and tree"),
        (lambda ids: torch.where(ids == 3, 2, ids), "renamed", "car is rather tree"),
    ],
)
def test_masks(spoil, reason, words):
    task = Segmentation("mask", classes=NAMES)
    probabilities = (
        _one_hot(_scene()) * 3 + torch.rand(4, 32, 48, generator=torch.Generator().manual_seed(0))
    ).softmax(0)
    clues = kind_of(task).examine(task, probabilities, _one_hot(spoil(_scene())))
    assert _strongest(clues) == reason
    if words:
        assert clues[reason].words == words


def test_what_exchanging_two_classes_gains_is_the_difference_of_the_losses():
    task = Segmentation("mask", classes=NAMES)
    probabilities = torch.rand(4, 32, 48, generator=torch.Generator().manual_seed(0)).softmax(0)
    ids = _scene()
    clues = kind_of(task).examine(task, probabilities, _one_hot(ids))

    def loss(labels):
        return float(-probabilities.gather(0, labels[None]).log().mean())

    pairs = [(a, b) for a in range(4) for b in range(a)]
    slow = [loss(ids) - loss(torch.where(ids == a, b, torch.where(ids == b, a, ids))) for a, b in pairs]
    assert clues["swapped"].value == pytest.approx(max(slow), abs=1e-5)
    slow = [loss(ids) - loss(torch.where(ids == a, b, ids)) for a in range(4) for b in range(4) if a != b]
    assert clues["renamed"].value == pytest.approx(max(slow), abs=1e-5)
    assert clues["loss"].value == pytest.approx(loss(ids), abs=1e-5)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda depth: depth, "none"),
        (lambda depth: depth.flip(-1), "mirrored"),
        (lambda depth: depth.roll((4, -6), (1, 2)), "shifted"),
        (lambda depth: depth + 2, "offset"),
        (lambda depth: depth * 3.28, "none"),
    ],
)
def test_depth(spoil, reason):
    task = Depth("depth")
    true = 1 + _scene().float()[None] + torch.linspace(0, 1, 48)
    prediction = true * (1 + 0.02 * torch.rand(1, 32, 48, generator=torch.Generator().manual_seed(0)))
    label = spoil(true)
    label[:, :3] = torch.nan
    clues = kind_of(task).examine(task, prediction, label)
    assert _strongest(clues) == reason
    factor = math.exp(clues["scale"].value)
    assert factor == pytest.approx(float((label / prediction).nanmedian()), rel=1e-3)


@pytest.mark.parametrize("spoil", ["x negated", "y negated", "x and y exchanged", "mirrored"])
def test_normals(spoil):
    task = Normals("normals")
    true = torch.nn.functional.normalize(torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(0)), dim=0)
    true = true.repeat_interleave(8, 1).repeat_interleave(8, 2)
    forms = dict(variants.turned_axes(true))
    label = true.flip(-1) if spoil == "mirrored" else forms[spoil]
    clues = kind_of(task).examine(task, true, label)
    assert _strongest(clues) == ("mirrored" if spoil == "mirrored" else "frame")
    if spoil != "mirrored":
        assert clues["frame"].words == spoil


def test_figure_and_ground_tags_categories_and_numbers():
    salient = Saliency("s")
    true = (_scene() == 2).float()[None]
    assert _strongest(kind_of(salient).examine(salient, true * 0.8 + 0.1, 1 - true)) == "inverted"
    tags = Tagging("t", classes=["cat", "dog"])
    clue = kind_of(tags).examine(tags, torch.tensor([0.9, 0.2]), torch.tensor([0.0, math.nan]))["contradicted"]
    assert clue.value == pytest.approx(math.log(9), rel=1e-4)
    assert clue.words == "cat is rather present"
    place = Category("p", classes=["in", "out"])
    clue = kind_of(place).examine(place, torch.tensor([0.8, 0.2]), torch.tensor([0.0, 1.0]))["contradicted"]
    assert clue.value == pytest.approx(math.log(4), rel=1e-4)
    assert clue.words == "out is rather in"
    numbers = make("scalars")
    label = torch.zeros(numbers.channels)
    assert kind_of(numbers).examine(numbers, label + 2, label)["contradicted"].value == 2


@pytest.mark.parametrize("kind", sorted(TASKS))
def test_every_kind_is_examined_and_fits_its_row(kind):
    task = make(kind)
    raw = torch.randn(1, task.channels, *((8, 12) if task.dense else ()), generator=torch.Generator().manual_seed(0))
    values = task.activate(raw)[0]
    label = task.values(task.decide(raw))[0].float()
    clues = kind_of(task).examine(task, values, label)
    assert kind in KINDS
    assert set(kind_of(task).clues) == set(clues)
    assert len(clues) <= CLUES
    assert WIDTH == DOUBTS + CLUES + 1


def test_moving_back_what_was_moved():
    maps = torch.rand(2, 10, 12)
    back = variants.moved(variants.moved(maps, 3, -2), -3, 2)
    known = ~back.isnan()
    assert int(known[0].sum()) == 7 * 10
    assert torch.equal(back[known], maps[known])


def test_large_maps_are_compared_coarsely():
    assert max(coarse(torch.zeros(1, 480, 640)).shape) <= SIDE
    assert coarse(torch.zeros(1, 20, 30)).shape == (1, 20, 30)


@pytest.mark.parametrize("tail", ["normal", "exponential", "laplace"])
def test_about_one_right_label_in_a_hundred_passes_four_whatever_the_tail(tail):
    right = getattr(np.random.default_rng(0), tail)(size=20_000)
    assert 0.003 < (improbable(right) > 4).mean() < 0.03
    wrong = np.full(1000, right.max() + 5)
    found = improbable(np.r_[right, wrong])
    assert (found[:20_000] > 4).mean() < 0.02  # wrong ones among them accuse nobody
    assert found[20_000:].min() > found[:20_000].max()
    assert np.isnan(improbable(np.array([1.0, math.nan]))[1])


def test_a_wrong_unit_stands_out_of_a_network_that_errs_by_a_constant_factor():
    shifts = np.random.default_rng(0).normal(0.3, 0.15, 200)
    shifts[5] = 0.3 + math.log(0.3048)
    found = gaussian(shifts)
    assert found.argmax() == 5
    assert found[5] > 2 * np.sort(found)[-2]


def test_a_hard_image_is_not_outlying_for_being_hard():
    rng = np.random.default_rng(0)
    doubts = rng.uniform(0, 1, (200, 2))
    losses = 0.2 + doubts[:, 0] + rng.normal(0, 0.02, 200)
    losses[7] = 0.2 + doubts[7, 0] + 1
    found = outlying(doubts, losses)
    assert found.argmax() == 7
    hardest = int(np.delete(losses, 7).argmax())
    assert found[hardest] < 0.3
