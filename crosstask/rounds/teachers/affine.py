"""Relative depth brought to metres: a robust affine fit to the depths there are, per camera where cameras are known.

A model that is right up to scale and shift in some space s (inverse depth for Depth Anything and MiDaS, depth itself,
its logarithm) is y with s(depth) = a y + b. The fit minimises the absolute error in s by iteratively reweighted least
squares, so that edges and reflections, where the model or the sensor is wrong altogether, do not decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

SPACES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "inverse": (torch.reciprocal, lambda values: 1 / values.clamp(min=1e-4)),
    "depth": (lambda values: values, lambda values: values),
    "log": (torch.log, lambda values: values.clamp(-10, 10).exp()),
}
"""By name the map from a positive quantity to the space, and back."""
FEWEST = 5
"""Images a camera must have for a fit of its own."""
_STEPS = 30


@dataclass(frozen=True)
class Pair:
    """What a model said and what is known of one image: values (N,) and positive labels (N,) of the same pixels."""

    camera: str
    said: Tensor
    known: Tensor


@dataclass(frozen=True)
class Affine:
    """A fit: ``label = back(a said + b)`` with (a, b) by camera; ``""`` for all others."""

    space: str
    lines: Mapping[str, tuple[float, float]]

    def __call__(self, said: Tensor, camera: str) -> Tensor:
        """Labels, in the shape of ``said``."""
        slope, offset = self.lines.get(camera, self.lines[""])
        return SPACES[self.space][1](slope * said + offset)


def fit(pairs: list[Pair], space: str) -> Affine:
    """The fit of all pairs, and one of each camera with enough of them."""
    cameras = [name for name in {pair.camera for pair in pairs} if name]
    lines = {"": _line(pairs, space)}
    for camera in cameras:
        own = [pair for pair in pairs if pair.camera == camera]
        if len(own) >= FEWEST:
            lines[camera] = _line(own, space)
    return Affine(space, lines)


def _line(pairs: list[Pair], space: str) -> tuple[float, float]:
    x = torch.cat([pair.said for pair in pairs]).double()
    y = SPACES[space][0](torch.cat([pair.known for pair in pairs]).double())
    weight = torch.ones_like(x)
    slope = offset = torch.zeros((), dtype=torch.float64)
    for _ in range(_STEPS):
        total = weight.sum()
        mean_x, mean_y = (weight * x).sum() / total, (weight * y).sum() / total
        variance = (weight * (x - mean_x) ** 2).sum()
        slope = (weight * (x - mean_x) * (y - mean_y)).sum() / variance.clamp(min=1e-12)
        offset = mean_y - slope * mean_x
        error = (y - slope * x - offset).abs()
        weight = 1 / error.clamp(min=1e-3 * float(y.abs().median()) + 1e-12)
    return float(slope), float(offset)
