"""Labels made part of an image, so that any network can read them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from crosstask.tasks.base import Task


class LabelReader(nn.Module):
    """What labels add to an image: A(y) = W2 relu(W1 [embed(y_t) m_t, m_t for all t]), with 3x3 kernels.

    m_t is 1 where the label of t is read, and 0 elsewhere, so that an image without labels differs from one whose
    labels say nothing. W2 starts at zero: a network starts as if nothing could be read. Labels of whole images are
    read at every pixel.

    Args:
        tasks: the tasks whose labels are read.
        width: channels between the two.
    """

    def __init__(self, tasks: Mapping[str, Task], width: int = 16) -> None:
        super().__init__()
        self.tasks = dict(tasks)
        self.first = nn.Conv2d(sum(task.channels + 1 for task in tasks.values()), width, 3, padding=1)
        self.second = nn.Conv2d(width, 3, 3, padding=1, bias=False)
        nn.init.zeros_(self.second.weight)

    def forward(self, targets: Mapping[str, Tensor], read: Mapping[str, Tensor], size: tuple[int, int]) -> Tensor:
        """What is added to the images, (B, 3, H, W).

        Args:
            targets: labels by task, (B, ...).
            read: by task whose label is read, bool (B,).
            size: of the images, (H, W).
        """
        stack = [part for name in self.tasks for part in self._map(name, targets[name], read[name], size)]
        return self.second(self.first(torch.cat(stack, 1).to(self.first.weight)).relu())

    def _map(self, name: str, target: Tensor, read: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        task = self.tasks[name]
        known, values = task.known(target).as_subclass(Tensor), task.embed_target(target).as_subclass(Tensor)
        if not task.dense:
            known = known.reshape(len(known), -1).any(1)[:, None, None].expand(-1, *size)
            values = values[:, :, None, None].expand(-1, -1, *size)
        mask = (known & read[:, None, None])[:, None]
        return values.where(mask, 0.0), mask.to(values)
