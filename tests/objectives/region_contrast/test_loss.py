from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from crosstask.objectives.region_contrast.distances import DISTANCES
from crosstask.objectives.region_contrast.loss import Remembered, Rows, contrast_regions
from crosstask.ops.divergences import gaussian_kl
from crosstask.ops.regions import index_regions, sample_pixels
from tests.shared import shared

COMPARISONS = ["wasserstein", "kl", "vector"]


def all_alike(index) -> Rows:
    nothing = torch.zeros_like(index.id)
    return Rows(index.image, index.id, nothing, nothing - 1)


@pytest.mark.parametrize("temperature", [1.0, 5.4])
@pytest.mark.parametrize(("negatives", "name"), [("other", "negcross"), ("any", "negall")])
def test_the_loss_equals_the_papers_equations(temperature, negatives, name):
    with np.load(shared("fixtures/rdc/region_loss.npz")) as given:
        source, target = (torch.from_numpy(given[key]).double() for key in ("x", "y"))
        index = index_regions(torch.from_numpy(given["sam"]).long(), minimum=10)
        expected = float(given[f"paper_LRC_tau{temperature}_{name}"])
    comparison = DISTANCES["wasserstein"]
    described = [comparison.describe(maps, index) for maps in (source, target)]
    found = contrast_regions(*described, all_alike(index), temperature, comparison.distance, negatives)
    assert len(index) == 8
    torch.testing.assert_close(float(found.loss), expected, rtol=1e-5, atol=1e-6)
    assert float(found.chance) == pytest.approx(math.log(8 if negatives == "other" else 15))


def made(seed: int, names: list[list[int]]) -> tuple[list, Rows]:
    """Random Gaussians on both sides for rows of (map, region, space, category)."""
    rng = torch.Generator().manual_seed(seed)
    rows = Rows(*torch.tensor(names).T)
    sides = []
    for _ in range(2):
        mean = torch.randn(len(names), 3, generator=rng, dtype=torch.float64)
        root = torch.randn(len(names), 3, 5, generator=rng, dtype=torch.float64)
        sides.append((mean, root @ root.mT))
    return sides, rows


# map 1 lies in another joint space; map 2 has one region, drawn from twice; map 3 has nothing to be told apart from
NOW = [[0, 4, 0, 1], [0, 5, 0, 1], [0, 7, 0, -1], [0, 8, 0, 2], [1, 4, 3, 1], [1, 5, 3, 2], [2, 1, 0, 2], [2, 1, 0, 2],
       [3, 1, 5, -1]]  # fmt: skip
BEFORE = [[-1, -1, 0, 1], [-1, -1, 3, -1], [-1, -1, 0, 2], [-1, -1, 4, 2]]


def slow(sides, rows, temperature, distance, negatives, across, then):
    """Anchor by anchor, candidate by candidate."""
    both = [[*sides[0]], [*sides[1]]]
    known = [list(row) for row in zip(*(each.tolist() for each in rows), strict=True)]
    if then is not None:
        both = [
            [torch.cat(pair) for pair in zip(now, old, strict=True)] for now, old in zip(both, then[0], strict=True)
        ]
        known += [list(row) for row in zip(*(each.tolist() for each in then[1]), strict=True)]

    def similarity(side, i, other, j):
        a, b = ([value[k : k + 1] for value in both[s]] for s, k in ((side, i), (other, j)))
        return math.exp(-float(distance(tuple(a), tuple(b), torch.ones(1, 1, dtype=torch.bool))) / temperature)

    losses: dict[int, list[float]] = {}
    chances: dict[int, list[float]] = {}
    for side in (0, 1):
        for i in range(len(rows.map)):
            sought = []
            for other in (1 - side, side) if negatives == "any" else (1 - side,):
                for j, (maps, region, space, category) in enumerate(known):
                    old = j >= len(rows.map)
                    same_map = maps == known[i][0]
                    if space != known[i][2] or not (same_map or across or old):
                        continue
                    if (same_map and region == known[i][1]) or (category == known[i][3] and category >= 0):
                        continue
                    sought.append(similarity(side, i, other, j))
            if sought:
                positive = similarity(side, i, 1 - side, i)
                losses.setdefault(known[i][0], []).append(-math.log(positive / (positive + sum(sought))))
                chances.setdefault(known[i][0], []).append(math.log(1 + len(sought)))
    return [torch.tensor([np.mean(found[m]) for m in sorted(found)]).double() for found in (losses, chances)]


