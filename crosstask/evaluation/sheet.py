"""An image and what was predicted of it, side by side, with what the colours mean underneath."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from crosstask.tasks.legend import Legend

_LINE = 18
_GAP = 4
_BOX = 12
_INK = (30, 30, 30)
_PAPER = (255, 255, 255)

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


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
        page.paste(_image(picture), (left, _LINE))
        left += width + _GAP
    return page


def stacked(parts: Sequence[Image.Image]) -> Image.Image:
    """Pictures one under the other."""
    page = Image.new("RGB", (max(part.width for part in parts), sum(part.height for part in parts)), _PAPER)
    top = 0
    for part in parts:
        page.paste(part, (0, top))
        top += part.height
    return page


def legend_strip(legends: Mapping[str, Legend], width: int) -> Image.Image:
    """What the colours of each task's pictures mean, in lines of at most ``width`` pixels.

    Args:
        legends: by task; those that say nothing are left out.
    """
    font = ImageFont.load_default(12)
    rows = [row for name, legend in legends.items() for row in _rows(name, legend, width, font)]
    return stacked(rows) if rows else Image.new("RGB", (width, 1), _PAPER)


def _rows(name: str, legend: Legend, width: int, font: Font) -> list[Image.Image]:
    if legend.swatches:
        return _swatches(name, legend, width, font)
    if not legend.bar and legend.picture is None:
        return []
    height = _LINE + 2 if legend.picture is None else legend.picture.shape[-2] + 4
    row = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(row)
    middle = height // 2
    left = _write(draw, 2, middle, f"{name}:", font)
    if legend.picture is not None:
        row.paste(_image(legend.picture), (left, 2))
        left += legend.picture.shape[-1] + _GAP
    else:
        left = _write(draw, left, middle, legend.low, font)
        step = max(120 // len(legend.bar), 1)
        for colour in legend.bar:
            draw.rectangle((left, middle - _BOX // 2, left + step - 1, middle + _BOX // 2), fill=colour)
            left += step
        left = _write(draw, left + _GAP, middle, legend.high, font)
    _write(draw, left + _GAP, middle, legend.note, font)
    return [row]


def _swatches(name: str, legend: Legend, width: int, font: Font) -> list[Image.Image]:
    rows: list[Image.Image] = []
    left = width
    for text, colour in legend.swatches:
        needed = _BOX + 3 * _GAP + int(font.getlength(text))
        if not rows or left + needed > width:
            rows.append(Image.new("RGB", (width, _LINE + 2), _PAPER))
            left = _write(ImageDraw.Draw(rows[-1]), 2, _LINE // 2, f"{name}:" if len(rows) == 1 else "", font)
        draw = ImageDraw.Draw(rows[-1])
        top = (_LINE - _BOX) // 2
        draw.rectangle((left, top, left + _BOX, top + _BOX), fill=colour, outline=(90, 90, 90))
        left = _write(draw, left + _BOX + _GAP, _LINE // 2, text, font) + _GAP
    return rows


def _write(draw: ImageDraw.ImageDraw, left: int, middle: int, text: str, font: Font) -> int:
    """Write and return where the next thing may begin."""
    draw.text((left, middle), text, fill=_INK, font=font, anchor="lm")
    return left + int(font.getlength(text)) + _GAP


def _image(picture: Tensor) -> Image.Image:
    return Image.fromarray(picture.permute(1, 2, 0).cpu().numpy())
