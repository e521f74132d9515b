"""What numbers say that nobody asks: a network that predicts one class only, or knows no more than the prior."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

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


def lacks(records: Iterable[Mapping[str, Any]], objectives: Mapping[str, Any]) -> list[str]:
    """A line for each task that a run never validated, and for each term that was nothing from its begin to its end.

    Args:
        records: what the run wrote, see :class:`~crosstask.training.journal.Journal`.
        objectives: the options of its objectives; those that weigh 0 are passed over.
    """
    told: list[str] = []
    records = list(records)
    seen = [record for record in records if record.get("kind") == "validation"]
    for name, metric in (seen[-1]["primary"] if seen else {}).items():
        if all(record["metrics"].get(metric) is None for record in seen):
            told.append(f"{name}: never validated, the other tasks alone chose the checkpoint: {_HOLD_OUT}")
    trained = [record for record in records if record.get("kind") == "train"]
    if trained and not seen:
        told.append(f"nothing was ever validated, no checkpoint was chosen: {_HOLD_OUT}")
    terms = dict.fromkeys(term for record in trained for term in record["terms"])
    for term in terms:
        objective, name = term.split("/", 1)
        given = objectives.get(objective)
        weighs = given.get("weight", 1) if isinstance(given, Mapping) else 1
        if weighs != 0 and not any(record["terms"].get(term) for record in trained):
            told.append(
                f"objectives.{objective}: {name} was nothing in the whole run: no image has what it learns from "
                "(crosstask check says what is labelled), or leave it out"
            )
    return told


_HOLD_OUT = "label rows of the validation split, or raise data.validation_fraction"


def _labelled(task: TaskResults) -> int:
    return sum(not math.isnan(value) for value in task.per_class.values())


def _only_class(task: TaskResults) -> str:
    """The class that alone has a number above 0, where others occur; "" otherwise."""
    right = [label for label, value in task.per_class.items() if value > 0]
    return right[0] if task.kind in _ONE and len(right) == 1 and _labelled(task) > 1 else ""


def _no_better(task: TaskResults, prior: TaskResults) -> bool:
    better = task.numbers[task.primary].better
    return better * (task.score - prior.score) <= 0  # never so where one of them is not known
