"""Labels with one known fault each: the right clue is the strongest, and a right label has none."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from crosstask.audit import variants
from crosstask.audit.evidence import SIDE, coarse
from crosstask.audit.faults import UNITS, faults_of
from crosstask.audit.kinds import KINDS, kind_of
from crosstask.audit.look import CLUES, FAULTS
from crosstask.audit.surfaces import CONSTANTS, bent
from crosstask.audit.suspicion import Usual, improbable, judged
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


GAINS = ("mirrored", "upside_down", "shifted", "swapped", "renamed", "frame", "inverted")
BLANK = torch.zeros(3, 32, 48)


def _strongest(clues) -> str:
    gains = {name: clue.value for name, clue in clues.items() if name in GAINS}
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
        (lambda ids: ids.roll((8, -12), (0, 1)), "shifted", "24.0% down and 24.0% left"),
        (_exchanged, "swapped", "road and tree"),
        (lambda ids: torch.where(ids == 3, 2, ids), "renamed", "car is rather tree"),
    ],
)
def test_masks(spoil, reason, words):
    task = Segmentation("mask", classes=NAMES)
    probabilities = (
        _one_hot(_scene()) * 3 + torch.rand(4, 32, 48, generator=torch.Generator().manual_seed(0))
    ).softmax(0)
    clues = kind_of(task).examine(task, probabilities, _one_hot(spoil(_scene())), BLANK)
    assert _strongest(clues) == reason
    if words:
        assert clues[reason].words == words


def test_what_exchanging_two_classes_gains_is_the_difference_of_the_losses():
    task = Segmentation("mask", classes=NAMES)
    probabilities = torch.rand(4, 32, 48, generator=torch.Generator().manual_seed(0)).softmax(0)
    ids = _scene()
    clues = kind_of(task).examine(task, probabilities, _one_hot(ids), BLANK)

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
        (lambda depth: depth.roll((8, -12), (1, 2)), "shifted"),
        (lambda depth: depth + 2, "none"),
        (lambda depth: depth * 3.28, "none"),
    ],
)
def test_depth(spoil, reason):
    task = Depth("depth")
    true = 1 + _scene().float()[None] + torch.linspace(0, 1, 48)
    prediction = true * (1 + 0.02 * torch.rand(1, 32, 48, generator=torch.Generator().manual_seed(0)))
    label = spoil(true)
    label[:, :3] = torch.nan
    clues = kind_of(task).examine(task, prediction, label, BLANK)
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
    clues = kind_of(task).examine(task, true, label, BLANK)
    assert _strongest(clues) == ("mirrored" if spoil == "mirrored" else "frame")
    if spoil != "mirrored":
        assert clues["frame"].words == spoil


def test_figure_and_ground_tags_categories_and_numbers():
    salient = Saliency("s")
    true = (_scene() == 2).float()[None]
    assert _strongest(kind_of(salient).examine(salient, true * 0.8 + 0.1, 1 - true, BLANK)) == "inverted"
    tags = Tagging("t", classes=["cat", "dog"])
    clue = kind_of(tags).examine(tags, torch.tensor([0.9, 0.2]), torch.tensor([0.0, math.nan]), BLANK)["contradicted"]
    assert clue.value == pytest.approx(math.log(9), rel=1e-4)
    assert clue.words == "cat is rather present"
    place = Category("p", classes=["in", "out"])
    clue = kind_of(place).examine(place, torch.tensor([0.8, 0.2]), torch.tensor([0.0, 1.0]), BLANK)["contradicted"]
    assert clue.value == pytest.approx(math.log(4), rel=1e-4)
    assert clue.words == "out is rather in"
    numbers = make("scalars")
    label = torch.zeros(numbers.channels)
    assert kind_of(numbers).examine(numbers, label + 2, label, BLANK)["contradicted"].value == 2


@pytest.mark.parametrize("kind", sorted(TASKS))
def test_every_kind_is_examined_and_fits_its_row(kind):
    task = make(kind)
    raw = torch.randn(1, task.channels, *((8, 12) if task.dense else ()), generator=torch.Generator().manual_seed(0))
    values = task.activate(raw)[0]
    label = task.values(task.decide(raw))[0].float()
    clues = kind_of(task).examine(task, values, label, torch.rand(3, 8, 12))
    assert kind in KINDS
    assert set(kind_of(task).clues) == set(clues)
    assert len(clues) <= CLUES
    assert len(faults_of(task)) <= FAULTS


def test_a_label_that_was_moved_is_moved_back_and_nothing_is_made_up():
    maps = torch.rand(2, 25, 50)
    forms = dict(variants.shifted(maps.roll((4, -8), (1, 2))))
    back = forms["16.0% down and 16.0% left"]
    known = ~back.isnan()
    assert int(known[0].sum()) == 21 * 42
    assert torch.equal(back[known].reshape(2, 21, 42), maps[:, :21, 8:])


def test_large_maps_are_compared_coarsely():
    assert all(max(each.shape) <= SIDE for each in coarse(torch.zeros(2, 480, 640), torch.zeros(2, 480, 640)))
    assert all(each.shape == (1, 20, 30) for each in coarse(torch.zeros(1, 20, 30), torch.zeros(1, 20, 30)))


@pytest.mark.parametrize("size", [(480, 640), (4, 600), (2, 3)])
@pytest.mark.parametrize("kind", sorted(kind for kind in TASKS if make(kind).dense))
def test_a_label_known_at_one_pixel_is_compared_there(kind, size):
    task = make(kind)
    raw = torch.randn(1, task.channels, *size, generator=torch.Generator().manual_seed(0))
    values = task.activate(raw)[0]
    known = torch.zeros(size, dtype=torch.bool)
    known[-1, -1] = True
    label = task.values(task.decide(raw))[0].float().where(known, math.nan)
    clues = kind_of(task).examine(task, values, label, torch.rand(3, *size))
    there = kind_of(task).examine(task, values[..., -1:, -1:], label[..., -1:, -1:], torch.rand(3, 1, 1))
    assert clues["loss"].value == pytest.approx(there["loss"].value, abs=1e-6)


@pytest.mark.parametrize("tail", ["normal", "exponential", "laplace"])
def test_about_one_right_label_in_a_hundred_passes_four_whatever_the_tail(tail):
    right = getattr(np.random.default_rng(0), tail)(size=20_000)
    assert 0.003 < (improbable(right) > 4).mean() < 0.03
    wrong = np.full(1000, right.max() + 5)
    found = improbable(np.r_[right, wrong])
    assert (found[:20_000] > 4).mean() < 0.02  # wrong ones among them accuse nobody
    assert found[20_000:].min() > found[:20_000].max()
    assert np.isnan(improbable(np.array([1.0, math.nan]))[1])


@pytest.mark.parametrize("kind", sorted(TASKS))
def test_faults_spoil_labels_of_every_kind_and_keep_their_form(kind):
    task = make(kind)
    raw = torch.randn(2, task.channels, *((8, 12) if task.dense else ()), generator=torch.Generator().manual_seed(0))
    label, other = task.values(task.decide(raw)).float()
    for name, fault in faults_of(task).items():
        before = label.clone()
        spoilt = fault(label, other, np.random.default_rng(0))
        assert torch.equal(label, before)
        assert spoilt is None or (spoilt.shape == label.shape and not torch.equal(spoilt, label)), name
    assert faults_of(task)["foreign"](label, None, np.random.default_rng(0)) is None
    assert faults_of(task)["foreign"](label, label, np.random.default_rng(0)) is None
    assert 1.0 not in UNITS


def test_what_exchanges_classes_needs_two_of_them():
    faults, alone = faults_of(Segmentation("mask", classes=NAMES)), _one_hot(torch.ones(8, 8, dtype=torch.long))
    assert faults["swapped"](alone, None, np.random.default_rng(0)) is None
    assert faults["swapped"](_one_hot(_scene()), None, np.random.default_rng(0)).sum() == 32 * 48


def test_a_constant_bends_what_is_flat_and_a_factor_does_not():
    y, x = torch.meshgrid(torch.linspace(-1, 1, 48), torch.linspace(-1, 1, 64), indexing="ij")
    room = 1 / torch.maximum(torch.maximum(0.15 + 0.3 * y, 0.2 + 0.25 * x), 0.25 - 0.2 * x)  # floor and two walls
    room = room[None] * (1 + 0.001 * torch.randn(1, 48, 64, generator=torch.Generator().manual_seed(0)))
    assert bent(room)[1] == 0
    assert bent(3 * room) == bent(room)
    added = 0.5 * float(room.median())
    gain, by = bent(room + added)
    assert gain > 0.1
    assert by == min(CONSTANTS, key=lambda each: abs(each - added / float((room + added).median())))
    assert all(map(math.isnan, bent(torch.full((1, 48, 64), math.nan))))
    assert all(map(math.isnan, bent(torch.ones(1, 4, 4))))


def _readings(wrong: int, count: int = 400):
    """Numbers of labels of which the first few have the second fault; the third number says nothing."""
    rng = np.random.default_rng(0)
    own = rng.normal(size=(count, 3)) * (1, 5, 2) + np.array([0, 10, 0])
    spoilt = np.stack([own + np.array([9, 0, 0]), own - np.array([0, 60, 0])], 1)
    own[:wrong] = spoilt[:wrong, 1]
    return np.concatenate([own[:, None], spoilt], 1)


def test_spoilt_labels_teach_what_wrong_ones_look_like():
    found = judged(_readings(20))
    assert np.allclose(np.exp(found).sum(1), 1)
    suspicion = np.log1p(-np.exp(found[:, 0]).clip(max=1 - 1e-12)) - found[:, 0]
    assert set(np.argsort(-suspicion)[:20]) == set(range(20))
    assert (found[:20, 1:].argmax(1) == 1).all()
    assert (suspicion[20:] > 0).mean() < 0.05


def test_a_sample_of_spoilt_labels_is_enough():
    readings = _readings(20)
    part = readings.copy()
    part[100:, 1:] = np.nan  # only the first hundred were spoilt
    assert set(np.argsort(judged(part)[:, 0])[:20]) == set(range(20))


def test_numbers_that_nobody_knows_say_nothing():
    readings = _readings(20)
    readings[..., 2] = np.nan
    readings[3, 0, 0] = np.inf
    assert np.isfinite(judged(readings)).all()
    assert (Usual(np.full((4, 2), np.nan))(np.full((4, 2), np.nan)) == 0).all()


def test_a_fault_that_no_label_has_casts_no_doubt_on_right_ones():
    chance = np.random.default_rng(2)
    clear, vague = np.array([4.0, 0.0]), np.array([0.0, 1.5])  # what two faults do to two numbers
    own = chance.normal(size=(600, 2))
    own[:20] += clear
    readings = np.stack([own, own + clear, own + vague], 1)
    found = judged(readings)
    assert np.isin(np.argsort(found[:, 0])[:20], range(20)).mean() > 0.8
    assert np.exp(found[:, 1]).sum() == pytest.approx(20, abs=8)
    assert np.exp(found[:, 2]).sum() < 15, "by the prior alone these would be twenty-five"
