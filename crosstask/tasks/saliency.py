"""Saliency: how much each pixel belongs to the figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch.nn.functional as F
from torch import Tensor
from typing_extensions import override

from crosstask.tasks import fusion, uncertainty
from crosstask.tasks.base import Orientation, Task
from crosstask.tasks.files import plane
from crosstask.tasks.legend import Legend, Range
from crosstask.tasks.maps import SmoothMap
from crosstask.tasks.metrics.saliency import SaliencyMetric
from crosstask.tasks.pictures import fitted, shaded
from crosstask.tasks.selection import full_precision, select
from crosstask.tasks.targets import as_target
from crosstask.tasks.term import Term

_NEARLY = 0.9
_FEW = 4
"""So many different values make a mask, not a map of probabilities."""


class SaliencyMap(SmoothMap):
    """Saliency, float32 (1, H, W) in [0, 1], NaN unknown.

    >>> as_target(SaliencyMap, [[[1.0, float("nan")]]]).known()
    tensor([[ True, False]])
    """


class Saliency(Task):
    """Figure or ground for each pixel, soft labels allowed; binary cross-entropy. The raw prediction is a logit.

    >>> import torch
    >>> task = Saliency("figure")
    >>> task.parse(np.array([[0, 255]], np.uint8)).tolist()
    [[[0.0, 1.0]]]
    >>> task.activate(torch.zeros(1, 1, 1, 2))
    tensor([[[[0.5000, 0.5000]]]])

    Args:
        name: name of the task.
        ignore: value, or values, of unknown pixels in the files, if they have any. Files of integers hold 0 to 255 (or
            65535 for 16 bits), or 0 and 1 alone; files of floats hold values in [0, 1], NaN unknown.
        scale: the stored value that stands for 1, of integers and floats alike, where it is another: 128 for masks of
            0 and 128, 255 for 16-bit files that reach 255.
        remap: the saliency of each stored value, for masks of few levels: ``{1: 0, 2: 1}``; others are unknown.
        orientation: how labels lie beside images that EXIF turns.

    Raises:
        ValueError: an option is not valid.
    """

    kind = "saliency"
    target_type: ClassVar = SaliencyMap
    unit = "probability"
    conventions = ("ignore", "scale", "remap", "orientation")

    def __init__(
        self,
        name: str,
        *,
        ignore: int | list[int] | None = None,
        scale: float | None = None,
        remap: dict[int, float] | None = None,
        orientation: Orientation = "auto",
    ) -> None:
        self.name = name
        self.channels = 1
        self.ignored = [] if ignore is None else [ignore] if isinstance(ignore, int) else list(ignore)
        self.scale = scale
        self.remap = remap
        self.orientation = orientation
        if scale is not None and not scale > 0:
            raise ValueError(f"scale is {scale}: give the stored value that stands for 1")
        if remap is not None and (scale is not None or set(remap) & set(self.ignored)):
            raise ValueError("remap says what each value is: leave out scale, and what it lists out of ignore")
        if remap is not None and not (remap and all(0 <= share <= 1 for share in remap.values())):
            raise ValueError(f"remap is {remap}: map stored values to numbers in [0, 1], {{1: 0, 2: 1}} say")

    @override
    def loss(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Term:
        known = select(prediction, target, self.known(target), weight)
        losses = F.binary_cross_entropy_with_logits(
            known.prediction, known.target.to(known.prediction), reduction="none"
        )
        return Term((losses * known.weight.unsqueeze(1)).sum(), self.count(target, weight))

    @override
    def activate(self, prediction: Tensor) -> Tensor:
        return full_precision(prediction).sigmoid()

    @override
    def decide(self, prediction: Tensor) -> Tensor:
        return self.activate(prediction)

    def confidence(self, prediction: Tensor) -> Tensor:
        """The probability of being right about the pixel, (B, H, W)."""
        return full_precision(prediction)[:, 0].abs().sigmoid()

    @override
    def invert(self, values: Tensor) -> Tensor:
        return full_precision(values).logit(1e-6)

    @override
    def fuse(self, views: Tensor) -> fusion.Fused:
        return fusion.plane(fusion.shares(views))

    @override
    def uncertainty(self, views: Tensor) -> dict[str, Tensor]:
        return uncertainty.shares(views[:, 0])

    def embed(self, prediction: Tensor) -> Tensor:
        """Probability, (B, 1, H, W)."""
        return self.activate(prediction)

    @override
    def embed_target(self, target: Tensor) -> Tensor:
        return target.nan_to_num(0)

    @override
    def metric(self) -> SaliencyMetric:
        return SaliencyMetric()

    @override
    def check(self, target: Tensor) -> None:
        if target.ndim != 3 or target.shape[0] != 1 or not target.is_floating_point():
            raise ValueError(f"a saliency target is float (1, H, W), found {target.dtype} {tuple(target.shape)}")
        _check_range(target.as_subclass(Tensor).numpy())

    @override
    def picture(self, value: Tensor, size: tuple[int, int] | None = None, within: Range | None = None) -> Tensor:
        return fitted(shaded(value.as_subclass(Tensor)), size)

    @override
    def legend(self, values: Sequence[Tensor], within: Range | None = None) -> Legend:
        return Legend(bar=((0, 0, 0), (255, 255, 255)), low="0", high="1", note="probability")

    @override
    def parse(self, cell: Any) -> SaliencyMap:
        held = plane(cell, self.kind)
        values = held.astype(np.float32)
        if self.remap is not None:
            values = np.full_like(values, np.nan)
            for level, share in self.remap.items():
                values[held == level] = share
            return as_target(SaliencyMap, values[None])
        for value in self.ignored:
            if held.dtype.kind != "f" or self.scale is not None or not 0 <= value <= 1:  # 0 and 1 are floats' own
                values[held == value] = np.nan
        if self.scale is not None:
            values /= np.float32(self.scale)
        elif held.dtype.kind in "iu":
            values /= _full_scale(held.dtype, values)
        _check_range(values)
        return as_target(SaliencyMap, values[None])

    @override
    def reading(self, cell: Any) -> str:
        if self.scale is not None or self.remap is not None or cell.dtype.kind not in "iu":
            return ""
        values = plane(cell, self.kind).astype(np.float32)
        values[np.isin(values, self.ignored)] = np.nan
        full = _full_scale(cell.dtype, values)
        return f"parts of {full}" if np.nanmax(values, initial=0) > 0 else ""

    def encode(self, value: Tensor) -> np.ndarray:
        """uint8 (H, W), probability * 255 (or what ``scale`` stands for 1); unknown pixels are the first of ``ignore``,
        and known ones never are. float32, NaN unknown, where such a file would be read otherwise, or pixels are unknown
        and no value stands for that. With ``remap`` the nearest of its levels.
        """
        values = value.as_subclass(Tensor)[0].cpu().numpy()
        unknown = np.isnan(values)
        if self.remap is not None:
            return self._of_levels(values)
        if self.scale is not None and self.scale != 255:
            return (values * np.float32(self.scale)).astype(np.float32)
        if not self.ignored and unknown.any():
            return (values * np.float32(self.scale or 1)).astype(np.float32)
        ignore = self.ignored[0] if self.ignored else None
        levels = np.rint(np.nan_to_num(values) * 255).astype(np.uint8)
        taken = np.isin(levels, self.ignored)
        if taken.any():
            free = np.array([level for level in range(256) if level not in self.ignored])
            levels[taken] = free[np.abs(values[taken, None] * 255 - free).argmin(-1)]
        levels[unknown] = ignore or 0
        if self.scale is None and not _reads_as(levels[~unknown], 255):
            return np.where(unknown, np.nan, values).astype(np.float32)
        return levels

    def _of_levels(self, values: np.ndarray) -> np.ndarray:
        """The level of the nearest saliency; one that ``remap`` does not list where unknown."""
        assert self.remap is not None
        shares = sorted(self.remap.items(), key=lambda entry: entry[1])
        nearest = np.abs(np.nan_to_num(values)[..., None] - [share for _, share in shares]).argmin(-1)
        none = next(level for level in (255, 254, *range(254)) if level not in self.remap)
        return np.where(np.isnan(values), none, np.array([level for level, _ in shares])[nearest]).astype(np.uint8)

    @override
    def shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        return 1, *size


def _reads_as(levels: np.ndarray, scale: int) -> bool:
    """Whether :func:`_full_scale` takes 8-bit levels for parts of ``scale``."""
    try:
        return not levels.size or not levels.any() or _full_scale(levels.dtype, levels) == scale
    except ValueError:
        return False


def _full_scale(dtype: np.dtype, values: np.ndarray) -> int:
    """The integer that stands for 1.

    Raises:
        ValueError: the few levels that occur are those of a mask on another scale.
    """
    highest = float(np.nanmax(values, initial=0))
    if highest <= 1:
        return 1
    full = 255 if dtype == np.uint8 or (dtype != np.uint16 and highest <= 255) else 65535
    if highest < _NEARLY * full:
        levels = np.unique(values[~np.isnan(values)])
        if len(levels) <= _FEW:
            shown = ", ".join(f"{level:g}" for level in levels)
            raise ValueError(
                f"saliency holds the levels {shown} alone, which would be {highest / full:.2g} at most (of {full}): "
                f"set scale: {highest:g} where that is the figure, remap: {{{levels[0]:g}: 0, {highest:g}: 1}} to name "
                f"each level, or scale: {full} if they are meant so"
            )
    return full


def _check_range(values: np.ndarray) -> None:
    wrong = values[(values < 0) | (values > 1)]
    if wrong.size:
        raise ValueError(
            f"saliency is {wrong[0]:.4g} at {wrong.size} pixels: store floats in [0, 1] or integers 0 to "
            "255, or set scale to the value that stands for 1"
        )
