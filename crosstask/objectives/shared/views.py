"""Strong views of a batch: the images the student sees where the teacher labelled the weak ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from crosstask.data.transforms.photometric import Strong
from crosstask.ops.mixing import half_of_classes, rectangles
from crosstask.ranges import Hue, Positive, Share


@dataclass(frozen=True)
class StrongView:
    """How strong views are made: images of the batch are mixed, then each is recoloured. Geometry stays as it is, so
    that maps of the weak view hold for the strong one. Images stay floats; nothing passes through 8 bits.

    Args:
        mix: ``cutmix`` pastes a rectangle of half the area of the next image of the batch, ``classmix`` keeps a half of
            the classes and takes the rest from the next image, ``cutout`` blanks a rectangle of half the area.
        jitter: how far brightness, contrast and saturation change.
        hue: how far the hue changes, as a part of a full circle.
        jitter_p: how often colours are jittered.
        grey_p: how often an image becomes grey.
        blur_p: how often an image is blurred.
        blur: range of the blur's sigma, in pixels.
    """

    mix: Literal["none", "cutmix", "classmix", "cutout"] = "none"
    jitter: Share = 0.5
    hue: Hue = 0.25
    jitter_p: Share = 0.8
    grey_p: Share = 0.2
    blur_p: Share = 0.5
    blur: tuple[Positive, Positive] = (0.1, 2.0)

    def __call__(self, images: Tensor, generator: torch.Generator, labels: Tensor | None = None) -> View:
        """A view of a batch.

        Args:
            images: (B, 3, H, W) in [0, 1].
            generator: the only source of randomness.
            labels: (B, H, W) int64, the classes that ``classmix`` cuts along.
        """
        keep = self._mask(images, generator, labels)
        mixed = View(images, keep, self.mix == "cutout").move(images, 0.0)
        colours = Strong(self.jitter, self.jitter_p, self.grey_p, self.blur_p, self.blur, self.hue)
        strong = torch.empty_like(images)
        for index, image in enumerate(mixed):
            strong[index] = colours.recolour(image, generator)
        return View(strong, keep, self.mix == "cutout")

    def _mask(self, images: Tensor, generator: torch.Generator, labels: Tensor | None) -> Tensor | None:
        if self.mix == "none":
            return None
        if self.mix == "classmix":
            if labels is None:
                raise ValueError("classmix cuts along classes: give labels")
            return half_of_classes(labels, generator)
        height, width = images.shape[-2:]
        return ~rectangles(len(images), (height, width), generator).to(images.device)


class View(NamedTuple):
    """A strong view.

    Attributes:
        images: (B, 3, H, W).
        keep: (B, H, W) bool, the pixels an image kept of its own; None for all.
        blank: whether the others are blank, rather than those of the next image.
    """

    images: Tensor
    keep: Tensor | None
    blank: bool

    def move(self, maps: Tensor, unknown: float) -> Tensor:
        """Maps (B, H, W) or (B, C, H, W) of the weak view as they are in this one; blank pixels are ``unknown``."""
        if self.keep is None:
            return maps
        keep = self.keep if maps.ndim == 3 else self.keep[:, None]
        return maps.where(keep, maps.new_tensor(unknown) if self.blank else maps.roll(-1, 0))
