"""Matching of classes and scalars (an expression and valence, say). Our own extension: the papers couple scalars only
through shared features.

The predicted classes say through the class-conditional means M[e, k] what a number should be, on every sample:

    v_k = sum_e p(e) M[e, k],      L_k = 1 - CCC(number k as predicted, v_k)

with CCC the concordance correlation coefficient over the samples of the batch, those of all processes. Over
micro-batches the coefficients are averaged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor
from typing_extensions import override

from crosstask.data.sample import Batch
from crosstask.errors import DataError
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.objectives.base import Objective, Step
from crosstask.objectives.coupling.coupling import coupled_task
from crosstask.ops.relatedness import mixture
from crosstask.ranks import everywhere
from crosstask.relatedness import read_relatedness
from crosstask.tasks.base import Task
from crosstask.tasks.metrics.scalars import concordance
from crosstask.tasks.term import Term

_FLOOR = 1e-8


class ScalarMatching(Objective):
    """Agreement of the predicted classes and the predicted scalars on every sample.

    The target of a direction has no gradient. The term counts every sample and number.

    >>> from crosstask.objectives.example import example
    >>> tasks, network, step = example()

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     table = Path(folder, "means.csv")
    ...     rows = [f"{room},5,3,6" for room in tasks["room"].classes]
    ...     _ = table.write_text("\\n".join(["room,width,height,length", *rows]))
    ...     objective = ScalarMatching(tasks, network, classes="room", scalars="measures", means=str(table))
    >>> sorted(objective(step))
    ['to_classes', 'to_scalars']

    Args:
        classes: name of the category task.
        scalars: name of the task of scalars.
        means: a table of the mean of each number in each class; ``crosstask relate --to SCALARS`` counts one.
        direction: which prediction learns from the other, or both.

    Raises:
        ValueError: a task is missing or of another kind.
        DataError: the table cannot be used.
    """

    means: Tensor

    def __init__(
        self,
        tasks: Mapping[str, Task],
        network: MultiTaskNetwork,
        classes: str,
        scalars: str,
        means: str,
        direction: Literal["both", "to_classes", "to_scalars"] = "both",
    ) -> None:
        super().__init__()
        self.classes = coupled_task(tasks, classes, ("category",))
        self.scalars = coupled_task(tasks, scalars, ("scalars",))
        try:
            table = read_relatedness(means, probabilities=False).aligned(self.classes.classes, self.scalars.classes)
        except DataError as error:
            raise DataError(f"means: {error}") from None
        self.register_buffer("means", table.values.float())
        self.terms = ["to_classes", "to_scalars"] if direction == "both" else [direction]

    @override
    def term_names(self) -> list[str]:
        return list(self.terms)

    @override
    def forward(self, step: Step) -> dict[str, Term]:
        mixed, mass = mixture(self.classes.activate(step.predictions[self.classes.name]), self.means)
        scalars = self.scalars.activate(step.predictions[self.scalars.name])
        mixed, scalars, weight = everywhere(mixed), everywhere(scalars), everywhere(mass.detach())
        pairs = {"to_classes": (mixed, scalars.detach()), "to_scalars": (scalars, mixed.detach())}
        count = self.counts(step.batch)
        terms = {}
        for name in self.terms:
            ccc = concordance(*pairs[name], weight, _FLOOR)
            terms[name] = Term((1 - ccc).sum() * len(step.batch), count[name])
        return terms

    @override
    def counts(self, batch: Batch) -> dict[str, Tensor]:
        entries = torch.tensor(float(len(batch) * self.scalars.channels), device=batch.images.device)
        return dict.fromkeys(self.terms, entries)