@pytest.mark.parametrize("name", ["wasserstein", "vector"])
@pytest.mark.parametrize("negatives", ["other", "any"])
@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("with_bank", [False, True])
def test_equals_a_loop_over_anchors_and_candidates(name, negatives, across, with_bank):
    comparison = DISTANCES[name]
    (source, target), rows = made(0, NOW)
    before, old = made(1, BEFORE)
    sides = [each if comparison.gaussian else each[:1] for each in (source, target)]
    then = ([each if comparison.gaussian else each[:1] for each in before], old) if with_bank else None
    remembered = None if then is None else Remembered(tuple(then[0]), old)
    found = contrast_regions(*sides, rows, 2.0, comparison.distance, negatives, across, remembered)
    loss, chance = slow(sides, rows, 2.0, comparison.distance, negatives, across, then)
    torch.testing.assert_close(found.loss, loss, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found.chance, chance.to(found.chance))
    assert 2 <= len(loss) <= 3


def test_kl_is_as_far_there_as_back():
    (source, target), _ = made(0, NOW)
    everything = torch.ones(len(NOW), len(NOW), dtype=torch.bool)
    distance = DISTANCES["kl"].distance
    there = distance(source, target, everything)
    torch.testing.assert_close(there, distance(target, source, everything).T)
    torch.testing.assert_close(there, (gaussian_kl(*source, *target) + gaussian_kl(*target, *source).T) / 2)


@pytest.mark.parametrize("name", COMPARISONS)
@pytest.mark.parametrize("negatives", ["other", "any"])
@pytest.mark.parametrize("across", [False, True])
def test_the_chance_level_is_the_loss_when_nothing_can_be_told_apart(name, negatives, across):
    sides, rows = made(0, NOW)
    sides = [tuple(value[:1].expand_as(value) for value in sides[0])] * 2
    before, old = made(1, BEFORE)
    before = (tuple(value[:1].expand(len(old.map), *value.shape[1:]) for value in sides[0]),) * 2
    comparison = DISTANCES[name]
    if not comparison.gaussian:
        sides, before = ([each[:1] for each in both] for both in (sides, before))
    found = contrast_regions(*sides, rows, 2.0, comparison.distance, negatives, across, Remembered(tuple(before), old))
    torch.testing.assert_close(found.loss, found.chance.to(found.loss), rtol=1e-6, atol=1e-6)


def maps():
    rng = torch.Generator().manual_seed(0)
    source = torch.randn(2, 3, 6, 8, generator=rng, dtype=torch.float64)
    target = torch.randn(2, 3, 6, 8, generator=rng, dtype=torch.float64)
    regions = torch.arange(48).reshape(1, 6, 8) // 12
    return source, target, index_regions(regions.expand(2, -1, -1))


@pytest.mark.parametrize("name", [*COMPARISONS, "pixel"])
def test_moving_a_positive_onto_its_anchor_lowers_the_loss(name):
    source, target, index = maps()
    moved = target.clone()
    moved[0, :, :1] = source[0, :, :1]
    moved[0, :, 1, :4] = source[0, :, 1, :4]  # pixels 0 to 11: the first region of the first image
    if name == "pixel":
        index = sample_pixels(index, 5, torch.Generator().manual_seed(0))
    comparison = DISTANCES[name]
    before, after = (
        contrast_regions(
            comparison.describe(source, index), comparison.describe(to, index), all_alike(index), 1.0,
            comparison.distance,
        ).loss
        for to in (target, moved)
    )  # fmt: skip
    assert after[0] < before[0]
    torch.testing.assert_close(after[1], before[1], rtol=1e-4, atol=1e-6)  # the ridge of kl is shared
