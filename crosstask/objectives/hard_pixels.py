"""Online hard example mining for segmentation: Shrivastava, Gupta and Girshick, "Training Region-based Object Detectors
with Online Hard Example Mining", CVPR 2016, in the form in which it is used for pixels.

With p_i the probability that pixel i is given for its true class, the known pixels of a batch that are averaged over:

    { i : p_i <= max(threshold, the kept-th smallest p) }

so at least ``kept`` of them, and more where more are hard. Used by Space Engage (arXiv 2307.09755) on Cityscapes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from crosstask.errors import RecipeError, nearest
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.objectives.base import Objective, Step
from crosstask.ranges import Count, Share
from crosstask.tasks.base import Task
from crosstask.tasks.segmentation import Segmentation
from crosstask.tasks.selection import full_precision, weights
from crosstask.tasks.term import Term


class HardPixels(Objective):
    """Cross-entropy of the hard ones among the labelled pixels; give it instead of ``supervised`` for this task.

    The term is a mean over the pixels that are kept. Which are depends on the predictions of the micro-batch.

    >>> from crosstask.objectives.example import example
    >>> tasks, network, step = example()
    >>> terms = HardPixels(tasks, network, threshold=0.01, kept=100)(step)
    >>> {name: int(term.count) for name, term in terms.items()}
    {'hard': 100}

    Args:
        task: the segmentation task; may be left out where there is one only.
        threshold: pixels whose true class has a probability of at most this are kept.
        kept: at least so many pixels of a micro-batch are kept.

    Raises:
        RecipeError: there is no such task, or an option is out of range.
    """

    first_view = True
    additive = False  # each process keeps the hardest of its own pixels

    def __init__(
        self,
        tasks: Mapping[str, Task],
        network: MultiTaskNetwork,
        task: str | None = None,
        threshold: Share = 0.7,
        kept: Count = 100_000,
    ) -> None:
        super().__init__()
        found = {name: each for name, each in tasks.items() if isinstance(each, Segmentation)}
        name = next(iter(found)) if task is None and len(found) == 1 else task
        if name not in found:
            raise RecipeError(f"objectives.hard_pixels.task: expected a segmentation, found {task!r}; "
                              f"{nearest(str(task), found)}")  # fmt: skip
        if not 0 < threshold <= 1:
            raise RecipeError(f"objectives.hard_pixels.threshold: expected a number in (0, 1], found {threshold}")
        if kept < 1:
            raise RecipeError(f"objectives.hard_pixels.kept: expected at least one pixel, found {kept}")
        self.task, self.threshold, self.kept = found[name], threshold, kept

    @override
    def term_names(self) -> list[str]:
        return ["hard"]

    @override
    def forward(self, step: Step) -> dict[str, Term]:
        prediction, target = step.predictions[self.task.name], step.batch.targets[self.task.name]
        given = weights(self.task.known(target), step.batch.weights.get(self.task.name))
        known = given > 0
        if not known.any():
            return {"hard": Term.zero(prediction)}
        losses = F.cross_entropy(full_precision(prediction.detach()), target.clamp(min=0), reduction="none")[known]
        kept = torch.zeros_like(known)
        kept[known] = hard_ones(losses, self.threshold, self.kept)
        return {"hard": self.task.loss(prediction, target, given * kept)}


def hard_ones(losses: Tensor, threshold: float, kept: int) -> Tensor:
    """Which pixels are kept, (N,) bool, of their cross-entropies (N,), -log p.

    >>> import torch
    >>> hard_ones(torch.tensor([0.1, 1.0, 2.0]), threshold=0.2, kept=2)
    tensor([False,  True,  True])
    """
    probability = (-losses).exp()
    limit = probability.kthvalue(min(kept, len(losses))).values.clamp(min=threshold)
    return probability <= limit
