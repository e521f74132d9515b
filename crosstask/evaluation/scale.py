"""Images of any size, shown to a network at the scale it knows; what it says brought back to their own size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from crosstask.data.transforms.geometry import Size, covering
from crosstask.evaluation.windows import by_windows
from crosstask.tasks.base import Task
from crosstask.tasks.selection import full_precision


class Shown(NamedTuple):
    """Images as a network is shown them.

    Attributes:
        images: (B, 3, h, w), the whole images at the scale of training.
        own: the size they came in.
    """

    images: Tensor
    own: Size

    def back(self, maps: Tensor) -> Tensor:
        """Maps (B, C, h, w) of what was shown, as maps (B, C, H, W) of the images; values stay as they are: the camera
        has not moved, so neither depth nor disparity nor the intrinsics of the image change."""
        return resized(maps, self.own)


def show(images: Tensor, size: Size | None) -> Shown:
    """Images (B, 3, H, W) scaled whole so that ``size`` just fits into them, which is the scale at which training shows
    windows of ``size``; as they are for None."""
    own = (images.shape[-2], images.shape[-1])
    return Shown(images if size is None else resized(images, covering(own, size)), own)


class AtScale(nn.Module):
    """A network that is shown images at the scale of training and predicts at their own: what evaluation, prediction,
    rounds and reports use, so that what is measured is what is used.

    Args:
        network: images (B, 3, H, W) to raw predictions by task, at the size of the images; an
            :class:`~crosstask.evaluation.inference.Inference` for tiles, scales and flips, which are then relative to
            what is shown.
        tasks: the tasks, of which the network may predict some only.
        size: height and width of the window of training that just fits into what is shown; None to show images at
            their own size.
    """

    def __init__(self, network: nn.Module, tasks: Mapping[str, Task], size: Size | None) -> None:
        super().__init__()
        self.network, self.tasks, self.size = network, tasks, size

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Raw predictions of images (B, 3, H, W): (B, C, H, W) for a dense task, (B, C) for an image-level one."""
        shown = show(images, self.size)
        return self._back(shown, self._seen(shown.images))

    def views(self, images: Tensor) -> Iterator[dict[str, Tensor]]:
        """The same of each view that the network averages, one after the other; of the one there is otherwise."""
        shown = show(images, self.size)
        several = getattr(self.network, "views", None)
        if several is None or self._only() is not None:
            several = lambda seen: iter([self._seen(seen)])  # noqa: E731
        for outputs in several(shown.images):
            yield self._back(shown, outputs)

    def _seen(self, images: Tensor) -> Mapping[str, Tensor]:
        only = self._only()
        return self.network(images) if only is None else by_windows(self.network, images, only, self.tasks)

    def _only(self) -> Size | None:
        """The one size that the network's encoder can be shown, where there is one."""
        sizes = (getattr(module, "only", None) for module in self.network.modules())
        return next((size for size in sizes if isinstance(size, tuple)), None)

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
    whole = full_precision(maps) if shrinks else maps  # there is no antialiasing of bfloat16 on CPUs
    return F.interpolate(whole, size=tuple(size), mode="bilinear", align_corners=False, antialias=shrinks)
