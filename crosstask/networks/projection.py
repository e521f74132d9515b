"""A head for representations: feature maps to vectors that are compared, not read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from crosstask.networks.blocks import resize
from crosstask.ranges import Size

STRIDE = 4
"""Stride of the published representations, in pixels."""


@dataclass(frozen=True)
class Representation:
    """The head for representations. The published one has 256 channels throughout and reads one map, the joint one of
    DeepLabV3+.

    Args:
        width: its hidden channels.
        dimension: channels of a representation.
        maps: how many of the network's feature maps it reads; all where null. The first is the coarsest of stride 4 or
            finer.
    """

    width: Size = 64
    dimension: Size = 64
    maps: Size | None = None

    def chosen(self, strides: Sequence[int]) -> slice:
        """Which of the network's maps, of these strides, are read."""
        first = max((index for index, stride in enumerate(strides) if stride <= STRIDE), default=0)
        return slice(first, None if self.maps is None else first + self.maps)


class Projection(nn.Module):
    """A convolution of each map, summed from coarse to fine, BN, ReLU, and a 1x1 convolution.

    A twin of the heads for classes: the convolutions are 1x1 where there are several maps, as in the multi-scale head,
    and 3x3 on a single one, as in DeepLabV3+ and Space Engage.

    Args:
        channels: channels of the maps, finest first.
        width: hidden channels.
        dimension: channels of the representation.
    """

    def __init__(self, channels: Sequence[int], width: int, dimension: int) -> None:
        super().__init__()
        kernel = 3 if len(channels) == 1 else 1
        self.hidden = nn.ModuleList(
            nn.Conv2d(each, width, kernel, padding=kernel // 2, bias=False) for each in channels
        )
        self.norm = nn.BatchNorm2d(width)
        self.project = nn.Conv2d(width, dimension, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Maps (B, C_i, h_i, w_i), finest first, to representations (B, dimension, h_0, w_0)."""
        *finer, hidden = (conv(each) for conv, each in zip(self.hidden, features, strict=True))
        for each in reversed(finer):
            height, width = each.shape[-2:]
            hidden = each + resize(hidden, (height, width))
        return self.project(F.relu(self.norm(hidden), inplace=True))
