"""What a predictor that never looks at the image can reach: the training labels' mean at each place."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crosstask.data.labels.subsets import Subset
from crosstask.data.loading.dataset import Dataset
from crosstask.data.sample import Batch
from crosstask.tasks.base import Task

SAMPLE = 100
"""Labels of each task that a prior is made of where nobody asked for one."""


def sample(dataset: Dataset, count: int = SAMPLE) -> Dataset:
    """Some samples of a data set, at most ``count`` with a label of each task; always the same."""
    order = list(range(len(dataset)))
    random.Random(0).shuffle(order)
    labelled = dataset.labelled()[order]
    wanted = labelled & (labelled.cumsum(0) <= count)
    return Subset(dataset, sorted(order[index] for index in wanted.any(1).nonzero()[:, 0].tolist()))


class Prior(nn.Module):
    """Predicts the same for every image: per pixel the mean of the known training values (for classes the shares, so
    that the decision is the most frequent class), per image-level task their mean. Where no label knows a pixel, the
    mean over all pixels.

    Args:
        maps: raw prediction of each task, (C, H, W) or (C,).
    """

    def __init__(self, maps: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.maps = dict(maps)

    @classmethod
    def fit(cls, batches: Iterable[Batch], tasks: Mapping[str, Task], size: tuple[int, int]) -> Prior:
        """The prior of the labels in ``batches``.

        Args:
            batches: the training samples.
            tasks: the tasks.
            size: resolution (H, W) of the maps; labels of other sizes are resampled to it.
        """
        sums: dict[str, tuple[Tensor, Tensor]] = {}
        for batch in batches:
            for name, task in tasks.items():
                values = task.values(batch.targets[name]).double()
                if task.dense and values.shape[-2:] != torch.Size(size):
                    values = F.interpolate(values, size=size, mode="nearest-exact")
                known = ~values.isnan()
                total, count = values.nan_to_num(0).sum(0), known.sum(0)
                before = sums.get(name)
                sums[name] = (total, count) if before is None else (before[0] + total, before[1] + count)
        maps = {name: tasks[name].invert(_mean(total, count)).float() for name, (total, count) in sums.items()}
        return cls({name: value.nan_to_num() for name, value in maps.items()})  # the logarithm of no depth at all

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Raw predictions for ``images`` (B, 3, H, W), of which only the number and the size matter."""
        return {name: self._at(value, images) for name, value in self.maps.items()}

    def _at(self, value: Tensor, images: Tensor) -> Tensor:
        value = value.to(images.device)[None]
        if value.ndim == 4 and value.shape[-2:] != images.shape[-2:]:
            value = F.interpolate(value, size=images.shape[-2:], mode="bilinear", align_corners=False)
        return value.expand(len(images), *value.shape[1:])


def _mean(total: Tensor, count: Tensor) -> Tensor:
    axes = tuple(range(1, total.ndim))
    overall = total.sum(axes, keepdim=True) / count.sum(axes, keepdim=True).clamp(min=1)
    return torch.where(count > 0, total / count.clamp(min=1), overall)
