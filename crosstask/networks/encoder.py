"""What an encoder is: images in, feature maps out, finest first."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Encoder(nn.Module):
    """Turns normalised images into feature maps. The network around it normalises, with ``mean`` and ``std``.

    Attributes:
        channels: channels of each feature map, finest first.
        strides: how many image pixels one feature pixel spans along a side; never decreasing.
        multiple: image height and width must be multiples of this.
        mean: per colour, subtracted from RGB in [0, 1].
        std: per colour, what the difference is divided by.
    """

    channels: list[int]
    strides: list[int]
    multiple: int
    mean: Sequence[float] = IMAGENET_MEAN
    std: Sequence[float] = IMAGENET_STD

    @property
    def last(self) -> nn.Module:
        """What is nearest to the heads; the layer made last is the last of it."""
        return self

    def forward(self, images: Tensor) -> list[Tensor]:
        """Normalised images (B, 3, H, W) to maps (B, C_i, H/s_i, W/s_i)."""
        raise NotImplementedError
