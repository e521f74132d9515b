"""Transforms that move image, targets, regions, weights and intrinsics together.

Each comes as a function with fixed parameters (``crop_resize``, ``flip``) and as a callable that draws them from a
generator. Intrinsics follow the convention of :class:`~crosstask.data.sample.Sample`: the centre of the first pixel is
at (0, 0), so that a resize by s moves u to (u + 1/2) s - 1/2, a crop to u - left and a flip to W - 1 - u.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

from crosstask.data.sample import Sample
from crosstask.data.transforms.draws import chance, integer, uniform
from crosstask.tasks.base import Task
from crosstask.tasks.targets import Target, smooth_resize

Size = tuple[int, int]
"""Height and width in pixels."""

_WINDOWS = 16
"""The most windows of training whose pixels an image that is shown whole may have."""


def flip(sample: Sample, tasks: Mapping[str, Task] | None = None) -> Sample:
    """The horizontally mirrored sample; normals point the other way in x, cx becomes W - 1 - cx, and with ``tasks`` the
    classes of the left and of the right change places (:meth:`~crosstask.tasks.base.Task.exchanged`)."""
    fx, fy, cx, cy = sample.intrinsics.tolist()
    intrinsics = torch.tensor((fx, fy, sample.size[1] - 1 - cx, cy))
    mirrored = replace(sample.map(F.horizontal_flip), intrinsics=intrinsics)
    if not tasks:
        return mirrored
    exchanged = [
        {name: tasks[name].exchanged(target) if name in tasks else target for name, target in targets.items()}
        for targets in (mirrored.targets, mirrored.hidden)
    ]
    return replace(mirrored, targets=exchanged[0], hidden=exchanged[1])


def crop_resize(sample: Sample, top: int, left: int, height: int, width: int, size: Size, zoom: float = 1.0) -> Sample:
    """Cut a window out of the sample and resize it to ``size``.

    The window may reach beyond the image: the image is black there and every dense target unknown.

    Args:
        sample: what to cut from.
        top: first row of the window.
        left: first column of the window.
        height: rows of the window.
        width: columns of the window.
        size: (height, width) of the result.
        zoom: how many times closer the camera is taken to be: depth is divided by it, disparity multiplied. The scene
            shrinks by it as a whole, so points back-projected with the new intrinsics are the old ones over ``zoom``.
    """
    if (top, left, height, width) == (0, 0, *sample.size) and tuple(size) == sample.size:
        moved = sample
    else:
        window = partial(_window, top=top, left=left, height=height, width=width, size=size)
        moved = sample.map(window)
    if zoom != 1:
        moved = replace(moved, targets=_zoomed(moved.targets, zoom), hidden=_zoomed(moved.hidden, zoom))
    across, down = size[1] / width, size[0] / height
    fx, fy, cx, cy = sample.intrinsics.tolist()
    intrinsics = torch.tensor((fx * across, fy * down, (cx - left + 0.5) * across - 0.5, (cy - top + 0.5) * down - 0.5))
    return replace(moved, intrinsics=intrinsics)


def _window(tensor: Any, top: int, left: int, height: int, width: int, size: Size) -> Any:
    """``F.resized_crop``; an image that only grows is resized as labels are: the same, and twice as fast."""
    if isinstance(tensor, tv_tensors.Image) and height <= size[0] and width <= size[1]:
        cropped = F.crop(tensor, top, left, height, width)
        return tv_tensors.wrap(smooth_resize(cropped.as_subclass(Tensor), size), like=tensor)
    return F.resized_crop(tensor, top, left, height, width, list(size))


def _zoomed(targets: Mapping[str, Target], zoom: float) -> dict[str, Target]:
    return {name: target.zoomed(zoom).as_subclass(type(target)) for name, target in targets.items()}


class Resize:
    """Stretch the whole image to ``size``, whatever its aspect ratio; depths stay as they are.

    Args:
        size: (height, width) of the result.
    """

    def __init__(self, size: Size) -> None:
        self.size = size

    def __call__(self, sample: Sample, generator: torch.Generator) -> Sample:
        """The sample, its image, targets and regions moved together."""
        return crop_resize(sample, 0, 0, *sample.size, self.size)


def covering(own: Size, size: Size) -> Size:
    """Height and width of an image of size ``own`` once it is scaled so that ``size`` just fits into it: the scale of
    :class:`ScaleCrop` at zoom 1, whose window then is ``size``.

    Of an image longer than 16 such windows the scale is less, so that it has the pixels of 16.

    >>> covering((480, 640), (128, 160)), covering((30, 90), (30, 30))
    ((128, 171), (30, 90))
    """
    scale = max(size[0] / own[0], size[1] / own[1])
    scale = min(scale, math.sqrt(_WINDOWS * size[0] * size[1] / (own[0] * own[1])))
    return max(round(own[0] * scale), 1), max(round(own[1] * scale), 1)


class Cover:
    """Scale the whole image so that ``size`` just fits into it; depths stay as they are.

    Nothing is cut off and nothing added, so the result of an image of another aspect ratio is longer than ``size`` in
    one direction: objects have the scale and shape they have in training (:class:`ScaleCrop` at zoom 1).

    Args:
        size: (height, width) of the window that training shows.
    """

    def __init__(self, size: Size) -> None:
        self.size = size

    def __call__(self, sample: Sample, generator: torch.Generator) -> Sample:
        """The sample, its image, targets and regions moved together."""
        return crop_resize(sample, 0, 0, *sample.size, covering(sample.size, self.size))


class ScaleCrop:
    """Zoom into a random window, resized to ``size``.

    Zoom 1 is the largest window with the aspect ratio of ``size`` that fits into the image, whatever the size of the
    image; zoom z is a window z times smaller, rounded to whole pixels, anywhere within the image. Below 1 the window is
    larger than the image, which then lies anywhere within it. Depth is divided by z and disparity multiplied: the
    network sees the scene z times closer.

    Args:
        size: (height, width) of the result; None for that of the image.
        zoom: two numbers are the ends of a range to draw from, any other count is a list to choose from.

    Raises:
        ValueError: no zoom is given, or one is not positive.
    """

    def __init__(self, size: Size | None = None, zoom: Sequence[float] = (1.0, 1.5)) -> None:
        if not zoom or min(zoom) <= 0:
            raise ValueError(f"zoom is {list(zoom)}: give one or more positive numbers, (1.0, 1.5) say")
        self.size = size
        self.zoom = tuple(zoom)

    def __call__(self, sample: Sample, generator: torch.Generator) -> Sample:
        """The sample, its image, targets and regions moved together."""
        rows, columns = sample.size
        size = self.size or sample.size
        if len(self.zoom) == 2:
            zoom = uniform(generator, *self.zoom)
        else:
            zoom = self.zoom[integer(generator, 0, len(self.zoom) - 1)]
        scale = min(rows / size[0], columns / size[1]) / zoom
        height, width = max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)
        top = integer(generator, min(rows - height, 0), max(rows - height, 0))
        left = integer(generator, min(columns - width, 0), max(columns - width, 0))
        return crop_resize(sample, top, left, height, width, size, zoom)


class SecondView:
    """Gives a sample a second view, a :class:`ScaleCrop` of itself as it is now, labels and regions with it.

    The last of a chain of transforms.

    Args:
        zoom: see :class:`ScaleCrop`.
    """

    def __init__(self, zoom: Sequence[float] = (1.0, 1.5)) -> None:
        self.crop = ScaleCrop(None, zoom)

    def __call__(self, sample: Sample, generator: torch.Generator) -> Sample:
        """The sample, its image, targets and regions moved together."""
        return replace(sample, view=self.crop(sample, generator))


class Flip:
    """Mirror horizontally, see :func:`flip`.

    Args:
        p: how often.
        tasks: those whose classes of the left and of the right change places.
    """

    def __init__(self, p: float = 0.5, tasks: Mapping[str, Task] | None = None) -> None:
        self.p, self.tasks = p, tasks

    def __call__(self, sample: Sample, generator: torch.Generator) -> Sample:
        """The sample, its image, targets and regions moved together."""
        return flip(sample, self.tasks) if chance(generator, self.p) else sample
