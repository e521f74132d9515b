"""The strength of the baselines that papers compare with: the loss of a step against a loop over images and tasks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.objectives.by_hand import (
    LABELS,
    NAMES,
    SIZE,
    Recorded,
    known_of,
    learner_of,
    loss_of,
    losses_of,
    make_batch,
    of_image,
    options_of,
    supervised_by_pixels,
)

SETTINGS = pytest.mark.parametrize(("count", "labels"), list(LABELS))


def setting(patch: str, count: int, labels: str):
    names = NAMES[:count]
    learner = learner_of(options_of(patch), names)
    batch = make_batch(LABELS[count, labels], names)
    with torch.no_grad():
        predictions = learner.network(batch.images)
    return learner, batch, predictions


def values_of(name: str, raw: torch.Tensor) -> torch.Tensor:
    """Probabilities, metres, unit vectors of raw predictions (C, H, W)."""
    if name == "semantic":
        return raw.exp() / raw.exp().sum(0)
    return raw / raw.square().sum(0).sqrt() if name == "normals" else raw


def read_by_others(name: str, values: torch.Tensor) -> torch.Tensor:
    """Values (C, H, W) as another network reads them."""
    if name == "depth":
        return values.clamp(min=1e-3) / values.clamp(min=1e-3).max()
    return (values + 1) / 2 if name == "normals" else values


def label_read(batch, name: str, index: int) -> torch.Tensor:
    """A label as another network reads it, 0 where unknown."""
    label, known = batch.targets[name][index], torch.from_numpy(known_of(batch, name, index))
    if name == "semantic":
        label = torch.stack([label == k for k in range(3)]).float()
    elif name == "depth":
        label = label / label[:, known].max()
    else:
        label = (label + 1) / 2
    return torch.where(known, label, 0.0)


def halved(maps: torch.Tensor) -> torch.Tensor:
    """Maps (C, H, W) averaged over squares of 2 x 2."""
    return maps.unflatten(2, (-1, 2)).unflatten(1, (-1, 2)).mean((2, 4))


def partial_pairs(batch, names: list[str], index: int) -> list[tuple[str, str]]:
    """Unlabelled and labelled task of an image; none where it has all labels."""
    there = {name: known_of(batch, name, index).any() for name in names}
    return [(s, t) for s in names for t in names if there[t] and not there[s]]


@SETTINGS
def test_consistency(count, labels):
    """Squared differences, summed over channels, averaged over pixels and the images without a label of the task."""
    learner, batch, predictions = setting("consistency", count, labels)
    drawn = Recorded(learner.objectives["consistency"], "_window")
    found = loss_of(learner, [batch])
    expected = supervised_by_pixels(predictions, batch)
    errors: dict[str, list[float]] = {name: [] for name in predictions}
    for index, window in enumerate(drawn.results):
        rows = slice(window.top, window.top + window.height)
        columns = slice(window.left, window.left + window.width)

        def cut(maps, rows=rows, columns=columns):
            return F.interpolate(maps[None, :, rows, columns], SIZE, mode="bilinear")

        with torch.no_grad():
            seen = learner.network(cut(batch.images[index]))
        for name, raw in predictions.items():
            if known_of(batch, name, index).any():
                continue
            before = cut(values_of(name, raw[index]))[0]
            before = before / window.zoom if name == "depth" else before
            errors[name].append(float((values_of(name, seen[name][0]) - before).square().sum(0).mean()))
    assert {window.zoom for window in drawn.results} <= {1.0, 1.2, 1.5}
    expected += sum(sum(each) / len(each) for each in errors.values() if each)
    assert found == pytest.approx(expected, rel=1e-4)


@SETTINGS
def test_direct_map(count, labels):
    """The mapped prediction against the label, summed over the pairs of an image, averaged over images with any."""
    learner, batch, predictions = setting("direct_map", count, labels)
    names, maps = list(predictions), learner.objectives["cross_map"].maps
    sums = []
    for index in range(len(batch)):
        pairs = partial_pairs(batch, names, index)
        total = 0.0
        for s, t in pairs:
            read = halved(read_by_others(s, values_of(s, predictions[s][index])))
            with torch.no_grad():
                mapped = F.interpolate(maps[slot(names, s, t)](read[None]), SIZE, mode="bilinear")[0]
            losses = losses_of(t, mapped.numpy(), batch.targets[t][index].numpy())
            total += losses[known_of(batch, t, index)].mean()
        sums += [total] if pairs else []
    expected = supervised_by_pixels(predictions, batch) + (np.mean(sums) if sums else 0.0)
    assert bool(sums) == (labels != "full")
    assert loss_of(learner, [batch]) == pytest.approx(expected, rel=1e-5)


@SETTINGS
def test_perceptual_map(count, labels):
    """|m(p_t) - m(y_t)| + |m(y_t) - p_s| over the known pixels of t, averaged in the same way."""
    learner, batch, predictions = setting("perceptual_map", count, labels)
    names, maps = list(predictions), learner.objectives["cross_map"].maps
    sums = []
    for index in range(len(batch)):
        pairs = partial_pairs(batch, names, index)
        total = 0.0
        for s, t in pairs:
            known = torch.from_numpy(known_of(batch, t, index))
            own = torch.where(known, read_by_others(t, values_of(t, predictions[t][index])), 0.0)
            with torch.no_grad():
                looked, mapped = (
                    maps[slot(names, t, s)](halved(each)[None])[0] for each in (own, label_read(batch, t, index))
                )
            other = halved(read_by_others(s, values_of(s, predictions[s][index])))
            share = halved(known[None].float())[0]
            errors = ((looked - mapped).abs() + (mapped - other).abs()).sum(0)
            total += float((errors * share).sum() / share.sum())
        sums += [total] if pairs else []
    expected = supervised_by_pixels(predictions, batch) + (np.mean(sums) if sums else 0.0)
    assert loss_of(learner, [batch]) == pytest.approx(expected, rel=1e-5)


def slot(names: list[str], source: str, target: str) -> int:
    """The place of an ordered pair among all: (0,1), (0,2), ..., (1,0), ..."""
    return [(s, t) for s in names for t in names if s != t].index((source, target))


@pytest.mark.parametrize(("threshold", "kept"), [(0.7, 100), (0.2, 3000)])
@SETTINGS
def test_hard_pixels(count, labels, threshold, kept):
    """Of all known pixels of the step the hard ones, each alike; the other tasks as ever."""
    names = NAMES[:count]
    options = {"supervised": {"only": names[1:]}, "hard_pixels": {"threshold": threshold, "kept": kept}}
    learner = learner_of(options, names)
    batch = make_batch(LABELS[count, labels], names)
    with torch.no_grad():
        predictions = learner.network(batch.images)
    losses = np.concatenate([of_image("semantic", predictions["semantic"], batch, i) for i in range(len(batch))])
    chances = np.exp(-losses)
    limit = max(threshold, np.sort(chances)[min(kept, len(chances)) - 1])
    expected = supervised_by_pixels(predictions, batch, names[1:]) + losses[chances <= limit].mean()
    assert loss_of(learner, [batch]) == pytest.approx(expected, rel=1e-5)
