"""Cosines between the gradient of an objective and the gradients of labels that were hidden from training.

For a task t with predictions p_t on the images whose label y_t is hidden, let

    h_t = d L_t(p_t, y_t) / d p_t          what the hidden label would have taught
    g_t = d L_objective / d p_t            what the objective teaches instead

The alignment *at the predictions* is cos(g_t, h_t) over all entries of those images; *at the weights* it is the cosine
of the two gradients with respect to all parameters of the network, which also sees what reaches a task through the
shared encoder, and objectives that look at the network through another view of the images. A step along an objective
whose cosine is c > 0 lowers the hidden loss as if c of its length had been spent on the hidden label itself (to first
order).

The control puts the hidden label of *another* image in the place of y_t: what an objective has in common with that is a
pull towards the average label, not knowledge of the image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from crosstask.data.sample import Batch
from crosstask.tasks.base import Task
from crosstask.tasks.term import Term
from crosstask.training.terms import share

PREDICTIONS, WEIGHTS = "predictions", "weights"
PLACES = (PREDICTIONS, WEIGHTS)


@dataclass(frozen=True)
class HiddenGradients:
    """What the hidden labels of one task would have taught on one batch.

    Attributes:
        images: positions of the images whose label is hidden, (n,).
        truth: gradients of the loss on the hidden labels by place: at the predictions of those images, at the weights.
        control: the same with each image's label exchanged for that of the next one; empty with fewer than two images.
    """

    images: Tensor
    truth: dict[str, Tensor]
    control: dict[str, Tensor]


def hidden_gradients(
    batch: Batch, predictions: Mapping[str, Tensor], tasks: Mapping[str, Task], parameters: Sequence[nn.Parameter]
) -> dict[str, HiddenGradients]:
    """The gradients of each task's hidden labels; tasks of which the batch hides none are left out.

    Args:
        batch: with ``hidden`` labels.
        predictions: raw predictions, part of a graph that reaches ``parameters``; the graph is kept.
    """
    found = {}
    for name, task in tasks.items():
        target = batch.hidden.get(name)
        if target is None:
            continue
        images = task.known(target).reshape(len(target), -1).any(1).nonzero()[:, 0]
        if not len(images):
            continue

        def gradients(
            labels: Tensor, task: Task = task, name: str = name, images: Tensor = images
        ) -> dict[str, Tensor]:
            loss = mean(task.loss(predictions[name][images], labels))
            return at_places(loss, predictions[name], images, parameters)

        hidden = target[images]
        control = gradients(hidden.roll(1, 0)) if len(images) > 1 else {}
        found[name] = HiddenGradients(images, gradients(hidden), control)
    return found


def objective_cosines(
    loss: Tensor,
    hidden: Mapping[str, HiddenGradients],
    predictions: Mapping[str, Tensor],
    parameters: Sequence[nn.Parameter],
) -> dict[tuple[str, str], tuple[float, float]]:
    """Cosine and control by task and place; NaN where the objective sends no gradient there.

    Args:
        loss: the objective's mean loss on the batch.
        hidden: see :func:`hidden_gradients`.
        predictions: those of ``hidden``; the graph is kept.
    """
    names = list(hidden)
    if not loss.requires_grad:
        return {(name, place): (float("nan"), float("nan")) for name in names for place in PLACES}
    sources = [predictions[name] for name in names]
    every = torch.autograd.grad(loss, [*sources, *parameters], retain_graph=True, allow_unused=True)
    weights = _flat(every[len(names) :], parameters)
    found = {}
    for name, gradient in zip(names, every, strict=False):
        own = hidden[name]
        sent = {WEIGHTS: weights}
        if gradient is not None:
            sent[PREDICTIONS] = gradient[own.images].flatten()
        for place in PLACES:
            vector = sent.get(place)
            found[name, place] = (cosine(vector, own.truth[place]), cosine(vector, own.control.get(place)))
    return found


def at_places(
    loss: Tensor, prediction: Tensor, images: Tensor, parameters: Sequence[nn.Parameter]
) -> dict[str, Tensor]:
    """The gradient of ``loss`` at a task's prediction on ``images`` and at the weights, each as one vector."""
    gradient, *others = torch.autograd.grad(loss, [prediction, *parameters], retain_graph=True, allow_unused=True)
    return {PREDICTIONS: gradient[images].flatten(), WEIGHTS: _flat(others, parameters)}


def cosine(first: Tensor | None, second: Tensor | None) -> float:
    """Cosine of two vectors; NaN where one is absent or zero."""
    if first is None or second is None:
        return float("nan")
    first, second = first.double(), second.double()
    lengths = first.norm() * second.norm()
    return float(first @ second / lengths) if lengths > 0 else float("nan")


def mean(term: Term) -> Tensor:
    """The mean loss of a term; an exact 0 where it counts nothing."""
    return share(term, term.count)


def _flat(gradients: Sequence[Tensor | None], parameters: Sequence[nn.Parameter]) -> Tensor:
    pairs = zip(gradients, parameters, strict=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for g, p in pairs])
