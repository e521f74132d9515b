"""Cross-task consistency in the space of labels, the baselines direct map and perceptual map of Li et al. (CVPR 2022),
after Zamir et al., "Robust Learning Through Cross-Task Consistency", CVPR 2020.

A network m_{s->t} per ordered pair of dense tasks turns maps of one task into maps of another. For an image with a
label y_t of task t and none of task s, with predictions p:

    direct:      L = loss_t(m_{s->t}(p_s), y_t)
    perceptual:  L = |m_{t->s}(p_t) - m_{t->s}(y_t)|  +  |m_{t->s}(y_t) - p_s|

``direct`` teaches the unlabelled prediction what it must hold for the label to follow from it. In ``perceptual`` the
prediction of the labelled task is compared with its label through the eyes of the other task (the first part, where m
and the mapped label are constants), and the mapped label teaches m and the unlabelled prediction (the second part).

Zamir et al. learn their mappings beforehand, from images with all labels. Here they are learnt along with the network,
as Li et al. must have done; their networks, weights and the exact form of "perceptual map" are not known to us.
Both are baselines for missing labels: an image with all its labels offers no pair, so with full labels there is no
term, which a run says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call
from typing_extensions import override

from crosstask.data.sample import Batch
from crosstask.networks.autoencoder import Autoencoder
from crosstask.networks.blocks import resize
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.objectives.base import Objective, Step
from crosstask.objectives.shared.pairs import Pair, dense_tasks, find_pairs, images_with_a_pair, reduced
from crosstask.ranges import Size
from crosstask.tasks.base import Task
from crosstask.tasks.term import Term


class CrossMap(Objective):
    """Predictions mapped to other tasks agree with their labels, or labels with predictions.

    The term sums over the pairs of an image, each a mean over pixels, and averages over the images that have any.

    >>> from crosstask.objectives.example import example
    >>> tasks, network, step = example()
    >>> terms = CrossMap(tasks, network, mode="direct")(step)
    >>> {name: int(term.count) for name, term in terms.items()}
    {'direct': 2}

    Args:
        mode: see the formulas.
        widths: channels of the stages of each mapping network, each at half the resolution of the one before.
        reduce: maps are averaged over squares of this side before they are mapped.

    Raises:
        RecipeError: fewer than two dense tasks.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        network: MultiTaskNetwork,
        mode: Literal["direct", "perceptual"] = "direct",
        widths: Sequence[Size] = (16, 32),
        reduce: Size = 2,
    ) -> None:
        super().__init__()
        self.tasks = dense_tasks(tasks, "cross_map")
        self.mode, self.reduce = mode, reduce
        channels = [task.channels for task in self.tasks.values()]
        self.maps = nn.ModuleList(
            Autoencoder(inputs, widths, outputs)
            for i, inputs in enumerate(channels)
            for j, outputs in enumerate(channels)
            if i != j
        )

    @override
    def term_names(self) -> list[str]:
        return [self.mode]

    @override
    def forward(self, step: Step) -> dict[str, Term]:
        pairs = find_pairs(step.batch, self.tasks, every=False)
        nothing = Term.zero(*self.parameters(), *step.predictions.values())
        total = nothing.total
        for pair in pairs:
            total = total + (self._direct if self.mode == "direct" else self._perceptual)(step, pair)
        return {self.mode: Term(total, images_with_a_pair(pairs, step.batch))}

    @override
    def counts(self, batch: Batch) -> dict[str, Tensor]:
        return {self.mode: images_with_a_pair(find_pairs(batch, self.tasks, every=False), batch)}

    def _direct(self, step: Step, pair: Pair) -> Tensor:
        """Summed over the images of a pair."""
        source, target = self.tasks[pair.source], self.tasks[pair.target]
        maps = reduced(source.embed(step.predictions[pair.source][pair.images]), self.reduce)
        label = step.batch.targets[pair.target][pair.images]
        mapped = resize(self.maps[pair.slot](maps), (label.shape[-2], label.shape[-1]))
        return torch.stack([target.loss(*each).mean() for each in _one_by_one(mapped, label)]).sum()

    def _perceptual(self, step: Step, pair: Pair) -> Tensor:
        """Summed over the images of a pair."""
        unlabelled, labelled = self.tasks[pair.source], self.tasks[pair.target]
        label = step.batch.targets[pair.target][pair.images]
        known = labelled.known(label)[:, None]
        embedded = labelled.embed(step.predictions[pair.target][pair.images])
        seen, given = (
            reduced(maps.where(known, 0), self.reduce)
            for maps in (embedded, labelled.embed_target(label).to(embedded.dtype))
        )
        there = _back(pair, len(self.tasks))
        network = self.maps[there]
        mapped = network(given)
        constant = {name: each.detach() for name, each in network.named_parameters()}
        buffers = {name: each.clone() for name, each in network.named_buffers()}
        looked = functional_call(network, (constant, buffers), (seen,))
        predicted = reduced(unlabelled.embed(step.predictions[pair.source][pair.images]), self.reduce)
        share = reduced(known.float(), self.reduce)
        errors = (looked - mapped.detach()).abs() + (mapped - predicted).abs()
        return ((errors.sum(1) * share[:, 0]).sum((1, 2)) / share.sum((1, 2, 3)).clamp(min=1e-6)).sum()


def _back(pair: Pair, count: int) -> int:
    """Number of the pair from the labelled to the unlabelled task."""
    source, other = divmod(pair.slot, count - 1)
    target = other if other < source else other + 1
    return target * (count - 1) + (source if source < target else source - 1)


def _one_by_one(prediction: Tensor, target: Tensor) -> list[tuple[Tensor, Tensor]]:
    return list(zip(prediction.split(1), target.split(1), strict=True))
