"""Pairwise consistency: Li, Liu and Bilen, "Learning Multiple Dense Prediction Tasks from Partially Annotated Data",
CVPR 2022.

For an image with a label of task t and none of task s, the prediction of s and the label of t are mapped into the joint
space of the ordered pair (s, t), where they should agree:

    L = 1 - cos(m_s, m_t) + rho [(1 - cos(m_s, phi)) + (1 - cos(m_t, phi))]

with m_s = M_{s->t}(prediction of s), m_t = M_{s->t}(label of t), phi the detached coarsest features of the network, and
cosines along channels averaged over the positions where the label is known. The second part keeps the joint space from
collapsing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from crosstask.data.sample import Batch
from crosstask.networks.mapping import MappingNetwork
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.objectives.base import Objective, Step
from crosstask.objectives.shared.known import mean_over
from crosstask.objectives.shared.pairs import Pair, dense_tasks, embed_pairs, find_pairs, images_with_a_pair, known_to
from crosstask.ranges import Factor, Size
from crosstask.tasks.base import Task
from crosstask.tasks.term import Term


def distance(first: Tensor, second: Tensor, known: Tensor | None = None) -> Tensor:
    """1 - cosine along channels, averaged over the known positions (n, h, w), all by default: (n, D, h, w) twice to
    (n,); 1 where a vector is zero."""
    first, second = first.float(), second.float()
    product = (first * second).sum(1)
    norms = ((first**2).sum(1) * (second**2).sum(1)).clamp(min=1e-12).sqrt()
    return mean_over(1 - product / norms, known)


def consistency(
    source: Tensor, target: Tensor, features: Tensor, regularisation: float, known: Tensor | None = None
) -> Tensor:
    """The loss of the module docstring, per image: three times (n, D, h, w) to (n,)."""
    loss = distance(source, target, known)
    if regularisation:
        loss = loss + regularisation * (distance(source, features, known) + distance(target, features, known))
    return loss


class PairwiseConsistency(Objective):
    """Agreement of predictions with other tasks' labels in a learned joint space per pair of tasks.

    The term sums over the pairs of an image and averages over images. The last stage of the mapping
    network has as many channels as the network's coarsest features, which are pooled to its resolution. Segmentation
    enters as probabilities; the released code draws a hard Gumbel sample instead.

    Published weight: 2 on NYU-v2, 1 on Cityscapes, beside supervision that is averaged over images as well
    (``objectives.supervised.average: images``). The released mapping network has stem 64, widths 64, 128, 256, 512
    and layers 2, 2, 3, 3, 3.

    >>> from crosstask.objectives.example import example
    >>> tasks, network, step = example()
    >>> objective = PairwiseConsistency(tasks, network)
    >>> terms = objective(step)
    >>> {name: int(term.count) for name, term in terms.items()}
    {'consistency': 2}

    Args:
        regularisation: rho, the weight of the agreement with the network's features.
        stem: channels after the stems of the mapping network.
        widths: channels of all its stages but the last.
        layers: layers of each of its stages.
        kernel: side of its convolutions, 3 or 1.
        every_pair: also learn from pairs whose source task is labelled itself; where not given, on images that have all
            labels.
        average: over which images of the step, those that have any pair (labels) or all (images).

    Raises:
        RecipeError: fewer than two dense tasks.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        network: MultiTaskNetwork,
        regularisation: Factor = 0.5,
        stem: Size = 16,
        widths: Sequence[Size] = (16, 24, 32),
        layers: Sequence[Size] = (2, 2, 3, 3),
        kernel: Size = 3,
        every_pair: bool | None = None,
        average: Literal["labels", "images"] = "labels",
    ) -> None:
        super().__init__()
        self.tasks = dense_tasks(tasks, "pairwise")
        channels = [task.channels for task in self.tasks.values()]
        self.mapper = MappingNetwork(channels, stem, (*widths, network.channels[-1]), layers, kernel)
        self.regularisation = regularisation
        self.every_pair = every_pair
        self.average = average

    @override
    def term_names(self) -> list[str]:
        return ["consistency"]

    @override
    def forward(self, step: Step) -> dict[str, Term]:
        pairs = find_pairs(step.batch, self.tasks, self.every_pair)
        nothing = Term.zero(*self.mapper.parameters(), *step.predictions.values())
        if not pairs:
            return {"consistency": Term(nothing.total, self._count(pairs, step.batch))}
        embedded = embed_pairs(self.mapper, pairs, self.tasks, step.predictions, step.batch.targets)
        height, width = embedded[0][0].shape[-2:]
        features = F.adaptive_avg_pool2d(step.features[-1].detach(), (height, width))
        there = known_to(pairs, self.tasks, step.batch.targets, (height, width))
        losses = [
            consistency(source, target, features[pair.images], self.regularisation, known).sum()
            for pair, (source, target), known in zip(pairs, embedded, there, strict=True)
        ]
        return {"consistency": Term(nothing.total + torch.stack(losses).sum(), self._count(pairs, step.batch))}

    @override
    def counts(self, batch: Batch) -> dict[str, Tensor]:
        return {"consistency": self._count(find_pairs(batch, self.tasks, self.every_pair), batch)}

    def _count(self, pairs: list[Pair], batch: Batch) -> Tensor:
        if self.average == "images":
            return torch.tensor(float(len(batch)), device=batch.images.device)
        return images_with_a_pair(pairs, batch)
