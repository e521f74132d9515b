"""The decoder of DeepLabV3+: context at many scales, joined with fine detail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from typing_extensions import override

from crosstask.networks.blocks import conv_norm_relu, resize
from crosstask.networks.heads import Decoder, TaskModules, starting_at
from crosstask.ranges import Size
from crosstask.tasks.base import Task


class DeepLabV3Plus(Decoder):
    """Atrous spatial pyramid pooling on the coarsest map, enlarged and joined with the map of stride 4; per task a 3x3
    convolution, BN, ReLU and a 1x1 convolution.

    The refined features are the joined map (``width + detail`` channels) and the encoder's coarsest one, so that an
    objective can put a head of its own beside those of the tasks. The encoder should end at stride 8 or 16:
    ``encoder_options: {output_stride: 16}``. Training needs batches of two images or more, as batch normalisation
    follows the pooling over the image.

    One convolution per head, no dropout: the variant of Space Engage. Corners are not aligned when maps are enlarged,
    as everywhere in this package (the released code of that paper aligns them).

    Args:
        width: channels of each branch of the pyramid and of the heads.
        detail: channels to which the fine map is reduced.
        rates: dilations of the 3x3 branches; where null 6, 12, 18 for an encoder that ends at stride 16, and in
            proportion for others (12, 24, 36 at stride 8).
    """

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        tasks: Mapping[str, Task],
        width: Size = 256,
        detail: Size = 48,
        rates: list[Size] | None = None,
    ) -> None:
        super().__init__([width + detail, channels[-1]], [strides[0], strides[-1]], tasks)
        self.pyramid = Pyramid(channels[-1], width, rates or [max(1, 96 * step // strides[-1]) for step in (1, 2, 3)])
        self.detail = conv_norm_relu(channels[0], detail, kernel=1)
        self.heads = TaskModules(
            {
                name: nn.Sequential(
                    conv_norm_relu(width + detail, width), starting_at(task, nn.Conv2d(width, task.channels, 1))
                )
                for name, task in tasks.items()
            }
        )

    def refine(self, features: list[Tensor]) -> list[Tensor]:
        """[joined (B, width + detail, h, w), coarsest] of the encoder's maps."""
        fine, coarse = features[0], features[-1]
        height, width = fine.shape[-2:]
        context = resize(self.pyramid(coarse), (height, width))
        return [torch.cat([context, self.detail(fine)], dim=1), coarse]

    @override
    def forward(self, features: list[Tensor]) -> dict[str, Tensor]:
        return {name: head(features[0]) for name, head in self.heads.items()}


class Pyramid(nn.Module):
    """Atrous spatial pyramid pooling: a 1x1 convolution, dilated 3x3 ones and the average over the image, side by side,
    then a 1x1 convolution."""

    def __init__(self, inputs: int, width: int, rates: Sequence[int]) -> None:
        super().__init__()
        dilated = (conv_norm_relu(inputs, width, dilation=rate) for rate in rates)
        self.branches = nn.ModuleList([conv_norm_relu(inputs, width, kernel=1), *dilated])
        self.whole = conv_norm_relu(inputs, width, kernel=1)
        self.join = conv_norm_relu(width * (len(self.branches) + 1), width, kernel=1)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, width, h, w)."""
        whole = self.whole(maps.mean((-2, -1), keepdim=True)).expand(-1, -1, *maps.shape[-2:])
        return self.join(torch.cat([*(branch(maps) for branch in self.branches), whole], dim=1))
