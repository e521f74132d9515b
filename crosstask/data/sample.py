"""What travels from files to the network: samples and batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate, get_worker_info
from torchvision import tv_tensors

from crosstask.tasks.targets import Regions, Target


@dataclass(frozen=True)
class Sample:
    """One image and what is known of it.

    Attributes:
        id: identifies the sample in messages and results.
        image: float RGB in [0, 1], (3, H, W).
        targets: one target per task of the recipe, unknown where there is no label.
        regions: region ids (H, W) int32, -1 none.
        intrinsics: fx, fy, cx, cy in pixels; NaN where unknown. The centre of pixel (row 0, column 0) is at (0, 0), so
            the ray of pixel (u, v) is ((u - cx) / fx, (v - cy) / fy, 1) with x right, y down, z forward.
        weights: optional confidence per task, (H, W) or ().
        hidden: labels that exist but may not be trained on, unknown where ``targets`` has them; only there to measure
            pseudo-labels with, and empty unless asked for.
        view: a second view of the same image, with its own labels and regions; where it is asked for.
        made: the tasks whose label was made by a network, not given.
    """

    id: str
    image: tv_tensors.Image
    targets: dict[str, Target]
    regions: Regions | None = None
    intrinsics: Tensor = field(default_factory=lambda: torch.full((4,), float("nan")))
    weights: dict[str, Target] = field(default_factory=dict)
    hidden: dict[str, Target] = field(default_factory=dict)
    view: Sample | None = None
    made: frozenset[str] = frozenset()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image."""
        return self.image.shape[-2], self.image.shape[-1]

    def map(self, function: Callable[[Any], Any]) -> Sample:
        """Apply ``function`` (a torchvision functional, say) to the image and to everything that moves with it."""
        return replace(
            self,
            image=function(self.image),
            targets={name: function(target) for name, target in self.targets.items()},
            regions=None if self.regions is None else function(self.regions),
            weights={name: function(weight) for name, weight in self.weights.items()},
            hidden={name: function(target) for name, target in self.hidden.items()},
        )


@dataclass
class Batch:
    """Samples of one size, stacked.

    Attributes:
        images: (B, 3, H, W) float.
        targets: one tensor per task, (B, ...); unknown entries are NaN or -1.
        ids: the ids of the samples.
        regions: (B, H, W) int32, or None when no sample has any (-1 for those without).
        intrinsics: (B, 4) float, NaN where unknown.
        weights: per task (B, H, W) or (B,); 1 where a sample gives none. Only tasks for which some sample has any.
        hidden: like ``targets``, the labels that may not be trained on; for measuring, and mostly empty.
        view: the same samples seen otherwise, with their own labels and regions; None where there is no second view.
        made: per task which labels were made by a network, not given, bool (B,); only tasks with any.
    """

    images: Tensor
    targets: dict[str, Tensor]
    ids: list[str]
    regions: Tensor | None
    intrinsics: Tensor
    weights: dict[str, Tensor]
    hidden: dict[str, Tensor] = field(default_factory=dict)
    view: Batch | None = None
    made: dict[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def weight_of(self, task: str, made: bool) -> Tensor | None:
        """The weights of the labels of a task that a network made, or of those that were given; the others have 0.

        (B, H, W) or (B,); None where there are neither weights nor labels to leave out.
        """
        weight, marks = self.weights.get(task), self.made.get(task)
        if marks is None:
            return torch.zeros(len(self), device=self.images.device) if made else weight
        chosen = (marks if made else ~marks).float()
        return chosen if weight is None else weight * chosen.reshape(-1, *[1] * (weight.ndim - 1))

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The batch on another device."""
        move = lambda tensor: tensor.to(device, non_blocking=non_blocking)  # noqa: E731
        return Batch(
            move(self.images),
            {name: move(target) for name, target in self.targets.items()},
            self.ids,
            None if self.regions is None else move(self.regions),
            move(self.intrinsics),
            {name: move(weight) for name, weight in self.weights.items()},
            {name: move(target) for name, target in self.hidden.items()},
            None if self.view is None else self.view.to(device, non_blocking),
            {name: move(made) for name, made in self.made.items()},
        )

    def pin_memory(self) -> Batch:
        """The batch in page-locked memory (called by the data loader)."""
        return Batch(
            self.images.pin_memory(),
            {name: target.pin_memory() for name, target in self.targets.items()},
            self.ids,
            None if self.regions is None else self.regions.pin_memory(),
            self.intrinsics.pin_memory(),
            {name: weight.pin_memory() for name, weight in self.weights.items()},
            {name: target.pin_memory() for name, target in self.hidden.items()},
            None if self.view is None else self.view.pin_memory(),
            {name: made.pin_memory() for name, made in self.made.items()},
        )


def _plain(tensor: Tensor) -> Tensor:
    return tensor.as_subclass(Tensor)


def _stack(tensors: list[Tensor]) -> Tensor:
    """``torch.stack``: by numpy, four times as fast; in a worker straight into memory the training process can see."""
    if get_worker_info() is None:
        return torch.from_numpy(np.stack([tensor.numpy() for tensor in tensors]))
    return default_collate(tensors)


def _require_alike(first: Sample, other: Sample) -> None:
    """A label or a view that only some samples have would be dropped."""
    for kept in ("targets", "hidden"):
        one, another = getattr(first, kept), getattr(other, kept)
        if one.keys() != another.keys():
            listed = f"{first.id} of {', '.join(one) or 'none'}, {other.id} of {', '.join(another) or 'none'}"
            raise ValueError(f"{kept} of different tasks, {listed}: give task.unknown(size) where there is no label")
    if (first.view is None) != (other.view is None):
        alone = first.id if other.view is None else other.id
        raise ValueError(f"{alone} has a second view, other samples of the batch have none: give all of them one")


def collate(samples: Sequence[Sample]) -> Batch:
    """Stack samples of one image size into a batch.

    Raises:
        ValueError: the images differ in size, or some samples lack a target or a second view that others have.
    """
    sizes = {sample.size for sample in samples}
    if len(sizes) > 1:
        listed = ", ".join(f"{sample.id} {sample.size[0]}x{sample.size[1]}" for sample in samples[:4])
        raise ValueError(f"a batch needs images of one size, found {listed}: set data.size")
    first = samples[0]
    size = first.size
    for sample in samples[1:]:
        _require_alike(first, sample)
    regions = None
    if any(sample.regions is not None for sample in samples):
        none = torch.full(size, Regions.UNKNOWN, dtype=torch.int32)
        regions = _stack([none if s.regions is None else _plain(s.regions) for s in samples])
    weights = {}
    for name in sorted({name for sample in samples for name in sample.weights}):
        shape = next(s.weights[name].shape for s in samples if name in s.weights)
        ones = torch.ones(shape)
        weights[name] = _stack([_plain(s.weights[name]) if name in s.weights else ones for s in samples])
    return Batch(
        images=_stack([_plain(sample.image) for sample in samples]),
        targets={name: _stack([_plain(s.targets[name]) for s in samples]) for name in first.targets},
        ids=[sample.id for sample in samples],
        regions=regions,
        intrinsics=_stack([sample.intrinsics for sample in samples]),
        weights=weights,
        hidden={name: _stack([_plain(s.hidden[name]) for s in samples]) for name in first.hidden},
        view=None if first.view is None else collate([s.view for s in samples if s.view is not None]),
        made={
            name: torch.tensor([name in s.made for s in samples])
            for name in sorted({name for s in samples for name in s.made})
        },
    )
