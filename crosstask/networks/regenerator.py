"""The conditional regeneration module: an encoder-decoder from a redacted image and maps to an image."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from crosstask.networks.blocks import conv_norm_relu, resize


class Regenerator(nn.Module):
    """Adds to images what is missing of them, from what is left of them and from maps.

    A convolution of images and one of maps, summed, then one per coarser stage, and one each back; what the stages on
    the way down gave is added on the way up. Images and maps are normalised each by themselves, so that the many
    channels of maps do not drown the image.

    Args:
        channels: of the maps.
        widths: channels of the stages, the first at full resolution, each at half that of the one before.

    Raises:
        ValueError: ``widths`` is empty.
    """

    def __init__(self, channels: int, widths: Sequence[int] = (16, 32, 64)) -> None:
        super().__init__()
        if not widths:
            raise ValueError("widths is empty: give the channels of at least one stage")
        self.image = conv_norm_relu(3, widths[0])
        self.maps = conv_norm_relu(channels, widths[0])
        self.down = nn.ModuleList(conv_norm_relu(finer, coarser, stride=2) for finer, coarser in pairwise(widths))
        self.up = nn.ModuleList(conv_norm_relu(coarser, finer) for finer, coarser in pairwise(widths))
        self.last = nn.Conv2d(widths[0], 3, 3, padding=1)

    def forward(self, images: Tensor, maps: Tensor) -> Tensor:
        """Images (B, 3, H, W) of any size and maps (B, channels, H, W) to images (B, 3, H, W)."""
        hidden = self.image(images) + self.maps(maps)
        passed = []
        for stage in self.down:
            passed.append(hidden)
            hidden = stage(hidden)
        for stage, finer in zip(reversed(self.up), reversed(passed), strict=True):
            hidden = finer + resize(stage(hidden), (finer.shape[-2], finer.shape[-1]))
        return images + self.last(hidden)
