"""A small encoder made to be trained from scratch on a CPU."""

from __future__ import annotations

from torch import Tensor, nn
from typing_extensions import override

from crosstask.networks.blocks import Residual, conv_norm_relu
from crosstask.networks.encoder import Encoder
from crosstask.ranges import Size

GROWTH = (1, 2, 4, 6, 6)
STRIDES = (2, 4, 8, 16, 32)


class SmallEncoder(Encoder):
    """Residual stages at strides 2, 4, 8, 16 and 32 (unless told), most of whose parameters sit where maps are small.

    Args:
        width: channels at stride 2; the other stages have 2, 4, 6 and 6 times as many.
        depth: residual blocks per stage.
        output_stride: the coarsest stride, 2 to 32; stages that would be coarser are dilated instead.
    """

    def __init__(self, width: Size = 16, depth: Size = 1, output_stride: Size = 32) -> None:
        super().__init__()
        if width < 1 or depth < 1:
            raise ValueError(f"width is {width} and depth {depth}: both must be at least 1")
        if output_stride not in STRIDES:
            raise ValueError(f"output_stride is {output_stride}: give one of {', '.join(map(str, STRIDES))}")
        self.channels = [width * factor for factor in GROWTH]
        self.strides = [min(stride, output_stride) for stride in STRIDES]
        self.multiple = self.strides[-1]
        self.stem = conv_norm_relu(3, width, stride=2)
        self.stages = nn.ModuleList()
        inputs, before = width, self.strides[0]
        for outputs, stride, plain in zip(self.channels, self.strides, STRIDES, strict=True):
            dilation = plain // stride
            first = Residual(inputs, outputs, stride // before, dilation)
            rest = (Residual(outputs, outputs, dilation=dilation) for _ in range(depth - 1))
            self.stages.append(nn.Sequential(first, *rest))
            inputs, before = outputs, stride
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @override
    def forward(self, images: Tensor) -> list[Tensor]:
        maps = self.stem(images)
        features = []
        for stage in self.stages:
            maps = stage(maps)
            features.append(maps)
        return features
