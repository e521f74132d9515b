"""Against a slow reference in plain loops, and on annotators of known kinds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from crosstask.ops.dawid_skene import dawid_skene


def _slow(votes, classes, iterations, smoothing):
    items, annotators = len(votes), len(votes[0])
    said = [[votes[i][v] for v in range(annotators) if votes[i][v] >= 0] for i in range(items)]
    belief = [[each.count(c) / len(each) if each else 1 / classes for c in range(classes)] for each in said]
    for _ in range(iterations):
        prior = [smoothing / classes + sum(belief[i][c] for i in range(items) if said[i]) for c in range(classes)]
        prior = [each / sum(prior) for each in prior]
        confusion = {}
        for v in range(annotators):
            for c in range(classes):
                row = [smoothing * ((0.75 if d == c else 0) + 0.25 / classes) for d in range(classes)]
                for i in range(items):
                    if votes[i][v] >= 0:
                        row[votes[i][v]] += belief[i][c]
                confusion[v, c] = [each / sum(row) for each in row]
        for i in range(items):
            likely = [prior[c] * math.prod(confusion[v, c][votes[i][v]] for v in range(annotators) if votes[i][v] >= 0)
                      for c in range(classes)]  # fmt: skip
            belief[i] = [each / sum(likely) for each in likely]
    return belief, confusion, prior


@pytest.mark.parametrize("smoothing", [1.0, 0.3])
def test_it_is_the_slow_reference(smoothing):
    votes = torch.randint(-1, 3, (30, 4), generator=torch.Generator().manual_seed(0))
    votes[7] = -1
    found = dawid_skene(votes, 3, iterations=5, smoothing=smoothing)
    belief, confusion, prior = _slow(votes.tolist(), 3, 5, smoothing)
    torch.testing.assert_close(found.posterior, torch.tensor(belief, dtype=torch.float64))
    torch.testing.assert_close(found.prior, torch.tensor(prior, dtype=torch.float64))
    for (annotator, label), row in confusion.items():
        torch.testing.assert_close(found.confusion[annotator, label], torch.tensor(row, dtype=torch.float64))


def test_it_beats_the_majority_where_most_annotators_guess():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 400)
    right = [0.95, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1]
    votes = np.stack([np.where(rng.random(400) < p, truth, rng.integers(0, 3, 400)) for p in right], 1)
    votes[rng.random(votes.shape) < 0.2] = -1
    found = dawid_skene(torch.from_numpy(votes), 3)
    majority = [np.bincount(row[row >= 0], minlength=3).argmax() for row in votes]
    assert (found.posterior.argmax(1).numpy() == truth).mean() > 0.9 > (np.array(majority) == truth).mean() + 0.05
    assert float(found.confusion[0].diagonal().mean()) > 0.9
    assert float(found.confusion[4].diagonal().mean()) < 0.6


def test_one_who_confuses_two_classes_is_read_the_other_way_round():
    truth = np.random.default_rng(0).integers(0, 2, 60)
    votes = np.stack([truth, truth, truth, 1 - truth], 1)
    votes[:6, :3] = -1  # of these the last one alone says anything
    found = dawid_skene(torch.from_numpy(votes), 2)
    assert (found.posterior.argmax(1).numpy() == truth).all()


def test_nothing_said_and_nothing_to_say():
    found = dawid_skene(torch.tensor([[0, 0], [-1, -1], [0, 1]]), 2)
    assert torch.allclose(found.posterior[1], found.prior)
    assert dawid_skene(torch.zeros(0, 2, dtype=torch.long), 2).posterior.shape == (0, 2)
    with pytest.raises(ValueError, match="classes 0 to 1"):
        dawid_skene(torch.tensor([[2]]), 2)
