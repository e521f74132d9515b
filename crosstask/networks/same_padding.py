"""Convolutions that pad to "same", in networks that are shown multiples of all their strides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import timm.layers.padding
from torch import nn

from crosstask.networks.multitask import MultiTaskNetwork


@contextmanager
def whole_strides(network: nn.Module) -> Iterator[None]:
    """Within it, timm's padding to "same" does not ask the size, for networks in which it need not.

    timm computes it from the size with a rounding that no exported program of any size can hold. A
    :class:`MultiTaskNetwork` pads images to a multiple of all strides, so that the size of each layer's input is a
    multiple of the layer's stride and the padding is the same for all. Other networks are left alone.
    """
    asked = timm.layers.padding.get_same_padding
    if isinstance(network, MultiTaskNetwork):
        timm.layers.padding.get_same_padding = _constant
    try:
        yield
    finally:
        timm.layers.padding.get_same_padding = asked


def _constant(x: int, kernel_size: int, stride: int, dilation: int) -> int:
    return max((kernel_size - 1) * dilation + 1 - stride, 0)
