"""Labels spoilt on purpose, as files are spoilt by accident: what an audit learns from how they look.

Values are those of one image, (C, ...), NaN where unknown (:meth:`~crosstask.tasks.base.Task.values`). A fault that a
label cannot have (two classes exchanged where there is one) is None.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from crosstask.audit import variants
from crosstask.tasks.base import Task

UNITS = (3.28084, 10.0, 2.54, 2.0)
"""Factors by which lengths in another unit, or of another camera, are wrong."""
_LEAST = 0.02

Fault = Callable[[Tensor, Tensor | None, np.random.Generator], Tensor | None]
"""A label, that of another image (None where there is none) and a source of chance to the spoilt label."""


def faults_of(task: Task) -> dict[str, Fault]:
    """What a label of a task may suffer, by name. All kinds: *foreign*, the label of another image."""
    if task.dense:
        return {"foreign": foreign, "mirrored": _mirrored, "upside_down": _upside_down, "shifted": shifted,
                **_OWN.get(task.kind, {})}  # fmt: skip
    return {"foreign": foreign, **_OWN.get(task.kind, {})}


def foreign(label: Tensor, other: Tensor | None, chance: np.random.Generator) -> Tensor | None:
    """The label of another image, brought to the size of this one; None where it is the same."""
    if other is None:
        return None
    if label.ndim > 1 and other.shape != label.shape:
        other = F.interpolate(other[None], size=label.shape[-2:], mode="nearest")[0]
    return None if torch.equal(other.nan_to_num(-9), label.nan_to_num(-9)) else other


def _mirrored(label: Tensor, other: Tensor | None, chance: np.random.Generator) -> Tensor:
    return variants.mirrored(label)


def _upside_down(label: Tensor, other: Tensor | None, chance: np.random.Generator) -> Tensor:
    return variants.upside_down(label)


def shifted(label: Tensor, other: Tensor | None, chance: np.random.Generator) -> Tensor:
    """Moved by up to 30 % of both sides, by 10 % of one at least; what comes in is the outermost row or column."""
    shares = chance.uniform(-0.3, 0.3, 2)
    place = int(chance.integers(2))
    shares[place] = chance.choice([-1, 1]) * chance.uniform(0.1, 0.3)
    height, width = label.shape[-2:]
    rows = (torch.arange(height) - round(shares[0] * height)).clamp(0, height - 1)
    columns = (torch.arange(width) - round(shares[1] * width)).clamp(0, width - 1)
    return label[..., rows, :][..., columns]


def swapped(label: Tensor, other: Tensor | None, chance: np.random.Generator) -> Tensor | None:
    """Two classes that are there exchanged."""
    there = _there(label)
    if len(there) < 2:
        return None
    first, second = chance.choice(there, 2, replace=False).tolist()
    order = list(range(len(label)))
    order[first], order[second] = second, first
    return label[order]


def renamed(label: Tensor, other: Tensor | None, chance: np.random.Generator) -> Tensor | None:
    """A class that is there called another."""
    there = _there(label)
    if not len(there) or len(label) < 2:
        return None
    first = int(chance.choice(there))
    second = int(chance.choice([each for each in range(len(label)) if each != first]))
    spoilt = label.clone()
    spoilt[second] = label[second] + label[first]
    spoilt[first] = torch.zeros_like(label[first]).where(~label[first].isnan(), torch.nan)
    return spoilt


def added(label: Tensor, other: Tensor | None, chance: np.random.Generator) -> Tensor:
    """15 to 60 % of the median added."""
    return label + float(label.nanmedian()) * chance.uniform(0.15, 0.6)


def taken_off(label: Tensor, other: Tensor | None, chance: np.random.Generator) -> Tensor:
    """15 to 60 % of the median taken off."""
    return torch.maximum(label - float(label.nanmedian()) * chance.uniform(0.15, 0.6), 0.05 * label)


def too_large(label: Tensor, other: Tensor | None, chance: np.random.Generator) -> Tensor:
    """In another unit, so that numbers are too large."""
    return label * float(chance.choice(UNITS))


def too_small(label: Tensor, other: Tensor | None, chance: np.random.Generator) -> Tensor:
    """In another unit, so that numbers are too small."""
    return label / float(chance.choice(UNITS))


def frame(label: Tensor, other: Tensor | None, chance: np.random.Generator) -> Tensor:
    """Vectors in another frame of axes."""
    forms = [form for _, form in variants.turned_axes(label)]
    return forms[int(chance.integers(len(forms)))]


def inverted(label: Tensor, other: Tensor | None, chance: np.random.Generator) -> Tensor:
    """Figure and ground exchanged."""
    return 1 - label


def contradicted(label: Tensor, other: Tensor | None, chance: np.random.Generator) -> Tensor | None:
    """One known tag the other way round."""
    known = (~label.isnan()).nonzero()[:, 0]
    if not len(known):
        return None
    spoilt = label.clone()
    place = int(chance.choice(known.numpy()))
    spoilt[place] = 1 - spoilt[place].round()
    return spoilt


def recategorised(label: Tensor, other: Tensor | None, chance: np.random.Generator) -> Tensor | None:
    """Another category."""
    return label.roll(int(chance.integers(1, len(label))), 0) if len(label) > 1 else None


def _there(label: Tensor) -> np.ndarray:
    shares = label.nan_to_num(0).flatten(1).mean(1)
    return (shares >= _LEAST).nonzero()[:, 0].numpy()


_LENGTHS: dict[str, Fault] = {"added": added, "taken_off": taken_off, "too_large": too_large, "too_small": too_small}
_OWN: dict[str, dict[str, Fault]] = {
    "segmentation": {"swapped": swapped, "renamed": renamed},
    "depth": _LENGTHS,
    "disparity": _LENGTHS,
    "normals": {"frame": frame},
    "saliency": {"inverted": inverted},
    "tags": {"contradicted": contradicted},
    "category": {"contradicted": recategorised},
}
