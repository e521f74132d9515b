"""What ``training.monitor`` may name."""

from __future__ import annotations

from collections.abc import Mapping

from crosstask.data.table.table import DERIVED
from crosstask.errors import RecipeError, nearest
from crosstask.tasks import Task


def require_measured(monitor: str | None, tasks: Mapping[str, Task]) -> None:
    """Make sure that the number which is to decide the best checkpoint will be measured.

    Args:
        monitor: as TASK/METRIC; None where the tasks decide together.
        tasks: the tasks by name.

    Raises:
        RecipeError: no task has such a number.
    """
    measured = {name: task for name, task in tasks.items() if not name.endswith(DERIVED)}
    valid = [f"{name}/{number}" for name, task in measured.items() for number in task.metric().better]
    if monitor is not None and monitor not in valid:
        raise RecipeError(f"training.monitor: {monitor!r} is not measured; {nearest(monitor, valid)}")
