"""Predicted classes drawn to the edges of the image when a network is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from crosstask.evaluation.inference import views_of
from crosstask.ops.mean_field import mean_field
from crosstask.tasks.base import Task
from crosstask.tasks.segmentation import Segmentation


class DrawnToEdges(nn.Module):
    """A network whose segmentations are refined by mean-field steps of a conditional random field, see
    :func:`~crosstask.ops.mean_field.mean_field`; takes its place in evaluation and prediction.

    Args:
        network: images (B, 3, H, W) to raw predictions by task, at the size of the images.
        tasks: the tasks of the network; those of other kinds stay as they are.
        steps: mean-field steps; papers that refine at test time take 10.

    Attributes:
        after_views: it works on the mean of the views of an image.

    Raises:
        ValueError: no step, or no segmentation to refine.
    """

    after_views = True

    def __init__(self, network: nn.Module, tasks: Mapping[str, Task], steps: int = 10) -> None:
        super().__init__()
        self.network, self.steps = network, steps
        self.tasks = {name: task for name, task in tasks.items() if isinstance(task, Segmentation)}
        if not 1 <= steps <= 1000:
            raise ValueError(f"mean-field steps are {steps}: give 1 to 1000, or leave them out")
        if not self.tasks:
            raise ValueError("mean-field steps refine segmentations, and the run has none: leave them out")

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Raw predictions for ``images`` (B, 3, H, W)."""
        return self._drawn(self.network(images), images)

    def views(self, images: Tensor) -> Iterator[dict[str, Tensor]]:
        """The same of each view that the network averages."""
        return (self._drawn(view, images) for view in views_of(self.network, images))

    def _drawn(self, predictions: Mapping[str, Tensor], images: Tensor) -> dict[str, Tensor]:
        outputs = dict(predictions)
        for name, task in self.tasks.items():
            probabilities = task.activate(outputs[name])
            drawn = mean_field(probabilities, images.to(probabilities.device), self.steps)
            outputs[name] = drawn.clamp(min=torch.finfo(drawn.dtype).tiny).log()
        return outputs
