"""The encoder-decoder of SegNet, as multi-task papers use it on NYU-v2 and Cityscapes."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from crosstask.networks.blocks import conv_norm_relu
from crosstask.networks.encoder import Encoder
from crosstask.ranges import Size

CONVOLUTIONS = (2, 2, 3, 3, 3)


class SegNet(Encoder):
    """VGG-16 without its classifier, and its mirror image that puts values back where pooling took them from.

    Gives the output of the decoder, at the size of the image, and the bottleneck at stride 32. With the decoder
    ``finest`` it is the *split* network of the papers (one head per task on a shared trunk), less the biases in front
    of batch normalisation, which do nothing: for 13 classes, depth and normals 25,048,017 parameters instead of
    25,055,185.

    Args:
        widths: channels of the five stages, finest first.
    """

    def __init__(self, widths: tuple[Size, Size, Size, Size, Size] = (64, 128, 256, 512, 512)) -> None:
        super().__init__()
        self.channels, self.strides, self.multiple = [widths[0], widths[-1]], [1, 32], 32
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        finer = (widths[0], *widths[:-1])
        for inputs, outputs, count in zip((3, *widths[:-1]), widths, CONVOLUTIONS, strict=True):
            self.down.append(stage(inputs, outputs, count))
        for inputs, outputs, count in zip(widths, finer, CONVOLUTIONS, strict=True):
            self.up.append(stage(inputs, outputs, count))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_normal_(module.weight)

    @property
    @override
    def last(self) -> nn.Module:
        return self.up[0]

    @override
    def forward(self, images: Tensor) -> list[Tensor]:
        maps, taken = images, []
        for stage in self.down:
            maps, places = F.max_pool2d(stage(maps), 2, return_indices=True)
            taken.append(places)
        bottleneck = maps
        for stage, places in zip(reversed(self.up), reversed(taken), strict=True):
            maps = stage(F.max_unpool2d(maps, places, (2, 2)))
        return [maps, bottleneck]


def stage(inputs: int, outputs: int, count: int) -> nn.Sequential:
    """Convolutions of 3x3 with batch norm, as many as ``count``, all of one resolution."""
    return nn.Sequential(conv_norm_relu(inputs, outputs), *(conv_norm_relu(outputs, outputs) for _ in range(count - 1)))
