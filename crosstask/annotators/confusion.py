"""Categories and tags of several annotators, weighed by who confuses what with what (:mod:`crosstask.ops.dawid_skene`).

Tags are so many questions of yes and no, each with its own confusions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from crosstask.annotators.agreement import images
from crosstask.annotators.opinions import Fused
from crosstask.annotators.stack import Stacked
from crosstask.ops.dawid_skene import dawid_skene
from crosstask.tasks.base import Task

KINDS = ("category", "tags")
"""Kinds of tasks whose labels can be weighed so."""


class Believed(NamedTuple):
    """What is believed of one task.

    Attributes:
        posterior: float64 (N, Q, C), of each image and question: one question of a category, one per tag.
        right: float64 (V,), how probable it is that each annotator says what is believed, the mean over the questions
            that they answer anywhere, classes as frequent as they are; NaN for who answers none.
    """

    posterior: Tensor
    right: Tensor

    def fused(self, image: int, values: Tensor) -> Fused:
        """The label of an image, of which ``values`` (V, ...) are the opinions: what nobody says stays unknown."""
        sure, best = self.posterior[image].max(1)
        if values.ndim == 1:  # a category
            known = bool((values >= 0).any())
            return Fused(best[0] if known else torch.tensor(-1), sure[0].float() if known else torch.tensor(0.0))
        known_tags = ~values.isnan().all(0)
        return Fused(best.float().where(known_tags, torch.nan), sure.float().where(known_tags, 0.0))


def believed(
    stacked: Stacked, tasks: Mapping[str, Task], progress: Callable[[int, int], None] | None = None
) -> dict[str, Believed]:
    """By name the categories and tags among the tasks, from one pass over the images.

    Raises:
        DataError: a file is missing or broken.
    """
    wanted = {name: task for name, task in tasks.items() if task.kind in KINDS}
    place = {name: index for index, name in enumerate(stacked.annotators)}
    questions = {name: len(task.classes) if task.kind == "tags" else 1 for name, task in wanted.items()}
    votes = {
        name: torch.full((len(stacked.groups), len(place), count), -1, dtype=torch.long)
        for name, count in questions.items()
    }
    for row, (_, given) in enumerate(images(stacked, wanted, progress) if wanted else ()):
        for name, (who, values) in given.items():
            yes = (values > 0.5).long().where(~values.isnan(), -1)
            said = values.long() if wanted[name].kind == "category" else yes
            votes[name][row, [place[each] for each in who]] = said.reshape(len(who), -1)
    found = {}
    for name, task in wanted.items():
        classes = 2 if task.kind == "tags" else len(task.classes)
        each = [dawid_skene(votes[name][:, :, question], classes) for question in range(questions[name])]
        right = torch.stack([(one.confusion.diagonal(dim1=1, dim2=2) * one.prior).sum(1) for one in each])
        right = right.where((votes[name] >= 0).any(0).T, torch.nan).nanmean(0)
        found[name] = Believed(torch.stack([one.posterior for one in each], 1), right)
    return found
