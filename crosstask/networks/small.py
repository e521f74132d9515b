"""A small encoder made to be trained from scratch on a CPU."""

from __future__ import annotations

from torch import Tensor, nn

from crosstask.networks.blocks import Residual, conv_norm_relu
from crosstask.networks.encoder import Encoder

GROWTH = (1, 2, 4, 6, 6)


class SmallEncoder(Encoder):
    """Residual stages at strides 2, 4, 8, 16 and 32, most of whose parameters sit where maps are small.

    Args:
        width: channels at stride 2; the other stages have 2, 4, 6 and 6 times as many.
        depth: residual blocks per stage.
    """

    def __init__(self, width: int = 16, depth: int = 1) -> None:
        super().__init__()
        if width < 1 or depth < 1:
            raise ValueError(f"width is {width} and depth {depth}: both must be at least 1")
        self.channels = [width * factor for factor in GROWTH]
        self.strides = [2 << stage for stage in range(len(GROWTH))]
        self.multiple = self.strides[-1]
        self.stem = conv_norm_relu(3, width, stride=2)
        self.stages = nn.ModuleList()
        inputs = width
        for stage, outputs in enumerate(self.channels):
            first = Residual(inputs, outputs, stride=2 if stage else 1)
            self.stages.append(nn.Sequential(first, *(Residual(outputs, outputs) for _ in range(depth - 1))))
            inputs = outputs
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = self.stem(images)
        features = []
        for stage in self.stages:
            maps = stage(maps)
            features.append(maps)
        return features
