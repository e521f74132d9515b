"""What numbers say that nobody asks: a network that predicts one class only, or knows no more than the prior."""

from __future__ import annotations

import math

from crosstask.evaluation.results import Results, TaskResults, show

_ONE = {"segmentation", "category"}


def doubts(results: Results, prior: Results | None = None) -> list[str]:
    """A line for each task whose numbers are no good sign.

    Args:
        results: of a network.
        prior: of a predictor that never looks at the image, on the same images.
    """
    said = []
    for name, task in results.tasks.items():
        if not task.images:
            said.append(f"{name}: no label to measure it with: nothing is known of how good it is")
        elif only := _only_class(task):
            said.append(
                f"{name}: {only!r} is the only class that is ever right, of {_labelled(task)} that occur: it may "
                "predict nothing else. Train longer, or set class_weights: balanced"
            )
        if prior is not None and name in prior.tasks and _no_better(task, prior.tasks[name]):
            said.append(
                f"{name}: {task.primary} {show(task.score)} is not better than {show(prior.tasks[name].score)} of a "
                "predictor that never looks at the image: check its labels (crosstask check), or train longer"
            )
    return said


def _labelled(task: TaskResults) -> int:
    return sum(not math.isnan(value) for value in task.per_class.values())


def _only_class(task: TaskResults) -> str:
    """The class that alone has a number above 0, where others occur; "" otherwise."""
    right = [label for label, value in task.per_class.items() if value > 0]
    return right[0] if task.kind in _ONE and len(right) == 1 and _labelled(task) > 1 else ""


def _no_better(task: TaskResults, prior: TaskResults) -> bool:
    better = task.numbers[task.primary].better
    return better * (task.score - prior.score) <= 0  # never so where one of them is not known
