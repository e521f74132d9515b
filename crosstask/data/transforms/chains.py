"""From a stored sample to what the network is shown: chains of transforms for training and for evaluation.

A transform is ``transform(sample, generator) -> Sample``; all its randomness comes from the generator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch

from crosstask.data.sample import Sample
from crosstask.data.transforms.draws import chance
from crosstask.data.transforms.geometry import Cover, Flip, Resize, ScaleCrop, SecondView, Size
from crosstask.data.transforms.photometric import ColourJitter, Strong
from crosstask.tasks.base import Task

__all__ = [
    "ColourJitter",
    "Compose",
    "Cover",
    "Flip",
    "Resize",
    "ScaleCrop",
    "SecondView",
    "Strong",
    "augmentation",
    "evaluation",
]

Transform = Callable[[Sample, torch.Generator], Sample]


class Compose:
    """Transforms one after the other.

    Args:
        transforms: in the order they are applied.
    """

    def __init__(self, *transforms: Transform) -> None:
        self.transforms = transforms

    def __call__(self, sample: Sample, generator: torch.Generator) -> Sample:
        """The sample after every transform, in order."""
        for transform in self.transforms:
            sample = transform(sample, generator)
        return sample


class StrongWhereMade:
    """A strong view of images with a label that a network made: the student sees less than its teacher did.

    Args:
        share: how often.
    """

    def __init__(self, share: float) -> None:
        self.share, self.strong = share, Strong()

    def __call__(self, sample: Sample, generator: torch.Generator) -> Sample:
        return self.strong(sample, generator) if sample.made and chance(generator, self.share) else sample


def augmentation(
    size: Size | None = None,
    zoom: Sequence[float] = (1.0, 1.5),
    flip: float = 0.5,
    colour: float = 0.2,
    second_view: bool = False,
    strong: float = 0.0,
    tasks: Mapping[str, Task] | None = None,
) -> Transform:
    """The transform of training images: a random window, a random flip, jittered colours.

    Args:
        size: (height, width) the network is trained at; None for that of each image.
        zoom: range of the zoom, or a list to choose from, see :class:`ScaleCrop`.
        flip: how often images are mirrored.
        colour: how far brightness, contrast and saturation change; hue by a quarter of it.
        strong: how often images with a label that a network made are shown in a strong view.
        second_view: also a second scale-crop, of the first, see :class:`SecondView`.
        tasks: those whose classes of the left and of the right change places in a mirrored image.
    """
    chain: list[Transform] = [ScaleCrop(size, zoom), Flip(flip, tasks)]
    if colour:
        chain.append(ColourJitter(colour, colour, colour, colour / 4))
    if strong:
        chain.append(StrongWhereMade(strong))
    if second_view:
        chain.append(SecondView(zoom))
    return Compose(*chain)


def evaluation(size: Size | None = None) -> Transform:
    """The transform of images that are measured: whole, at the scale at which training shows windows of
    ``size``, or as they are for None."""
    return Compose(Cover(size)) if size else Compose()
