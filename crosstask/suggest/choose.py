"""Which labels to buy: greedy facility location over (image, task) pairs.

An image is expected to have the error e(j, t) in task t while it has no label of it. A label of image i teaches of
images that look like i: k(i, j) = exp(-d² / 2 s²) with the distance d of their features. What a set S of labels covers
of image j is max over i in S of k(i, j), and one more label (i, t) is worth

    sum over j of e(j, t) (k(i, j) - what is covered of j in t)₊ / cost(t).

Where all labels cost the same, the greedy choice is within 1 - 1/e of the best set (Nemhauser et al., 1978). Labels
that exist cover from the beginning. The width s is the median distance to the (R / (L + B))-th nearest of R images, for
L labels that exist and B that can be bought: about what one label of so many has to stand for.

What is compared is bounded: at most :data:`REFERENCES` images stand for all, and at most :data:`CANDIDATES` at once are
candidates of each task (those with the greatest expected error, and as many drawn at random; others of what is left
once all of them are bought), so that memory is about 20 MB for each task, and time grows with the number of images only
linearly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

REFERENCES = 2048
CANDIDATES = 2048
_BLOCK = 4096


class Chosen(NamedTuple):
    """A label to buy.

    Attributes:
        image: index of the image.
        task: index of the task.
        value: what it is worth per cost when those before it are bought: expected errors it covers, in multiples of the
            task's mean error on one image.
    """

    image: int
    task: int
    value: float


def choose(
    features: np.ndarray,
    errors: np.ndarray,
    open_: np.ndarray,
    labelled: np.ndarray,
    costs: Sequence[float],
    budget: float,
    seed: int = 0,
) -> list[Chosen]:
    """Labels in the order in which they should be bought, until none that is left is affordable.

    Args:
        features: (N, D), unit length.
        errors: (N, T), expected relative errors.
        open_: bool (N, T), the pairs that may be chosen.
        labelled: bool (N, T), the pairs with a label, which cover what is like them.
        costs: of a label of each task, above 0.
        budget: what all may cost together.
        seed: of the draws where there are many images.
    """
    rng = np.random.default_rng(seed)
    count, tasks = open_.shape
    sample = np.sort(rng.permutation(count)[:REFERENCES])
    offers = [
        _Offer(features, errors[:, task], open_[:, task], labelled[:, task], sample, budget / costs[task], rng)
        for task in range(tasks)
    ]
    chosen: list[Chosen] = []
    left = budget
    while True:
        affordable = [task for task in range(tasks) if costs[task] <= left + 1e-9 and len(offers[task].candidates)]
        if not affordable:
            return chosen
        best = max(affordable, key=lambda task: offers[task].best / costs[task])
        value, image = offers[best].take()
        chosen.append(Chosen(image, best, value / costs[best]))
        left -= costs[best]


class _Offer:
    """What the candidates of one task are worth, given the labels so far."""

    def __init__(
        self,
        features: np.ndarray,
        errors: np.ndarray,
        open_: np.ndarray,
        labelled: np.ndarray,
        sample: np.ndarray,
        labels: float,
        rng: np.random.Generator,
    ) -> None:
        self.features, self.errors, self.left, self.rng = features, errors, open_.copy(), rng
        self.references = features[sample]
        existing = labelled.nonzero()[0]
        nearest = round(len(sample) / max(len(existing) + labels, 1))
        self.scale = 2 * _width(self.references, nearest) ** 2
        self.weights = np.where(open_[sample], errors[sample], 0.0).astype(np.float32) * (len(errors) / len(sample))
        covered = np.zeros(len(sample), dtype=np.float32)
        for start in range(0, len(existing), _BLOCK):
            block = self._near(features[existing[start : start + _BLOCK]])
            covered = np.maximum(covered, block.max(0))
        self._offer(covered)

    @property
    def best(self) -> float:
        return float(self.gains[self.place])

    def take(self) -> tuple[float, int]:
        """Buy the best candidate; says what it was worth, and which image it is."""
        value, image = self.best, int(self.candidates[self.place])
        self.free[self.place] = False
        row = self.kernel[self.place]
        covered = np.maximum(self.covered, row)
        if self.free.any():
            self._cover(covered)
        else:
            self._offer(covered)
        return value, image

    def _offer(self, covered: np.ndarray) -> None:
        """The next candidates; none where there is nothing left."""
        self.candidates = _candidates(self.errors, self.left, self.rng)
        self.left[self.candidates] = False
        self.kernel = self._near(self.features[self.candidates])
        self.free = np.ones(len(self.candidates), bool)
        if len(self.candidates):
            self._cover(covered)

    def _cover(self, covered: np.ndarray) -> None:
        self.covered = covered
        self.gains = np.maximum(self.kernel - covered, 0) @ self.weights
        self.place = int(np.where(self.free, self.gains, -np.inf).argmax())

    def _near(self, some: np.ndarray) -> np.ndarray:
        return np.exp(-squared(some, self.references) / self.scale, dtype=np.float32)


def squared(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Squared distances (N, M) between unit vectors (N, D) and (M, D)."""
    return np.maximum(2 - 2 * first @ second.T, 0)


def _candidates(errors: np.ndarray, open_: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    there = open_.nonzero()[0]
    if len(there) <= CANDIDATES:
        return there
    order = there[np.argsort(-errors[there], kind="stable")]
    half = CANDIDATES // 2
    return np.sort(np.concatenate([order[:half], rng.permutation(order[half:])[:half]]))


def _width(references: np.ndarray, nearest: int) -> float:
    """The median distance to the ``nearest``-th neighbour."""
    nearest = min(max(nearest, 1), len(references) - 1)
    if nearest < 1:
        return 1.0
    distances = squared(references, references)
    width = float(np.sqrt(np.median(np.partition(distances, nearest, 1)[:, nearest])))
    return max(width, 1e-3)
