"""The tasks that an objective teaches, where its options name them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crosstask.errors import RecipeError, nearest
from crosstask.tasks.base import Task


def chosen(tasks: Mapping[str, Task], only: Sequence[str] | None, where: str) -> dict[str, Task]:
    """Those of the tasks that are named, in their own order; all where nothing is said.

    >>> from crosstask.tasks import Depth, Normals
    >>> tasks = {"depth": Depth("depth"), "normals": Normals("normals")}
    >>> list(chosen(tasks, ["normals"], "objectives.mean_teacher.only"))
    ['normals']

    Args:
        tasks: the tasks there are.
        only: names.
        where: the option, for messages.

    Raises:
        RecipeError: a name that is none of a task, or none at all.
    """
    if only is None:
        return dict(tasks)
    if not only:
        raise RecipeError(f"{where}: found []: name a task, or leave it out for all")
    for name in only:
        if name not in tasks:
            raise RecipeError(f"{where}: there is no task {name!r}; {nearest(name, tasks)}")
    return {name: task for name, task in tasks.items() if name in only}
