"""A validation split for the tasks that have none, taken off the training rows.

Tables that are joined differ: one has a validation split, the other none. What is validated on nothing cannot take part
in the choice of the best checkpoint, so each task that lacks labels there gets some.
"""

from __future__ import annotations

import torch
from torch import Tensor

from crosstask.data.labels.protocols import hold_out
from crosstask.data.labels.subsets import Joined, Subset
from crosstask.data.loading.dataset import Dataset


def hold_out_per_task(
    train: Dataset, validation: Dataset | None, fraction: float, seed: int
) -> tuple[Dataset, Dataset | None]:
    """The training samples that are left, and the validation samples.

    Without a validation split a random ``fraction`` of all training rows is held out, and then, of each task that has
    no label among them or in the validation split there is, the same fraction of the rows with a label of it, at least
    one, while one is left. A row that is held out is not trained on for any task. Beside a validation split it is
    measured for the tasks that lack labels there only: for the others, validation is what the table says.

    Args:
        train: the training rows with the labels that may be used.
        validation: the validation rows, None where the table has none.
        fraction: in [0, 1); 0 holds nothing out.
        seed: of the choice, which depends on nothing else but the ids.
    """
    if fraction == 0 or len(train) < 2:
        return train, validation
    given = train.given()
    held = torch.zeros(len(train), dtype=torch.bool)
    if validation is None:
        held = _among(train, torch.ones_like(held), fraction, seed)
        covered = given[held].any(0)
    else:
        covered = validation.labelled().any(0)
    lacking = ~covered if validation is not None else torch.ones_like(covered)
    for task in (~covered).nonzero()[:, 0].tolist():
        if not given[held][:, task].any():
            more = held | _among(train, given[:, task] & ~held, fraction, seed)
            if (train.labelled()[~more].any(0) == train.labelled()[~held].any(0)).all():  # no task loses all it has
                held = more
    if not held.any():
        return train, validation
    split = Subset(train, held.nonzero()[:, 0].tolist())
    split = split.keep(split.given() & lacking)
    rest = Subset(train, (~held).nonzero()[:, 0].tolist())
    return rest, split if validation is None else Joined(validation, split)


def _among(train: Dataset, candidates: Tensor, fraction: float, seed: int) -> Tensor:
    """A random ``fraction`` of the candidates, bool (N,); none where there are fewer than two."""
    chosen = torch.zeros_like(candidates)
    indices = candidates.nonzero()[:, 0].tolist()
    if len(indices) > 1:
        names = hold_out([train.ids[index] for index in indices], fraction, seed)
        chosen[[index for index in indices if train.ids[index] in names]] = True
    return chosen
