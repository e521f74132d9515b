"""Encoders that train in seconds."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from crosstask.networks.blocks import conv_norm_relu
from crosstask.networks.encoder import Encoder


class Plain(Encoder):
    """Convolutions of stride 2, one after another.

    Args:
        widths: channels after each.
    """

    def __init__(self, widths: Sequence[int] = (16, 32, 48, 64)) -> None:
        super().__init__()
        self.channels, self.strides, self.multiple = (
            list(widths),
            [2 << i for i in range(len(widths))],
            1 << len(widths),
        )
        self.layers = nn.ModuleList(
            conv_norm_relu(inputs, outputs, stride=2) for inputs, outputs in zip((3, *widths), widths, strict=False)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = []
        for layer in self.layers:
            images = layer(images)
            maps.append(images)
        return maps


class Strips(Encoder):
    """A perceptron on a picture of vertical strips, each of one grey: a row of a table.

    Args:
        strips: how many there are.
        width: hidden units of its two layers.
    """

    def __init__(self, strips: int = 8, width: int = 32) -> None:
        super().__init__()
        self.channels, self.strides, self.multiple, self.strips = [width], [32], 32, strips
        self.layers = nn.Sequential(nn.Linear(strips, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())

    def forward(self, images: Tensor) -> list[Tensor]:
        greys = F.adaptive_avg_pool2d(images.mean(1, keepdim=True), (1, self.strips)).flatten(1)
        return [self.layers(greys)[:, :, None, None]]
