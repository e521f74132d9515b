"""The wide residual network of AffinityNet and AuxSegNet: "wider or deeper", model A1, at stride 8."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from crosstask.networks.encoder import Encoder
from crosstask.ranges import Size


class ResNet38d(Encoder):
    """Pre-activation residual blocks, the last stages dilated; one feature map of stride 8 and 64 ``width`` channels.

    With the published width 105.1 M parameters. Made to start from weights trained on ImageNet (``network.weights``).

    Args:
        width: channels of the first convolution.
        frozen: keep the first convolution and all batch normalisation (weights and statistics) as they were loaded, as
            the papers do.
    """

    def __init__(self, width: Size = 64, frozen: bool = False) -> None:
        super().__init__()
        if width < 4:
            raise ValueError(f"width is {width}: give at least 4, 64 as published")
        self.channels, self.strides, self.multiple = [64 * width], [8], 8
        self.frozen = frozen
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        blocks: list[nn.Module] = []
        inputs = width
        for outputs, count in ((2 * width, 3), (4 * width, 3), (8 * width, 6)):
            for stride in (2, *[1] * (count - 1)):
                blocks.append(Wide(inputs, outputs, outputs, stride))
                inputs = outputs
        for dilation in (1, 2, 2):
            blocks.append(Wide(inputs, 8 * width, 16 * width, 1, dilation, 2))
            inputs = 16 * width
        blocks += [Bottleneck(16 * width, 32 * width, 4, 0.3), Bottleneck(32 * width, 64 * width, 4, 0.5)]
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.BatchNorm2d(64 * width)
        if frozen:
            self.stem.requires_grad_(False)
            for norm in self._norms():
                norm.requires_grad_(False)

    @override
    def forward(self, images: Tensor) -> list[Tensor]:
        return [F.relu(self.norm(self.blocks(self.stem(images))))]

    @override
    def train(self, mode: bool = True) -> ResNet38d:
        super().train(mode)
        for norm in self._norms() if self.frozen else []:
            norm.train(False)
        return self

    def _norms(self) -> list[nn.BatchNorm2d]:
        return [module for module in self.modules() if isinstance(module, nn.BatchNorm2d)]


class _Block(nn.Module):
    """x + body(relu(norm(x))); where the shape changes, the shortcut is a 1x1 convolution of relu(norm(x)) instead."""

    def __init__(self, inputs: int, outputs: int, stride: int, body: nn.Sequential) -> None:
        super().__init__()
        self.norm, self.body = nn.BatchNorm2d(inputs), body
        same = inputs == outputs and stride == 1
        self.project = None if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        active = F.relu(self.norm(maps))
        return self.body(active) + (maps if self.project is None else self.project(active))


class Wide(_Block):
    """Two 3x3 convolutions."""

    def __init__(
        self, inputs: int, middle: int, outputs: int, stride: int = 1, first: int = 1, dilation: int = 1
    ) -> None:
        body = nn.Sequential(
            nn.Conv2d(inputs, middle, 3, stride, first, first, bias=False),
            nn.BatchNorm2d(middle),
            nn.ReLU(inplace=True),
            nn.Conv2d(middle, outputs, 3, 1, dilation, dilation, bias=False),
        )
        super().__init__(inputs, outputs, stride, body)


class Bottleneck(_Block):
    """1x1, dilated 3x3 and 1x1 convolutions to a quarter, a half and all of the channels, with dropout between."""

    def __init__(self, inputs: int, outputs: int, dilation: int, dropout: float) -> None:
        quarter, half = outputs // 4, outputs // 2
        body = nn.Sequential(
            nn.Conv2d(inputs, quarter, 1, bias=False),
            nn.BatchNorm2d(quarter),
            nn.ReLU(inplace=True),
            nn.Dropout2d(dropout),
            nn.Conv2d(quarter, half, 3, 1, dilation, dilation, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(inplace=True),
            nn.Dropout2d(dropout),
            nn.Conv2d(half, outputs, 1, bias=False),
        )
        super().__init__(inputs, outputs, 1, body)
