"""Running a network on images of any size: tiles for big ones, averages over scales and flips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from numbers import Integral

import torch
from torch import Tensor, nn

from crosstask.evaluation.scale import resized
from crosstask.tasks.base import Task


class Inference(nn.Module):
    """A network that is run several times per image; takes its place in evaluation, prediction and export.

    What is averaged are the *raw* predictions of the tasks: the mean of logits for classes (a normalised geometric mean
    of the probabilities), of the untransformed depth, of vectors before they are made unit length. So the result is a
    raw prediction too, and ``activate``, ``decide`` and the metrics apply to it as ever.

    A flipped view is flipped back the way labels of the task are: normals point the other way along x, a left arm is a
    right one (:meth:`~crosstask.tasks.base.Task.mirrored`).

    Other *scales* are other resolutions of the whole picture. What is shown ``s`` times as large looks ``s`` times
    nearer to a network: training with zoom teaches it so (:func:`~crosstask.data.transforms.geometry.crop_resize`),
    and a filter that has learnt sizes in pixels cannot tell otherwise. The camera has not moved, so that depth is
    multiplied by ``s`` before it is averaged, and disparity divided (:meth:`~crosstask.tasks.base.Task.zoomed`).

    Image-level tasks describe the whole image, of which a tile may hold nothing. Where an image is cut into tiles, they
    come from one more run on the whole image, shrunk until it fits into a tile.

    Args:
        network: images (B, 3, H, W) to raw predictions by task, at the size of the images.
        tasks: the tasks of the network.
        tile: side in pixels of the tiles into which bigger images are cut; None for whole images.
        overlap: pixels that neighbouring tiles share, over which they are blended linearly; a quarter tile by default.
        scales: resolutions to average over, 1 being that of the image.
        flip: also average over the mirrored image.

    Raises:
        ValueError: a tile, an overlap, a scale or a flip that cannot be.
    """

    def __init__(
        self,
        network: nn.Module,
        tasks: Mapping[str, Task],
        *,
        tile: int | None = None,
        overlap: int | None = None,
        scales: Sequence[float] = (1.0,),
        flip: bool = False,
    ) -> None:
        super().__init__()
        if tile is not None and (isinstance(tile, bool) or not isinstance(tile, Integral) or tile < 1):
            raise ValueError(f"tile is {tile!r:.80}: give a side in whole pixels, or leave it out for whole images")
        overlap = tile // 4 if tile is not None and overlap is None else overlap or 0
        if not 0 <= overlap <= (tile or 1) // 2:
            raise ValueError(f"overlap is {overlap}: give 0 to half the tile ({(tile or 1) // 2}) pixels")
        scales = tuple(scales)
        if not scales or not all(0 < scale < inf for scale in scales):
            raise ValueError(f"scales are {list(scales)}: give at least one, all above 0")
        if flip not in (True, False):
            raise ValueError(f"flip is {flip!r:.80}: give True or False")
        self.network = network
        self.tasks = tasks
        self.tile = tile
        self.overlap = overlap
        self.scales = scales
        self.flip = flip

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Raw predictions for ``images`` (B, 3, H, W), float32 where the network's are of lower precision.

        The tiles run where the network is; results are gathered where the images are.
        """
        views = self.views(images)
        outputs, count = next(views), 1
        for view in views:
            outputs, count = {name: output + view[name] for name, output in outputs.items()}, count + 1
        return {name: output / count for name, output in outputs.items()}

    def views(self, images: Tensor) -> Iterator[dict[str, Tensor]]:
        """Raw predictions of each view, one after the other, flipped and scaled back to the images."""
        for scale in self.scales:
            for flip in (False, True)[: 1 + self.flip]:
                yield self._seen(images, scale, flip)

    def _seen(self, images: Tensor, scale: float, flip: bool) -> dict[str, Tensor]:
        size = images.shape[-2:]
        scaled = tuple(max(1, round(side * scale)) for side in size)
        outputs = self._tiled(resized(images.flip(-1) if flip else images, scaled))
        for name, task in self.tasks.items():
            if task.dense:
                outputs[name] = resized(outputs[name], size)
            if scale != 1:
                outputs[name] = task.zoomed(outputs[name], 1 / scale)
            if flip:
                outputs[name] = task.mirrored(outputs[name])
        return outputs

    def _tiled(self, images: Tensor) -> dict[str, Tensor]:
        height, width = images.shape[-2:]
        if self.tile is None or max(height, width) <= self.tile:
            return self._run(images)
        side = (min(self.tile, height), min(self.tile, width))
        blend = _ramp(side[0], self.overlap)[:, None] * _ramp(side[1], self.overlap)
        blend = blend.to(images.device)
        total = torch.zeros(height, width, device=images.device)
        outputs: dict[str, Tensor] = {}
        dense = [name for name, task in self.tasks.items() if task.dense]
        if len(dense) < len(self.tasks):
            shrink = self.tile / max(height, width)
            whole = self._run(resized(images, (max(1, round(height * shrink)), max(1, round(width * shrink)))))
            outputs = {name: whole[name] for name in self.tasks if name not in dense}
        for top in _starts(height, side[0], self.overlap) if dense else []:
            for left in _starts(width, side[1], self.overlap):
                window = (..., slice(top, top + side[0]), slice(left, left + side[1]))
                tile = self._run(images[window])
                total[window] += blend
                for name in dense:
                    if name not in outputs:
                        outputs[name] = tile[name].new_zeros(*tile[name].shape[:2], height, width)
                    outputs[name][window] += tile[name] * blend
        return {name: outputs[name] / total if name in dense else outputs[name] for name in self.tasks}

    def _run(self, images: Tensor) -> dict[str, Tensor]:
        parameter = next(self.network.parameters(), images)
        outputs = self.network(images.to(parameter.device))
        return {
            name: outputs[name].to(images.device, torch.promote_types(outputs[name].dtype, torch.float32))
            for name in self.tasks
        }


def views_of(network: nn.Module, images: Tensor) -> Iterator[Mapping[str, Tensor]]:
    """Raw predictions of each view that a network averages, one after the other; of the one there is otherwise."""
    return network.views(images) if hasattr(network, "views") else iter([network(images)])  # type: ignore[operator]


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    """First pixels of the fewest tiles that cover ``length`` and share at least ``overlap`` pixels, evenly spread.

    >>> _starts(100, 40, 10)
    [0, 30, 60]
    """
    steps = -(-(length - tile) // max(tile - overlap, 1))
    return [round(step * (length - tile) / steps) for step in range(steps + 1)] if steps else [0]


def _ramp(length: int, overlap: int) -> Tensor:
    """Weights along a tile: 1 inside, falling linearly to just above 0 over ``overlap`` pixels at both ends."""
    index = torch.arange(length) + 0.5
    return (torch.minimum(index, length - index) / (overlap + 1)).clamp(max=1.0)
