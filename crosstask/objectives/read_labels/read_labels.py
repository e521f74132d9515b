"""Teachers that read the label that is there: T_s(image, y_t).

An image labelled for t says something about s that no comparison of predictions uses: where its classes change, depth
jumps, and its normals are those of its depth. So the same network learns to predict s from the image *and* the labels
of other tasks,

    L = 1 / N sum over images b of l_s(f(x_b + A({y_t : t in R_b})), y_s),       R_b a random part of the other labels,

where s is drawn from the labels of b that were given, R_b leaves each of the others out with probability ``drop`` (so
that f needs none of them), and A makes labels part of the image (:class:`LabelReader`). A label is never among the
inputs of its own prediction. Inputs may be labels that a network made, targets never are.

With random labels, images with two labels teach it directly. With one label each there are none, and predictions made
out of fold stand in for the other (``refine.teachers: labels``, :mod:`crosstask.rounds.crossfit`); fed with the *true*
label of t afterwards, f labels s. Nothing published known to us does this for partly labelled data; label
preparation as a second input goes back to stacking with cross-fitting (Wolpert, Neural Networks 1992).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from typing_extensions import override

from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.objectives.base import Objective, Step
from crosstask.objectives.read_labels.reader import LabelReader
from crosstask.tasks.base import Task
from crosstask.tasks.term import Term


class ReadLabels(Objective):
    """One term per task, each over the images whose label of it was drawn.

    >>> from crosstask.objectives.example import example
    >>> tasks, network, step = example()
    >>> list(ReadLabels(tasks, network)(step))
    ['semantic', 'depth', 'normals', 'room', 'objects', 'measures']

    Args:
        tasks: the tasks by name.
        network: whose predictions learn to read.
        width: channels of the reader.
        drop: how often a label is left out of the inputs.

    Raises:
        ValueError: ``drop`` is no probability.
    """

    additive = False  # which labels are read is drawn

    def __init__(
        self, tasks: Mapping[str, Task], network: MultiTaskNetwork, width: int = 16, drop: float = 0.3
    ) -> None:
        super().__init__()
        if not 0 <= drop <= 1:
            raise ValueError(f"drop is {drop}: give a probability")
        self.tasks, self.drop = dict(tasks), drop
        self.reader = LabelReader(tasks, width)

    @override
    def term_names(self) -> list[str]:
        return list(self.tasks)

    @override
    def forward(self, step: Step) -> dict[str, Term]:
        batch, device = step.batch, step.batch.images.device
        there = torch.stack([_any(task, batch.targets[name]) for name, task in self.tasks.items()], 1)
        made = torch.stack([batch.made.get(name, torch.zeros_like(there[:, 0])) for name in self.tasks], 1)
        draws, kept = (torch.rand(there.shape, generator=step.generator).to(device) for _ in range(2))
        given = there & ~made
        target = given & (
            draws.where(given, -1.0).argmax(1, keepdim=True) == torch.arange(len(self.tasks), device=device)
        )
        read = there & ~target & target.any(1, keepdim=True) & (kept >= self.drop)
        predictions = self.read(step.network, batch.images, batch.targets, read)
        terms = {}
        for index, (name, task) in enumerate(self.tasks.items()):
            weight = batch.weights.get(name)
            chosen = target[:, index].float()
            weight = chosen if weight is None else weight * chosen.reshape(-1, *[1] * (weight.ndim - 1))
            terms[name] = task.loss(predictions[name], batch.targets[name], weight)
        return terms

    def read(
        self, network: MultiTaskNetwork, images: Tensor, targets: Mapping[str, Tensor], read: Tensor
    ) -> dict[str, Tensor]:
        """Raw predictions of images (B, 3, H, W) with those labels that are ``read``, bool (B, T)."""
        chosen = dict(zip(self.tasks, read.unbind(1), strict=True))
        return network(images + self.reader(targets, chosen, (images.shape[-2], images.shape[-1])).to(images))


def _any(task: Task, target: Tensor) -> Tensor:
    known = task.known(target).as_subclass(Tensor)
    return known.reshape(len(known), -1).any(1)
