"""Targets that follow from a label of another task: a depth map and the camera it was seen by say the normals.

Derived targets are made while training batches are, from the labels the protocol left, and exist nowhere else: they are
not labels of a data set, no evaluation sees one, and none is counted as a label that was used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from crosstask.data.loading.dataset import Dataset
from crosstask.data.sample import Sample
from crosstask.data.transforms.geometry import Size
from crosstask.errors import DataError, RecipeError, nearest
from crosstask.ops.geometry import normals_from_depth
from crosstask.tasks.base import Task
from crosstask.tasks.targets import as_target


def normals(depth: Tensor, intrinsics: Tensor, stride: int) -> Tensor:
    """Normals (3, H / stride, W / stride) of a depth map (1, H, W) of which every ``stride``-th pixel is looked at."""
    first = stride // 2
    thin = depth[..., first::stride, first::stride]
    return normals_from_depth(thin, (intrinsics - intrinsics.new_tensor([0, 0, first, first])) / stride)


DERIVATIONS: dict[tuple[str, str], Callable[[Tensor, Tensor, int], Tensor]] = {("normals", "depth"): normals}
"""By the kinds of the derived and of the labelled task: a function of the label, the intrinsics and a stride."""


class DeriveTargets:
    """A transform that fills targets from the label a sample has of another task.

    Applied first: what is derived then moves with the image as a label does, and no resampled depth is differentiated.
    A sample keeps the labels it was given; without known intrinsics nothing can be derived. A label that a network made
    (``TASK.source``) is no source, and gives way to what follows from a given one.

    Args:
        sources: for each derived task the task it is derived from, ``{"normals": "depth"}``.
        tasks: the tasks of the recipe by name.
        size: (height, width) of training images; of larger files only as many pixels are looked at as that has.

    Raises:
        RecipeError: a name is no task's, or nothing is known to follow for tasks of these kinds.
    """

    def __init__(self, sources: Mapping[str, str], tasks: Mapping[str, Task], size: Size) -> None:
        self.tasks, self.sources, self.size = dict(tasks), dict(sources), size
        self.functions = {}
        for name, source in sources.items():
            for given in (name, source):
                if given not in tasks:
                    raise RecipeError(f"data.derive: there is no task {given!r}; {nearest(given, tasks)}")
            kinds = tasks[name].kind, tasks[source].kind
            if kinds not in DERIVATIONS:
                known = ", ".join(f"{derived} from {label}" for derived, label in DERIVATIONS)
                raise RecipeError(
                    f"data.derive.{name}: {kinds[0]} cannot be derived from {kinds[1]} ({source}); what can be: {known}"
                )
            self.functions[name] = DERIVATIONS[kinds]

    def __call__(self, sample: Sample, generator: torch.Generator) -> Sample:
        """The sample with the targets that can be derived from those it has."""
        targets, weights, made = dict(sample.targets), dict(sample.weights), set(sample.made)
        stride = max(min(there // shown for there, shown in zip(sample.size, self.size, strict=True)), 1)
        for name, function in self.functions.items():
            label = sample.targets[self.sources[name]]
            wanted = name in sample.made or not targets[name].known().any()
            possible = self.sources[name] not in sample.made and label.known().any()
            if wanted and possible and sample.intrinsics.isfinite().all():
                kind = self.tasks[name].target_type
                derived = as_target(kind, function(label.as_subclass(Tensor), sample.intrinsics, stride))
                targets[name] = as_target(kind, derived.resized(sample.size))
                weights.pop(name, None)
                made.discard(name)
        return replace(sample, targets=targets, weights=weights, made=frozenset(made))

    def counts(self, dataset: Dataset) -> dict[str, int]:
        """How many samples get a derived target of each task; they were given none.

        Raises:
            DataError: there are labels to derive from, but no camera is known of any of them.
        """
        given, calibrated = dataset.given(), dataset.calibrated()
        place = {name: index for index, name in enumerate(self.tasks)}
        counts = {}
        for name, source in self.sources.items():
            possible = given[:, place[source]] & ~given[:, place[name]]
            counts[name] = int((possible & calibrated).sum())
            if possible.any() and not counts[name]:
                raise DataError(
                    f"data.derive.{name}: no image with a label of {source} has known intrinsics: give the columns "
                    "fx, fy, cx and cy in pixels (crosstask table --fx ...), or leave data.derive out"
                )
        return counts
