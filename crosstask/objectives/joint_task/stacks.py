"""How maps of dense tasks enter one stack of values in [0, 1], and what their reconstruction from it costs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from crosstask.tasks.base import Task
from crosstask.tasks.selection import full_precision


class Entry:
    """One task's channels of a stack: its maps as other networks read them; L1 after a sigmoid.

    Args:
        task: the task.
    """

    def __init__(self, task: Task) -> None:
        self.task = task

    def predicted(self, prediction: Tensor) -> Tensor:
        """A raw prediction as values, (n, C, H, W)."""
        return self.task.embed(prediction)

    def sampled(self, prediction: Tensor, generator: torch.Generator) -> Tensor:
        """A raw prediction as it stands in for a label, (n, C, H, W)."""
        return self.predicted(prediction)

    def labelled(self, target: Tensor) -> Tensor:
        """A target as values, (n, C, H, W); anything where it is not known."""
        return self.task.embed_target(target)

    def error(self, output: Tensor, values: Tensor) -> Tensor:
        """What the output (n, C, H, W) of a decoder costs per pixel, (n, H, W)."""
        return (output.sigmoid() - values).abs().mean(1)


class Probabilities(Entry):
    """Values that are probabilities; binary cross-entropy."""

    @override
    def error(self, output: Tensor, values: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(output, values, reduction="none").mean(1)


class Classes(Probabilities):
    """Probabilities, a label one-hot; in place of a label a class drawn from them, with the gradient of the
    probabilities at temperature 1 (straight-through Gumbel-softmax)."""

    @override
    def sampled(self, prediction: Tensor, generator: torch.Generator) -> Tensor:
        uniform = torch.rand(prediction.shape, generator=generator).clamp(1e-9, 1 - 1e-7).to(prediction.device)
        soft = (full_precision(prediction) - (-uniform.log()).log()).softmax(1)
        hard = torch.zeros_like(soft).scatter(1, soft.argmax(1, keepdim=True), 1.0)
        return hard + soft - soft.detach()


class Depth(Entry):
    """The share of depths that are smaller, were they normally distributed."""

    def __init__(self, task: Task, mean: float, deviation: float) -> None:
        super().__init__(task)
        self.mean, self.deviation = mean, deviation

    @override
    def predicted(self, prediction: Tensor) -> Tensor:
        return self.labelled(self.task.activate(prediction))

    @override
    def labelled(self, target: Tensor) -> Tensor:
        return torch.special.ndtr((target - self.mean) / self.deviation)


class Directions(Entry):
    """(n + 1) / 2 of unit vectors; 1 - cosine."""

    @override
    def error(self, output: Tensor, values: Tensor) -> Tensor:
        return 1 - F.cosine_similarity(output, 2 * values - 1, dim=1)


ENTRIES: dict[str, type[Entry]] = {"segmentation": Classes, "saliency": Probabilities, "normals": Directions}
"""By kind of task; others enter as :class:`Entry`, depth as :class:`Depth` of its own statistics."""
