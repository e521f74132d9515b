"""The few building blocks the networks share."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def conv_norm_relu(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Convolution that keeps the size (divided by ``stride``), batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, dilation * (kernel // 2), dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resize (corners not aligned) of maps (B, C, h, w) to ``size`` (H, W); free where they fit."""
    if not torch.compiler.is_exporting() and maps.shape[-2:] == size:
        return maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def fit(maps: Tensor, size: tuple[int, int], mode: str = "constant") -> Tensor:
    """Maps (B, C, h, w) padded (``mode`` of ``F.pad``) or cropped to ``size`` (H, W) on the right and at the bottom.

    Free where they fit; a program being exported gets the operation all the same, so that it takes any size. (A slice
    cannot be exported for sizes where it may or may not be the whole.)
    """
    height, width = maps.shape[-2:]
    if not torch.compiler.is_exporting() and (height, width) == size:
        return maps
    return F.pad(maps, (0, size[1] - width, 0, size[0] - height), mode=mode)


class Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut, which is averaged and projected where stride or channels change."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *conv_norm_relu(inputs, outputs, stride=stride, dilation=dilation),
            nn.Conv2d(outputs, outputs, 3, padding=dilation, dilation=dilation, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            pool = [nn.AvgPool2d(stride)] if stride > 1 else []
            project = [nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
            self.shortcut = nn.Sequential(*pool, *project)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        return F.relu(self.body(maps) + self.shortcut(maps), inplace=True)
