"""What an objective is: a source of supervision that turns a step into named loss terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from crosstask.data.sample import Batch
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.seeding import generator
from crosstask.tasks.base import Task
from crosstask.tasks.term import Term


@dataclass
class Step:
    """All an objective may look at in one training step.

    >>> from crosstask.objectives.example import example
    >>> tasks, network, step = example()

    >>> len(step.batch), step.predictions["depth"].shape
    (2, torch.Size([2, 1, 32, 48]))

    Attributes:
        batch: the samples; ``batch.targets`` marks what is unknown.
        network: the network itself, for objectives that need another view (``step.network(images)``).
        predictions: raw predictions of every task for ``batch.images``, at full resolution.
        features: the encoder's feature maps for ``batch.images``, finest first.
        iteration: how many optimiser steps were taken before this one.
        iterations: how many there will be in all.
        generator: the only source of randomness an objective may use (seeded by run, iteration, micro-batch, rank and
            the objective's name, so that a resumed run draws the same numbers). Lives on the CPU.
    """

    batch: Batch
    network: MultiTaskNetwork
    predictions: dict[str, Tensor]
    features: list[Tensor]
    iteration: int
    iterations: int
    generator: torch.Generator = field(default_factory=torch.Generator)

    @classmethod
    def of(
        cls, network: MultiTaskNetwork, batch: Batch, iteration: int = 0, iterations: int = 1, seed: int = 0
    ) -> Step:
        """The step of a batch, in a loop of one's own: runs the network, with its gradient."""
        features = network.features(batch.images)
        height, width = batch.images.shape[-2:]
        predictions = network.heads_forward(features, (height, width))
        return cls(batch, network, predictions, features, iteration, iterations, generator(seed, iteration))


class Objective(nn.Module):
    """A source of supervision. Subclasses take ``tasks``, ``network`` and their own options in ``__init__``.

    Everything an objective keeps (parameters, a teacher, prototypes, a bank) lives in its ``state_dict``, so that a
    resumed run is exact. It knows nothing of the loop, of devices or of ranks.

    >>> from crosstask.objectives.example import example
    >>> tasks, network, step = example()

    >>> class Smooth(Objective):
    ...     def forward(self, step):
    ...         depth = step.predictions["depth"]
    ...         rough = depth.diff(dim=-1).abs()
    ...         return {"depth": Term(rough.sum(), torch.tensor(float(rough.numel())))}
    >>> bool(Smooth()(step)["depth"].mean() > 0)
    True

    Attributes:
        first_view: whether it looks at the first view of the images where there are two (``data.second_view``), as the
            losses of the labels do; all others look at the second.
    """

    first_view = False

    additive: bool = True
    """Whether the terms of several processes sum up to those of one that has all their samples. Where it does not, each
    process compares its own samples with each other, keeps its own memory, or draws its own numbers."""

    def __init__(self, tasks: Mapping[str, Task] | None = None, network: MultiTaskNetwork | None = None) -> None:
        """Of a class without a constructor of its own, which needs neither."""
        super().__init__()

    def forward(self, step: Step) -> dict[str, Term]:
        """Named terms, always the same names: a term without anything to learn from is ``Term.zero(...)``, attached to
        every parameter it would have trained."""
        raise NotImplementedError

    def term_names(self) -> Sequence[str] | None:
        """The names of the terms of :meth:`forward`; None where they are not known before it."""
        return None

    def counts(self, batch: Batch) -> dict[str, Tensor] | None:
        """The counts of the terms of :meth:`forward`, known before the forward; None where they are not.

        Needed for accumulation over micro-batches to be exact: the counts of a whole step are summed before its first
        backward. Where they are not known, micro-batches are averaged with equal weights.
        """
        return None

    def after_step(self, network: MultiTaskNetwork, iteration: int) -> None:
        """Called after each optimiser step, without gradient: update a teacher, say."""

    def measures(self) -> dict[str, float]:
        """Numbers for people about the steps since the last call, logged beside the terms: the quality of
        pseudo-labels, say. Those of this process alone. One whose name ends in ``/coverage`` is the part of the unknown
        labels that was made up for; people are told where it stays 0."""
        return {}

    def chance(self) -> dict[str, float]:
        """For contrastive terms of the last forward: the loss of guessing, ln(candidates), logged beside each."""
        return {}
