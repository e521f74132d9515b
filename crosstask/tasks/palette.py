"""Colours for classes: distinct, also to people who are colour-blind; what is background stays neutral.

The first colours are those of Okabe and Ito ("Color Universal Design", 2008) without black. Further ones are found one
by one: of a grid of candidates, the one that is farthest from all before it, by the smallest of its distances as seen
with normal vision, with deuteranopia and with protanopia (simulated after Viénot, Brettel and Mollon, 1999; distances
in OKLab, Ottosson 2020). So the first m of n colours are the same for every n, and a class keeps its colour when others
are added.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product

import numpy as np
import torch
from torch import Tensor

NEUTRAL = (222, 222, 218)
"""The colour of background."""
UNKNOWN = (128, 128, 128)
"""The colour of what is not known."""
BACKGROUND = {"background", "bg", "null", "none", "other", "others", "void", "unlabelled", "unlabeled", "ground"}
"""Names of classes that are shown as background."""

_FIRST = ((86, 180, 233), (230, 159, 0), (0, 158, 115), (204, 121, 167), (0, 114, 178), (240, 228, 66), (213, 94, 0))
_LEVELS = (0, 36, 73, 109, 146, 182, 219, 255)

# Linear RGB as dichromats see it (Viénot et al. 1999).
_DEUTERANOPIA = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])
_PROTANOPIA = np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]])
_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def class_colours(names: Sequence[str]) -> Tensor:
    """A colour per class, uint8 (C, 3); classes whose name says background are neutral and use up no colour."""
    plain = [name.strip().lower() not in BACKGROUND for name in names]
    free = iter(palette(max(sum(plain), 1)).tolist())
    return torch.tensor([next(free) if each else NEUTRAL for each in plain], dtype=torch.uint8)


def palette(count: int) -> Tensor:
    """Distinct colours, uint8 (count, 3)."""
    return torch.tensor(_colours(count), dtype=torch.uint8)


def differences(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How different colours look to whoever tells them apart least.

    Args:
        first: (N, 3) in 0 to 255.
        second: (M, 3).

    Returns:
        (N, M) distances in OKLab, the smallest over normal vision, deuteranopia and protanopia.
    """
    return np.min([_distances(a, b) for a, b in zip(_seen(first), _seen(second), strict=True)], axis=0)


@lru_cache
def _colours(count: int) -> tuple[tuple[int, ...], ...]:
    if count <= len(_FIRST):
        return _FIRST[:count]
    candidates = np.array(list(product(_LEVELS, repeat=3)))
    chosen = list(_FIRST)
    nearest = differences(candidates, np.array([*_FIRST, NEUTRAL, UNKNOWN, (0, 0, 0), (255, 255, 255)])).min(1)
    while len(chosen) < count:
        best = candidates[int(nearest.argmax())]
        red, green, blue = (int(value) for value in best)
        chosen.append((red, green, blue))
        nearest = np.minimum(nearest, differences(candidates, best[None])[:, 0])
    return tuple(chosen)


def _seen(colours: np.ndarray) -> list[np.ndarray]:
    """Colours in OKLab as three kinds of people see them."""
    encoded = np.asarray(colours, dtype=float) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return [_oklab(linear), _oklab(linear @ _DEUTERANOPIA.T), _oklab(linear @ _PROTANOPIA.T)]


def _oklab(linear: np.ndarray) -> np.ndarray:
    return np.cbrt(linear.clip(0) @ _TO_LMS.T) @ _TO_LAB.T


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.linalg.norm(first[:, None] - second[None], axis=-1)
