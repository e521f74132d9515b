"""Transforms of the colours of an image; targets stay as they are.

All work on one float image (3, H, W) in [0, 1] on any device, stay within [0, 1] and never pass through 8 bits. Each
has ``recolour(image, generator)`` for methods that make views of their own, beside the call on a whole sample.
"""

from __future__ import annotations

import abc
import math
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor
from torchvision import tv_tensors
from typing_extensions import override

from crosstask.data.sample import Sample
from crosstask.data.transforms.draws import chance, uniform

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the grey value (ITU-R BT.601)."""


class Photometric(abc.ABC):
    """A transform of the image alone."""

    @abc.abstractmethod
    def recolour(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Another version of ``image``, (3, H, W) float in [0, 1]."""

    def __call__(self, sample: Sample, generator: torch.Generator) -> Sample:
        """The sample with another light; targets stay."""
        image = self.recolour(sample.image.as_subclass(Tensor), generator)
        return replace(sample, image=tv_tensors.Image(image))


def grey(image: Tensor) -> Tensor:
    """The grey version of ``image``, in three equal channels."""
    return torch.tensordot(image.new_tensor(LUMA), image, dims=1).expand_as(image)


_GREY = np.array(LUMA)
_TO_CHROMA = np.array([_GREY, ([0, 0, 1] - _GREY) / (1 - LUMA[2]), ([1, 0, 0] - _GREY) / (1 - LUMA[0])])
"""From RGB to luma, blue less luma and red less luma, each scaled to a range of 1."""
_FROM_CHROMA = np.linalg.inv(_TO_CHROMA)


def _hue_turn(turn: float) -> np.ndarray:
    """The 3x3 matrix that turns colours about the grey axis by ``turn`` of a full circle and keeps their luma."""
    cos, sin = math.cos(2 * math.pi * turn), math.sin(2 * math.pi * turn)
    return _FROM_CHROMA @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]) @ _TO_CHROMA


def adjust(
    image: Tensor, brightness: float = 1.0, contrast: float = 1.0, saturation: float = 1.0, turn: float = 0.0
) -> Tensor:
    """Change the colours of ``image`` (3, H, W) by one affine map per pixel, clamped to [0, 1] at the end.

    With luma w, its mean m over the image, s = saturation and R the rotation of the chroma plane by ``turn``, a pixel x
    becomes

        brightness (contrast (s R + (1 - s) 1 w^T) x + (1 - contrast) m).

    Each factor alone is what torchvision computes for it (but for ``turn``: a rotation of chroma here, a shift of the
    HSV hue there). R keeps luma and greys, so without clamping in between the four commute: there is no order to draw.
    """
    pixels = image.flatten(1)
    matrix = brightness * contrast * (saturation * _hue_turn(turn) + (1 - saturation) * _GREY)
    out = torch.from_numpy(matrix).to(image) @ pixels
    if contrast != 1:
        out += brightness * (1 - contrast) * (image.new_tensor(LUMA) @ pixels.mean(1))
    return out.clamp_(0, 1).reshape(image.shape)


def blur(image: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of ``image`` (3, H, W) with ``sigma`` in pixels; edges are repeated outwards."""
    radius = math.ceil(3 * sigma)
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float64)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).to(image)
    padded = nnf.pad(image[:, None], (radius,) * 4, mode="replicate")
    across = nnf.conv2d(padded, kernel[None, None, None])
    return nnf.conv2d(across, kernel[None, None, :, None])[:, 0].clamp_(0, 1)


class ColourJitter(Photometric):
    """Random brightness, contrast, saturation and hue, see :func:`adjust`.

    Args:
        brightness: b draws a factor from [1 - b, 1 + b].
        contrast: the same for contrast.
        saturation: the same for saturation.
        hue: h turns colours by up to h of a full circle either way.
    """

    def __init__(
        self, brightness: float = 0.2, contrast: float = 0.2, saturation: float = 0.2, hue: float = 0.05
    ) -> None:
        self.spans = (brightness, contrast, saturation)
        self.hue = hue

    @override
    def recolour(self, image: Tensor, generator: torch.Generator) -> Tensor:
        brightness, contrast, saturation = (uniform(generator, max(1 - span, 0), 1 + span) for span in self.spans)
        return adjust(image, brightness, contrast, saturation, uniform(generator, -self.hue, self.hue))


class Strong(Photometric):
    """The strong view of methods in the manner of FixMatch: jitter, grey, blur, each at times.

    Args:
        jitter: how far brightness, contrast and saturation change.
        jitter_p: how often colours are jittered.
        grey_p: how often the image becomes grey.
        blur_p: how often the image is blurred.
        blur: range of the blur's sigma, in pixels.
        hue: how far the hue changes, as a part of a full circle; by default half of ``jitter``.
    """

    def __init__(
        self,
        jitter: float = 0.5,
        jitter_p: float = 0.8,
        grey_p: float = 0.2,
        blur_p: float = 0.5,
        blur: tuple[float, float] = (0.1, 2.0),
        hue: float | None = None,
    ) -> None:
        self.jitter = ColourJitter(jitter, jitter, jitter, jitter / 2 if hue is None else hue)
        self.jitter_p = jitter_p
        self.grey_p = grey_p
        self.blur_p = blur_p
        self.blur = blur

    @override
    def recolour(self, image: Tensor, generator: torch.Generator) -> Tensor:
        if chance(generator, self.jitter_p):
            image = self.jitter.recolour(image, generator)
        if chance(generator, self.grey_p):
            image = grey(image)
        if chance(generator, self.blur_p):
            image = blur(image, uniform(generator, *self.blur))
        return image
