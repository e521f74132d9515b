"""What half of the images being mirrored does to labels beyond turning them round."""

from __future__ import annotations

from collections.abc import Mapping

from crosstask.data.table.matching import first_few
from crosstask.tasks import Regression, Task
from crosstask.tasks.sides import across


def exchanges(tasks: Mapping[str, Task]) -> list[str]:
    """Which classes change places, a line for each task that has such."""
    lines = []
    for name, task in tasks.items():
        if task.sides is not None:
            pairs = [(here, there) for here, there in enumerate(task.sides.tolist()) if here < there]
            told = first_few([f"{task.classes[here]} and {task.classes[there]}" for here, there in pairs], 3)
            lines.append(f"{name}: in mirrored images (data.flip) {told} change places")
    return lines


def doubts(tasks: Mapping[str, Task]) -> list[str]:
    """Which numbers are likely to be others in a mirrored image, a line for each task that has such."""
    lines = []
    for name, task in tasks.items():
        if isinstance(task, Regression) and (found := across(list(dict.fromkeys([name, *task.classes])))):
            told = first_few(found, 3)
            lines.append(f"{name}: {told} may be another number in a mirrored image: if so, set data.flip: false")
    return lines
