"""A SegNet as an autoencoder of maps, as joint-task regularisation has it: values return to where pooling took them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from crosstask.networks.blocks import fit
from crosstask.networks.segnet import CONVOLUTIONS, stage


class SegNetEncoder(nn.Module):
    """The stages of a SegNet, each followed by 2x2 max pooling.

    Args:
        channels: of the maps.
        widths: channels of the five stages.
    """

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            stage(*sizes) for sizes in zip((channels, *widths[:-1]), widths, CONVOLUTIONS, strict=True)
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, C, H, W) to latent maps (N, D, H / 32, W / 32), rounded up."""
        return self.pooled(maps)[0]

    def pooled(self, maps: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Latent maps, and where each pooling found its values."""
        multiple = 2 ** len(self.stages)
        height, width = (-(-side // multiple) * multiple for side in maps.shape[-2:])
        maps, taken = fit(maps, (height, width)), []
        for each in self.stages:
            maps, places = F.max_pool2d(each(maps), 2, return_indices=True)
            taken.append(places)
        return maps, taken


class SegNetAutoencoder(nn.Module):
    """A SegNet from maps to the same maps.

    >>> import torch
    >>> autoencoder = SegNetAutoencoder(4, (2, 2, 2, 2, 3))
    >>> [tuple(each.shape) for each in autoencoder.both(torch.rand(2, 4, 48, 64))]
    [(2, 3, 2, 2), (2, 4, 48, 64)]

    Args:
        channels: of the maps.
        widths: channels of the five stages, finest first; the last is that of the latent map.

    Attributes:
        encoder: maps (N, C, H, W) of any size to latent maps (N, D, H / 32, W / 32), rounded up.

    Raises:
        ValueError: not five widths.
    """

    def __init__(self, channels: int, widths: Sequence[int] = (64, 128, 256, 512, 512)) -> None:
        super().__init__()
        if len(widths) != len(CONVOLUTIONS):
            raise ValueError(f"widths holds {len(widths)} numbers: a SegNet has {len(CONVOLUTIONS)} stages")
        self.encoder = SegNetEncoder(channels, widths)
        finer = (widths[0], *widths[:-1])
        self.up = nn.ModuleList(stage(*sizes) for sizes in zip(widths, finer, CONVOLUTIONS, strict=True))
        self.last = nn.Conv2d(widths[0], channels, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_normal_(module.weight)

    def both(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """The latent maps of maps (N, C, H, W), and the maps made of them, without an activation."""
        latent, taken = self.encoder.pooled(maps)
        outputs = latent
        for each, places in zip(reversed(self.up), reversed(taken), strict=True):
            outputs = each(F.max_unpool2d(outputs, places, (2, 2)))
        return latent, fit(self.last(outputs), (maps.shape[-2], maps.shape[-1]))
