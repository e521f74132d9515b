"""Labels and predictions as pictures: uint8 RGB (3, H, W). What is unknown is grey."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from crosstask.tasks.legend import Colour, Legend, Range
from crosstask.tasks.palette import UNKNOWN

GREY = UNKNOWN[0]
"""The grey of what is unknown."""

_STEPS = 16
_PALE, _DEEP = (238, 241, 245), (130, 185, 240)
_RAMP = [
    (68, 1, 84), (71, 44, 122), (59, 81, 139), (44, 113, 142), (33, 144, 141), (39, 173, 129), (92, 200, 99),
    (170, 220, 50), (253, 231, 37),
]  # fmt: skip


class Chip(NamedTuple):
    """A name with a number: a tag and its probability, say.

    Attributes:
        name: the name.
        text: the number for people.
        strength: the number in [0, 1]; NaN where it is not known.
    """

    name: str
    text: str
    strength: float

    @property
    def known(self) -> bool:
        """Whether there is a value to show."""
        return not math.isnan(self.strength)

    @property
    def colour(self) -> Colour:
        """Grey where the number is not known, deeper for larger ones."""
        if not self.known:
            return UNKNOWN
        share = min(max(self.strength, 0.0), 1.0)
        red, green, blue = (round(a + (b - a) * share) for a, b in zip(_PALE, _DEEP, strict=True))
        return red, green, blue


def coloured(ids: Tensor, colours: Tensor) -> Tensor:
    """Ids (H, W) in ``colours`` (C, 3); negative ids are unknown."""
    grey = torch.full((1, 3), GREY, dtype=torch.uint8)
    return torch.cat((colours, grey))[ids.cpu()].permute(2, 0, 1).contiguous()


def ramped(values: Tensor) -> Tensor:
    """Values (H, W) or (N,), clamped to [0, 1], from dark violet through green to yellow, evenly bright; NaN grey."""
    ramp = torch.tensor(_RAMP, dtype=torch.float32)
    known = ~values.isnan()
    position = values.cpu().float().nan_to_num(0).clamp(0, 1) * (len(ramp) - 1)
    below = position.long().clamp(max=len(ramp) - 2)
    colours = torch.lerp(ramp[below], ramp[below + 1], (position - below)[..., None])
    return _bytes(colours.movedim(-1, 0), known.cpu())


def shaded(values: Tensor) -> Tensor:
    """Values in [0, 1], (3, H, W) as colours or (1, H, W) as greys; NaN is unknown."""
    known = ~values.isnan().any(0).cpu()
    return _bytes(values.cpu().float().nan_to_num(0).clamp(0, 1).expand(3, -1, -1) * 255, known)


def percentiles(values: Sequence[Tensor]) -> Range | None:
    """The range that colours stand for: of the known positive values all but the lowest and the highest hundredth, and
    no outliers; None where no value is known.

    An outlier is farther from the middle half of the values than one and a half times the length of that half (Tukey,
    1977), of logarithms, where the half is at least from 1 to 1.5.
    """
    known = [value[value.isfinite() & (value > 0)].flatten().float() for value in values]
    found = torch.cat([each[:: max(each.numel() // 20_000, 1)] for each in known]) if known else torch.empty(0)
    if not found.numel():
        return None
    low, lower, upper, high = (float(found[: 1 << 24].log().quantile(share)) for share in (0.01, 0.25, 0.75, 0.99))
    reach = 1.5 * max(upper - lower, math.log(1.5))
    low, high = math.exp(max(low, lower - reach)), math.exp(min(high, upper + reach))
    return Range(low, high if high > low else low * 2)


def logarithmic(values: Tensor, within: Range) -> Tensor:
    """Positive values from 0 at the low end of the range to 1 at the high end, equal ratios equally far apart."""
    span = math.log(within.high / within.low)
    return (values / within.low).log() / span


def measured(values: Tensor, within: Range | None, near_bright: bool) -> Tensor:
    """A map of positive values (1, H, W) as a picture: a logarithmic ramp over a range, the map's own by default."""
    plane = values.as_subclass(Tensor)[0]
    within = within or percentiles([plane])
    shares = torch.full_like(plane, torch.nan) if within is None else logarithmic(plane, within)
    return ramped(1 - shares if near_bright else shares)


def measured_legend(values: Sequence[Tensor], within: Range | None, unit: str, near_bright: bool) -> Legend:
    """The legend of :func:`measured`; empty where no value is known."""
    within = within or percentiles([value.as_subclass(Tensor) for value in values])
    if within is None:
        return Legend()
    low, high = (f"{end:.2g} {unit}" for end in (within.low, within.high))
    return Legend(bar=_bar(near_bright), low=low, high=high, note="logarithmic")


def linear_legend(high: float, unit: str, note: str) -> Legend:
    """The legend of values from 0 to ``high`` and above, shown by :func:`ramped` after division by it."""
    after = unit if unit in ("", "°") else f" {unit}"
    return Legend(bar=_bar(False), low=f"0{after}", high=f"{high:g}{after} and more", note=note)


def _bar(near_bright: bool) -> tuple[Colour, ...]:
    steps = torch.linspace(0, 1, _STEPS)
    row = ramped(1 - steps if near_bright else steps)
    return tuple((int(r), int(g), int(b)) for r, g, b in row.T.tolist())


def directions(side: int) -> Tensor:
    """A ball that shows the colours of normals, uint8 (3, side, side): seen from the camera, x right, y up."""
    across = torch.linspace(-1, 1, side)
    x, y = across[None].expand(side, -1), -across[:, None].expand(-1, side)
    z = (1 - x.square() - y.square()).clamp(min=0).sqrt()
    inside = x.square() + y.square() <= 1
    colours = shaded((torch.stack((x, y, z)) + 1) / 2)
    return colours.where(inside, torch.tensor(255, dtype=torch.uint8))


def fitted(picture: Tensor, size: tuple[int, int] | None) -> Tensor:
    """The picture at ``size`` (H, W), to the nearest pixel."""
    if size is None or tuple(picture.shape[-2:]) == tuple(size):
        return picture
    return F.interpolate(picture[None].float(), size=tuple(size), mode="nearest-exact")[0].to(torch.uint8)


def card(chips: Sequence[Chip], size: tuple[int, int] | None) -> Tensor:
    """A card of chips, as many as fit; the stronger a chip's number, the deeper its colour.

    Args:
        chips: see :class:`Chip`.
        size: (H, W) of the card.
    """
    from PIL import Image, ImageDraw, ImageFont

    height, width = size or (192, 256)
    image = Image.new("RGB", (width, height), (250, 250, 250))
    draw = ImageDraw.Draw(image)
    line = max(min(height // max(len(chips), 1), 26), 14)
    font = ImageFont.load_default(max(line - 8, 8))
    for row, chip in enumerate(chips[: max(height // line, 1)]):
        top, bottom = row * line + 1, min((row + 1) * line - 2, height - 1)
        text = f"{chip.name} {chip.text}".strip() if chip.known else f"{chip.name} ?".strip()
        right = min(round(font.getlength(text)) + 14, width - 2)
        if bottom > top:
            draw.rounded_rectangle((2, top, right, bottom), radius=(bottom - top) // 2, fill=chip.colour)
        draw.text((8, (top + bottom) // 2), text, fill=(20, 20, 20), font=font, anchor="lm")
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).contiguous()


def _bytes(colours: Tensor, known: Tensor) -> Tensor:
    return colours.round().where(known, float(GREY)).to(torch.uint8)
