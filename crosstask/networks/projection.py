"""A head for representations: feature maps to vectors that are compared, not read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from crosstask.networks.blocks import resize


@dataclass(frozen=True)
class Representation:
    """The head for representations. The published one has 256 channels throughout and reads one map, the joint one of
    DeepLabV3+.

    Args:
        width: its hidden channels.
        dimension: channels of a representation.
        maps: how many of the network's feature maps it reads, finest first; all where null.
    """

    width: int = 64
    dimension: int = 64
    maps: int | None = None


class Projection(nn.Module):
    """A 3x3 convolution of each map, summed at the size of the finest, BN, ReLU, and a 1x1 convolution.

    On the finest map of a DeepLabV3+ decoder alone this is the representation head of Space Engage, a twin of its
    classifier.

    Args:
        channels: channels of the maps, finest first.
        width: hidden channels.
        dimension: channels of the representation.
    """

    def __init__(self, channels: Sequence[int], width: int, dimension: int) -> None:
        super().__init__()
        self.hidden = nn.ModuleList(nn.Conv2d(each, width, 3, padding=1, bias=False) for each in channels)
        self.norm = nn.BatchNorm2d(width)
        self.project = nn.Conv2d(width, dimension, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Maps (B, C_i, h_i, w_i), finest first, to representations (B, dimension, h_0, w_0).

        Maps beyond those the head was made for are passed over.
        """
        maps = [conv(each) for conv, each in zip(self.hidden, features, strict=False)]
        size = maps[0].shape[-2:]
        hidden = maps[0]
        for each in maps[1:]:
            hidden = hidden + resize(each, (size[0], size[1]))
        return self.project(F.relu(self.norm(hidden), inplace=True))
