"""Networks that can be shown images of one size only, shown larger ones window by window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product

import torch
from torch import Tensor

from crosstask.data.transforms.geometry import Size
from crosstask.errors import DataError
from crosstask.tasks.base import Task


def by_windows(
    network: Callable[[Tensor], Mapping[str, Tensor]], images: Tensor, size: Size, tasks: Mapping[str, Task]
) -> dict[str, Tensor]:
    """Predictions for images (B, 3, H, W) at least as large as ``size``, averaged over the fewest windows of ``size``
    that cover them, evenly spread: per pixel for dense tasks, over all windows for image-level ones.

    Raises:
        DataError: the images are smaller than the windows.
    """
    height, width = images.shape[-2:]
    if height < size[0] or width < size[1]:
        raise DataError(
            f"an image shown at {height}x{width} is smaller than the {size[0]}x{size[1]} that the encoder takes: "
            "cut it, or use another encoder"
        )
    if (height, width) == tuple(size):
        return dict(network(images))
    total: dict[str, Tensor] = {}
    seen = torch.zeros(height, width, device=images.device)
    count = 0
    for top, left in product(_starts(height, size[0]), _starts(width, size[1])):
        place = (..., slice(top, top + size[0]), slice(left, left + size[1]))
        seen[place] += 1
        count += 1
        for name, output in network(images[place].contiguous()).items():
            if not tasks[name].dense:
                total[name] = total.get(name, torch.zeros_like(output)) + output
                continue
            if name not in total:
                total[name] = output.new_zeros(*output.shape[:2], height, width)
            total[name][place] += output
    return {name: output / (seen if tasks[name].dense else count) for name, output in total.items()}


def _starts(length: int, window: int) -> list[int]:
    """First pixels of the fewest windows that cover ``length``, evenly spread.

    >>> _starts(100, 40)
    [0, 30, 60]
    """
    steps = -(-length // window) - 1
    return [round(step * (length - window) / steps) for step in range(steps + 1)] if steps else [0]
