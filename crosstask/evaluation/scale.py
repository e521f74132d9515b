"""Images of any size, shown to a network at the scale it knows; what it says brought back to their own size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from crosstask.tasks.base import Task

Size = tuple[int, int]
"""Height and width in pixels."""


class Shown(NamedTuple):
    """Images as a network is shown them.

    Attributes:
        images: (B, 3, h, w), the whole images scaled to just fit into ``size``, centred, black around.
        inner: height and width of what is theirs within.
        own: the size they came in.
    """

    images: Tensor
    inner: Size
    own: Size

    def back(self, maps: Tensor) -> Tensor:
        """Maps (B, C, h, w) of what was shown, as maps (B, C, H, W) of the images; values stay as they are: the camera
        has not moved, so neither depth nor disparity nor the intrinsics of the image change."""
        top, left = ((side - inner + 1) // 2 for side, inner in zip(self.images.shape[-2:], self.inner, strict=True))
        return resized(maps[..., top : top + self.inner[0], left : left + self.inner[1]], self.own)


def show(images: Tensor, size: Size | None) -> Shown:
    """Images (B, 3, H, W) scaled whole to just fit into ``size``, black around; as they are for None."""
    own = (images.shape[-2], images.shape[-1])
    if size is None or size == own:
        return Shown(images, own, own)
    scale = min(size[0] / own[0], size[1] / own[1])
    inner = (max(round(own[0] * scale), 1), max(round(own[1] * scale), 1))
    missing = [side - within for side, within in zip(size, inner, strict=True)]
    sides = [((gap + 1) // 2, gap // 2) for gap in reversed(missing)]
    return Shown(F.pad(resized(images, inner), [pad for side in sides for pad in side]), inner, own)


class AtScale(nn.Module):
    """A network that is shown images at one size and predicts at their own: what evaluation, prediction, rounds and
    reports use, so that what is measured is what is used.

    Args:
        network: images (B, 3, H, W) to raw predictions by task, at the size of the images; an
            :class:`~crosstask.evaluation.inference.Inference` for tiles, scales and flips, which are then relative to
            what is shown.
        tasks: the tasks, of which the network may predict some only.
        size: height and width to show images at; None for their own.
    """

    def __init__(self, network: nn.Module, tasks: Mapping[str, Task], size: Size | None) -> None:
        super().__init__()
        self.network, self.tasks, self.size = network, tasks, size

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Raw predictions of images (B, 3, H, W): (B, C, H, W) for a dense task, (B, C) for an image-level one."""
        shown = show(images, self.size)
        return self._back(shown, self.network(shown.images))

    def views(self, images: Tensor) -> Iterator[dict[str, Tensor]]:
        """The same of each view that the network averages, one after the other; of the one there is otherwise."""
        shown = show(images, self.size)
        several = getattr(self.network, "views", None)
        for outputs in [self.network(shown.images)] if several is None else several(shown.images):
            yield self._back(shown, outputs)

    def _back(self, shown: Shown, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {
            name: shown.back(output) if self.tasks[name].dense else output
            for name, output in outputs.items()
            if name in self.tasks
        }


def resized(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear, antialiased when shrinking; exactly ``maps`` where the size is theirs."""
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    shrinks = any(new < old for new, old in zip(size, maps.shape[-2:], strict=True))
    return F.interpolate(maps, size=tuple(size), mode="bilinear", align_corners=False, antialias=shrinks)
