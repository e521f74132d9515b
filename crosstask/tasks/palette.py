"""Colours for classes: distinct, also to people who are colour-blind; what is background stays neutral.

The first colours are those of Okabe and Ito ("Color Universal Design", 2008) without black. Further ones are found one
by one: of a grid of candidates that are not near black, white or grey, the one that is farthest from all before it,
by the smallest of its distances as seen with normal vision, with deuteranopia and with protanopia (simulated after
Viénot, Brettel and Mollon, 1999; distances are CIEDE2000). A distance to normal vision counts less: for it larger ones
can be had. So the first m of n colours are the same for every n, and a class keeps its colour
when others are added.
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
_LIGHTNESS = (30, 88)
"""CIE L* of candidates: what is darker or lighter is lost in thin shapes, on dark pages or on light ones."""
_CHROMA = 18
"""Least CIE C* of candidates: grey is what is not known."""
_NORMAL = 0.52
"""What a distance to normal vision is multiplied by when colours are chosen: of 0.35 to 1 what is good for
13 to 20 colours in all three."""

# Linear RGB as dichromats see it (Viénot et al. 1999).
_DEUTERANOPIA = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])
_PROTANOPIA = np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]])


def class_colours(names: Sequence[str]) -> Tensor:
    """A colour per class, uint8 (C, 3); classes whose name says background are neutral and use up no colour."""
    plain = [name.strip().lower() not in BACKGROUND for name in names]
    free = iter(palette(max(sum(plain), 1)).tolist())
    return torch.tensor([next(free) if each else NEUTRAL for each in plain], dtype=torch.uint8)


def palette(count: int) -> Tensor:
    """Distinct colours, uint8 (count, 3)."""
    return torch.tensor(_colours(count), dtype=torch.uint8)


@lru_cache
def _colours(count: int) -> tuple[tuple[int, ...], ...]:
    if count <= len(_FIRST):
        return _FIRST[:count]
    candidates = np.array(list(product(_LEVELS, repeat=3)))
    lightness, *hue = _seen(candidates)[0].T
    low, high = _LIGHTNESS
    candidates = candidates[(low <= lightness) & (lightness <= high) & (np.hypot(*hue) >= _CHROMA)]
    chosen: list[tuple[int, ...]] = list(_FIRST)
    nearest = _distances(candidates, np.array([*_FIRST, NEUTRAL, UNKNOWN])).min(1)
    while len(chosen) < count:
        best = candidates[int(nearest.argmax())]
        chosen.append(tuple(best.tolist()))
        nearest = np.minimum(nearest, _distances(candidates, best[None])[:, 0])
    return tuple(chosen)


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How different colours (N, 3) and (M, 3) look to whoever tells them apart least, (N, M)."""
    from skimage.color import deltaE_ciede2000

    seen = zip(_seen(first), _seen(second), (_NORMAL, 1, 1), strict=True)
    return np.min([weight * deltaE_ciede2000(a[:, None], b[None]) for a, b, weight in seen], axis=0)


def _seen(colours: np.ndarray) -> list[np.ndarray]:
    """Colours in CIE Lab as three kinds of people see them."""
    from skimage.color import rgb2lab

    encoded = np.asarray(colours, dtype=float) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    views = [linear, linear @ _DEUTERANOPIA.T, linear @ _PROTANOPIA.T]
    return [rgb2lab(_encoded(view.clip(0, 1))) for view in views]


def _encoded(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
