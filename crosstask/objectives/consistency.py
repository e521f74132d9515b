"""Consistency under scale-crops, the semi-supervised baseline of Li et al. (CVPR 2022) and of JTR.

A second scale-crop of each image is predicted on its own; for tasks without a label it should agree with the same
window of the first prediction:

    L_t = mean over pixels of sum over channels ( v_t(crop(image)) - crop(v_t(image)) )^2

with v_t the task's values (probabilities, metres, unit vectors), depth divided by the zoom of the crop and disparity
multiplied. The first prediction is not learnt from. How the two papers weigh and measure theirs is not known to us.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

from crosstask.data.sample import Batch
from crosstask.data.transforms.draws import integer, uniform
from crosstask.errors import RecipeError
from crosstask.networks.blocks import resize
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.objectives.base import Objective, Step
from crosstask.objectives.shared.pairs import labelled
from crosstask.ranges import Positive
from crosstask.tasks.base import Task
from crosstask.tasks.targets import as_target
from crosstask.tasks.term import Term


class Window(NamedTuple):
    """A part of an image, and how much it is enlarged."""

    top: int
    left: int
    height: int
    width: int
    zoom: float

    def cut(self, maps: Tensor) -> Tensor:
        """The window of maps (C, H, W), enlarged to (C, H, W)."""
        part = maps[None, :, self.top : self.top + self.height, self.left : self.left + self.width]
        return resize(part, (maps.shape[-2], maps.shape[-1]))[0]


class ScaleCropConsistency(Objective):
    """Agreement of predictions for unlabelled dense tasks with those for a scale-crop; one term per task.

    A term is a mean over the images without a label of its task.

    >>> from crosstask.objectives.example import example
    >>> tasks, network, step = example()
    >>> terms = ScaleCropConsistency(tasks, network)(step)
    >>> {name: int(term.count) for name, term in terms.items()}
    {'semantic': 1, 'depth': 1, 'normals': 1}

    Args:
        zoom: two numbers are the ends of a range to draw from, any other count is a list to choose from; from 1.

    Raises:
        RecipeError: there is no dense task, or a zoom is less than 1.
    """

    additive = False  # windows are drawn

    def __init__(
        self, tasks: Mapping[str, Task], network: MultiTaskNetwork, zoom: Sequence[Positive] = (1.0, 1.2, 1.5)
    ) -> None:
        super().__init__()
        self.tasks = {name: task for name, task in tasks.items() if task.dense}
        if not self.tasks:
            raise RecipeError("objectives.consistency: there is no dense task: leave it out")
        if not zoom or not all(1 <= each < math.inf for each in zoom):
            raise RecipeError(f"objectives.consistency.zoom: expected numbers from 1, found {list(zoom)}")
        self.zoom = tuple(zoom)

    @override
    def term_names(self) -> list[str]:
        return list(self.tasks)

    @override
    def forward(self, step: Step) -> dict[str, Term]:
        images = step.batch.images
        windows = [self._window(images.shape[-2], images.shape[-1], step.generator) for _ in images]
        seen = step.network(torch.stack([window.cut(image) for window, image in zip(windows, images, strict=True)]))
        terms = {}
        for name, task in self.tasks.items():
            found = task.activate(seen[name])
            with torch.no_grad():
                values = task.activate(step.predictions[name].detach())
                expected = torch.stack(
                    [
                        _zoomed(task, window.cut(value), window.zoom)
                        for window, value in zip(windows, values, strict=True)
                    ]
                )
            errors = (found - expected).square().sum(1).mean((1, 2))
            unlabelled = self._unlabelled(step.batch, name)
            terms[name] = Term((errors * unlabelled).sum(), unlabelled.sum())
        return terms

    @override
    def counts(self, batch: Batch) -> dict[str, Tensor]:
        return {name: self._unlabelled(batch, name).sum() for name in self.tasks}

    def _unlabelled(self, batch: Batch, name: str) -> Tensor:
        return (~labelled(batch, {name: self.tasks[name]})[name]).float()

    def _window(self, rows: int, columns: int, generator: torch.Generator) -> Window:
        if len(self.zoom) == 2:
            zoom = uniform(generator, *self.zoom)
        else:
            zoom = self.zoom[integer(generator, 0, len(self.zoom) - 1)]
        height, width = max(int(rows / zoom), 1), max(int(columns / zoom), 1)
        return Window(integer(generator, 0, rows - height), integer(generator, 0, columns - width), height, width, zoom)


def _zoomed(task: Task, values: Tensor, zoom: float) -> Tensor:
    """Values (C, H, W) of a scene that the camera sees ``zoom`` times closer."""
    return as_target(task.target_type, values).zoomed(zoom).as_subclass(Tensor)
