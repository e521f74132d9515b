"""An autoencoder of maps: strided convolutions to a latent map, and back."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from crosstask.networks.blocks import conv_norm_relu, resize


class Autoencoder(nn.Module):
    """Stages of two 3x3 convolutions with batch norm, the first of stride 2; mirrored, with bilinear enlargement. As an
    encoder-decoder it may give other maps than it takes.

    No connection passes the latent map by, so that it has to hold what the output needs.

    Args:
        channels: of the maps.
        widths: channels of the stages, each at half the resolution of the one before; the last is that of the latent
            map.
        outputs: channels of the maps that come out; those that go in where None.

    Attributes:
        encoder: maps (N, C, H, W) of any size to latent maps (N, D, H / 2^stages, W / 2^stages), rounded up.
    """

    def __init__(self, channels: int, widths: Sequence[int] = (16, 32, 64), outputs: int | None = None) -> None:
        super().__init__()
        if not widths:
            raise ValueError("widths is empty: give the channels of at least one stage")
        finer = (channels, *widths[:-1])
        self.encoder = nn.Sequential(
            *(
                nn.Sequential(conv_norm_relu(inputs, outputs, stride=2), conv_norm_relu(outputs, outputs))
                for inputs, outputs in zip(finer, widths, strict=True)
            )
        )
        coarser = [*zip(widths[1:], widths[:-1], strict=True), (widths[0], widths[0])]
        self.up = nn.ModuleList(conv_norm_relu(*pair) for pair in (*reversed(coarser[:-1]), coarser[-1]))
        self.last = nn.Conv2d(widths[0], channels if outputs is None else outputs, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, C, H, W) to maps (N, outputs, H, W), without an activation."""
        return self.both(maps)[1]

    def both(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """The latent maps of maps (N, C, H, W), and the maps (N, outputs, H, W) made of them, without an activation."""
        latent = self.encoder(maps)
        return latent, self.decode(latent, (maps.shape[-2], maps.shape[-1]))

    def decode(self, latent: Tensor, size: tuple[int, int]) -> Tensor:
        """Latent maps to maps (N, C, H, W) of ``size`` (H, W), without an activation."""
        sizes = [size]
        for _ in self.up[1:]:
            sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
        for stage, finer in zip(self.up, reversed(sizes), strict=True):
            latent = resize(stage(latent), finer)
        return self.last(latent)
