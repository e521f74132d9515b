"""What the coupling objectives share: two tasks, and how their classes are related."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from torch import Tensor

from crosstask.errors import DataError, nearest
from crosstask.objectives.base import Objective
from crosstask.ops.relatedness import Distribution, bernoulli, categorical
from crosstask.relatedness import read_relatedness
from crosstask.tasks.base import Task
from crosstask.tasks.selection import full_precision

Direction = Literal["both", "to_classes", "to_attributes"]


class Coupling(Objective):
    """A category task, a task of attributes, and how they are related.

    Args:
        tasks: the tasks of the recipe.
        classes: name of the category task.
        attributes: name of the task of tags, or of the second category.
        relatedness: a table of relatedness: a file, or the name of a shipped one.
        binary_from: cells of at least this become 1, the others 0.

    Raises:
        ValueError: a task is missing or of another kind.
        DataError: the table cannot be used; names what does not match.
    """

    relatedness: Tensor

    def __init__(
        self, tasks: Mapping[str, Task], classes: str, attributes: str, relatedness: str, binary_from: float | None
    ) -> None:
        super().__init__()
        self.classes = coupled_task(tasks, classes, ("category",))
        self.attributes = coupled_task(tasks, attributes, ("tags", "category"))
        self.exclusive = self.attributes.kind == "category"
        try:
            table = read_relatedness(relatedness).aligned(self.classes.classes, self.attributes.classes)
            if binary_from is not None:
                table = table.binary(binary_from)
            table = table.require_shares() if self.exclusive else table.informative()
        except DataError as error:
            raise DataError(f"relatedness: {error}") from None
        self.register_buffer("relatedness", table.values.float())

    def attribute_distribution(self, prediction: Tensor) -> Distribution:
        """Predicted attributes: several of them, or one."""
        return (categorical if self.exclusive else bernoulli)(full_precision(prediction))


def coupled_task(tasks: Mapping[str, Task], name: str, kinds: tuple[str, ...]) -> Task:
    """The task ``name``.

    Raises:
        ValueError: there is none, or it is of another kind.
    """
    if name not in tasks:
        raise ValueError(f"classes, attributes or scalars: there is no task {name!r} to couple; {nearest(name, tasks)}")
    if tasks[name].kind not in kinds:
        raise ValueError(f"task {name!r} is of kind {tasks[name].kind}: coupling needs {' or '.join(kinds)}")
    return tasks[name]
