"""An image and what was predicted of it, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

_LINE = 18
_GAP = 4
_INK = (30, 30, 30)
_PAPER = (255, 255, 255)


def fit(size: tuple[int, int], limit: int = 512) -> tuple[int, int]:
    """``size`` (H, W) shrunk so that neither side is above ``limit``."""
    scale = min(1.0, limit / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def shrunk(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Float RGB in [0, 1], (3, H, W), as uint8 RGB at ``size``."""
    if tuple(image.shape[-2:]) != tuple(size):
        image = F.interpolate(image[None], size=size, mode="bilinear", align_corners=False, antialias=True)[0]
    return (image * 255).round().clamp(0, 255).byte()


def sheet(panels: Sequence[tuple[str, Tensor]]) -> Image.Image:
    """Panels in a row, each under its caption.

    Args:
        panels: caption and uint8 RGB picture (3, H, W) of each.
    """
    font = ImageFont.load_default(12)
    widths = [max(picture.shape[-1], int(font.getlength(caption)) + 1) for caption, picture in panels]
    height = _LINE + max(picture.shape[-2] for _, picture in panels)
    page = Image.new("RGB", (sum(widths) + _GAP * (len(panels) - 1), height), _PAPER)
    draw = ImageDraw.Draw(page)
    left = 0
    for (caption, picture), width in zip(panels, widths, strict=True):
        draw.text((left + 1, 2), caption, fill=_INK, font=font)
        page.paste(Image.fromarray(picture.permute(1, 2, 0).cpu().numpy()), (left, _LINE))
        left += width + _GAP
    return page
