"""Saliency: how much each pixel belongs to the figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from crosstask.tasks import fusion
from crosstask.tasks.base import Task
from crosstask.tasks.files import plane
from crosstask.tasks.legend import Legend, Range
from crosstask.tasks.maps import SmoothMap
from crosstask.tasks.metrics.saliency import SaliencyMetric
from crosstask.tasks.pictures import fitted, shaded
from crosstask.tasks.selection import full_precision, select
from crosstask.tasks.targets import as_target
from crosstask.tasks.term import Term


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
        ignore: value of unknown pixels in files of integers, if they have any. Files hold 0 to 255 (or 65535 for 16
            bits), or 0 and 1 alone; files of floats hold values in [0, 1], NaN unknown.
    """

    kind = "saliency"
    target_type: ClassVar = SaliencyMap
    unit = "probability"

    def __init__(self, name: str, *, ignore: int | None = None) -> None:
        self.name = name
        self.channels = 1
        self.ignore = ignore

    def loss(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Term:
        known = select(prediction, target, self.known(target), weight)
        losses = F.binary_cross_entropy_with_logits(
            known.prediction, known.target.to(known.prediction), reduction="none"
        )
        return Term((losses * known.weight.unsqueeze(1)).sum(), self.count(target, weight))

    def activate(self, prediction: Tensor) -> Tensor:
        return full_precision(prediction).sigmoid()

    def decide(self, prediction: Tensor) -> Tensor:
        return self.activate(prediction)

    def confidence(self, prediction: Tensor) -> Tensor:
        """The probability of being right about the pixel, (B, H, W)."""
        return full_precision(prediction)[:, 0].abs().sigmoid()

    def invert(self, values: Tensor) -> Tensor:
        return full_precision(values).logit(1e-6)

    def fuse(self, views: Tensor) -> fusion.Fused:
        return fusion.plane(fusion.shares(views))

    def embed(self, prediction: Tensor) -> Tensor:
        """Probability, (B, 1, H, W)."""
        return self.activate(prediction)

    def embed_target(self, target: Tensor) -> Tensor:
        return target.nan_to_num(0)

    def metric(self) -> SaliencyMetric:
        return SaliencyMetric()

    def check(self, target: Tensor) -> None:
        if target.ndim != 3 or target.shape[0] != 1 or not target.is_floating_point():
            raise ValueError(f"a saliency target is float (1, H, W), found {target.dtype} {tuple(target.shape)}")
        _check_range(target.as_subclass(Tensor).numpy())

    def picture(self, value: Tensor, size: tuple[int, int] | None = None, within: Range | None = None) -> Tensor:
        return fitted(shaded(value.as_subclass(Tensor)), size)

    def legend(self, values: Sequence[Tensor], within: Range | None = None) -> Legend:
        return Legend(bar=((0, 0, 0), (255, 255, 255)), low="0", high="1", note="probability")

    def parse(self, cell: np.ndarray | str) -> SaliencyMap:
        held = plane(cell, self.kind)
        values = held.astype(np.float32)
        if held.dtype.kind in "iu":
            if self.ignore is not None:
                values[held == self.ignore] = np.nan
            values /= _full_scale(held.dtype, float(np.nanmax(values, initial=0)))
        _check_range(values)
        return as_target(SaliencyMap, values[None])

    def encode(self, value: Tensor) -> np.ndarray:
        """uint8 (H, W), probability * 255; unknown pixels are ``ignore``, and known ones never are.

        Raises:
            ValueError: pixels are unknown, and there is no value for them.
        """
        values = value.as_subclass(Tensor)[0].cpu().numpy()
        unknown = np.isnan(values)
        if self.ignore is None and unknown.any():
            raise ValueError(f"{unknown.sum()} pixels of the saliency are unknown: set ignore to write them")
        levels = np.rint(np.nan_to_num(values) * 255).astype(np.uint8)
        levels[levels == self.ignore] = self.ignore - 1 if self.ignore else 1
        if levels[~unknown].max(initial=0) <= 1:  # which would be read as a mask of 0 and 1
            levels[:] = 2 if self.ignore == 0 else 0
        levels[unknown] = self.ignore or 0
        return levels

    def shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        return 1, *size


def _full_scale(dtype: np.dtype, highest: float) -> int:
    """The integer that stands for 1."""
    if highest <= 1:
        return 1
    return 255 if dtype == np.uint8 or (dtype != np.uint16 and highest <= 255) else 65535


def _check_range(values: np.ndarray) -> None:
    wrong = values[(values < 0) | (values > 1)]
    if wrong.size:
        raise ValueError(
            f"saliency is {wrong[0]:.4g} at {wrong.size} pixels: store floats in [0, 1] or integers 0 to 255"
        )
