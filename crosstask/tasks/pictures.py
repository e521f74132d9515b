"""Labels and predictions as pictures: uint8 RGB (3, H, W). What is unknown is grey."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

GREY = 128
"""The grey of what is unknown."""

_GOLDEN = (5**0.5 - 1) / 2
_SHADES = ((0.75, 0.95), (0.95, 0.65), (0.45, 0.85), (0.65, 0.5))
_RAMP = [
    (68, 1, 84), (71, 44, 122), (59, 81, 139), (44, 113, 142), (33, 144, 141), (39, 173, 129), (92, 200, 99),
    (170, 220, 50), (253, 231, 37),
]  # fmt: skip


def palette(count: int) -> Tensor:
    """Distinct colours, uint8 (count, 3): hues a golden angle apart, in turn bright, deep, pale and dark."""
    colours = [colorsys.hsv_to_rgb(index * _GOLDEN % 1, *_SHADES[index // 8 % len(_SHADES)]) for index in range(count)]
    return (torch.tensor(colours) * 255).round().to(torch.uint8)


def coloured(ids: Tensor, colours: Tensor) -> Tensor:
    """Ids (H, W) in ``colours`` (C, 3); negative ids are unknown."""
    grey = torch.full((1, 3), GREY, dtype=torch.uint8)
    return torch.cat((colours, grey))[ids.cpu()].permute(2, 0, 1).contiguous()


def ramped(values: Tensor) -> Tensor:
    """Values (H, W), clamped to [0, 1], from dark violet through green to yellow, evenly bright; NaN is unknown."""
    ramp = torch.tensor(_RAMP, dtype=torch.float32)
    known = ~values.isnan()
    position = values.cpu().float().nan_to_num(0).clamp(0, 1) * (len(ramp) - 1)
    below = position.long().clamp(max=len(ramp) - 2)
    colours = torch.lerp(ramp[below], ramp[below + 1], (position - below)[..., None])
    return _bytes(colours.permute(2, 0, 1), known.cpu())


def shaded(values: Tensor) -> Tensor:
    """Values in [0, 1], (3, H, W) as colours or (1, H, W) as greys; NaN is unknown."""
    known = ~values.isnan().any(0).cpu()
    return _bytes(values.cpu().float().nan_to_num(0).clamp(0, 1).expand(3, -1, -1) * 255, known)


def octaves(values: Tensor, middle: float) -> Tensor:
    """Positive values on a logarithmic scale that is the same in every picture: 0 is a quarter of ``middle``, 1 is
    four times it."""
    return (values / middle).log2() / 4 + 0.5


def fitted(picture: Tensor, size: tuple[int, int] | None) -> Tensor:
    """The picture at ``size`` (H, W), to the nearest pixel."""
    if size is None or tuple(picture.shape[-2:]) == tuple(size):
        return picture
    return F.interpolate(picture[None].float(), size=tuple(size), mode="nearest-exact")[0].to(torch.uint8)


def card(bars: Sequence[tuple[str, str, float]], size: tuple[int, int] | None) -> Tensor:
    """A card of horizontal bars, as many as fit.

    Args:
        bars: the name, the value as text, and the length in [0, 1] of each; a NaN length is unknown.
        size: (H, W) of the card.
    """
    from PIL import Image, ImageDraw

    height, width = size or (192, 256)
    image = Image.new("RGB", (width, height), (250, 250, 250))
    draw = ImageDraw.Draw(image)
    line = max(min(height // max(len(bars), 1), 26), 12)
    for row, (name, text, length) in enumerate(bars[: max(height // line, 1)]):
        top, bottom = row * line + 1, min((row + 1) * line - 2, height - 1)
        unknown = np.isnan(length)
        end = round((width - 1) * (1.0 if unknown else float(np.clip(length, 0, 1))))
        if bottom >= top:
            draw.rectangle((0, top, end, bottom), fill=(GREY, GREY, GREY) if unknown else (150, 190, 235))
        draw.text((3, row * line + (line - 11) // 2), f"{name} {'?' if unknown else text}", fill=(20, 20, 20))
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).contiguous()


def _bytes(colours: Tensor, known: Tensor) -> Tensor:
    return colours.round().where(known, float(GREY)).to(torch.uint8)
