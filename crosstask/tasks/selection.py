"""Known entries, and their weights, picked out before any loss is computed."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

LEAVE_OUT_ON = ("cpu",)
"""Devices on which images without labels are left out of a loss."""


class Selected(NamedTuple):
    """What a loss may look at. Unknown entries hold 0 in all three tensors, so nothing of them can leak.

    Attributes:
        prediction: (B', C, ...) float32, or float64 where the prediction was; B' <= B.
        target: (B', ...).
        weight: (B', ...) in the shape of the known mask; 0 where unknown.
    """

    prediction: Tensor
    target: Tensor
    weight: Tensor


def full_precision(tensor: Tensor) -> Tensor:
    """``tensor`` as float32; float64 stays float64."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def weights(known: Tensor, weight: Tensor | None = None) -> Tensor:
    """The weight of each entry, 0 where it is unknown or its weight is not positive (or NaN); 1 without ``weight``.

    Args:
        known: boolean mask, (B, ...).
        weight: (B, ...), missing trailing axes are broadcast.
    """
    if weight is None:
        return known.float()
    weight = full_precision(weight)
    weight = weight.reshape(weight.shape + (1,) * (known.ndim - weight.ndim))
    return weight.where(known & (weight > 0), 0.0)


def select(prediction: Tensor, target: Tensor, known: Tensor, weight: Tensor | None = None) -> Selected:
    """Blank out unknown entries of ``prediction`` and ``target``, with an exact zero gradient, even where they are not
    finite.

    On a CPU, images without any known entry are left out altogether: with one label per image that is most of the
    work. On an accelerator this would wait for the device, so the shapes stay as they are.

    Args:
        prediction: (B, C, ...).
        target: (B, ...), with or without a channel axis.
        known: boolean mask of the known entries, (B, ...) with the channel axis only where entries are channels.
        weight: optional weights, as in :func:`weights`.

    Raises:
        ValueError: prediction and target do not lie entry by entry on each other: broadcast, an entry would be learnt
            several times.
    """
    if target.shape not in (prediction.shape, prediction.shape[:1] + prediction.shape[2:]):
        raise ValueError(
            f"predictions {tuple(prediction.shape)} do not fit targets {tuple(target.shape)}: give (B, C, ...) and "
            "targets in the format of the task, a single map as (B, 1, H, W)"
        )
    prediction, target = prediction.as_subclass(Tensor), target.as_subclass(Tensor)
    weight = weights(known, weight)
    mask = weight > 0
    if prediction.device.type in LEAVE_OUT_ON:
        labelled = mask.unsqueeze(-1).flatten(1).any(1)
        if not labelled.all():
            prediction, target, weight, mask = prediction[labelled], target[labelled], weight[labelled], mask[labelled]
    return Selected(
        full_precision(prediction).where(_spread(mask, prediction), 0.0),
        target.where(_spread(mask, target), 0),
        weight,
    )


def _spread(mask: Tensor, like: Tensor) -> Tensor:
    return mask if mask.ndim == like.ndim else mask.unsqueeze(1)
