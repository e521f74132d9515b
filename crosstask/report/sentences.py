"""What a page says first, in sentences: what was trained on what, how good it is, what fails, what to do next."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosstask.alignment.table import FILE as ALIGNED
from crosstask.alignment.table import read, statements
from crosstask.compare.statements import listed
from crosstask.entries import FULL
from crosstask.evaluation.results import Results, TaskResults, show
from crosstask.evaluation.words import worded
from crosstask.report.sentences_of_several import sentences_of_several
from crosstask.report.subject import Subject
from crosstask.rounds.record import Record
from crosstask.training.run import Run

_NEVER = 1.0
"""A class with less than this, in percent, counts as not found."""


_SHOWN = 3
_WEIGHED = ("segmentation", "category")
"""The kinds of tasks that know class_weights."""


@dataclass(frozen=True)
class Sentences:
    """What is said about a run.

    Attributes:
        trained: what was trained on what.
        good: how good it is, a sentence per task.
        failing: which tasks and classes fail.
        next: what to do about it.
    """

    trained: list[str]
    good: list[str]
    failing: list[str]
    next: list[str]

    def sections(self) -> list[tuple[str, list[str]]]:
        """Headings and sentences; sections without any are left out."""
        named = (("What it is", self.trained), ("How good it is", self.good), ("What fails", self.failing),
                 ("What to do next", self.next))  # fmt: skip
        return [(heading, lines) for heading, lines in named if lines]


def opening(subject: Subject) -> list[tuple[str, list[str]]]:
    """Headings, and the sentences under each, with which the page begins; a comparison has its findings instead."""
    if subject.comparison is not None:
        return []
    if subject.rounds is not None:
        return _of_rounds(subject, subject.rounds)
    return sentences_of_several(subject) if subject.several else sentences(subject).sections()


def sentences(subject: Subject) -> Sentences:
    """The sentences about a single run."""
    path = subject.sources[0].runs[0]
    prior = _prior(path, subject.results)
    good, failing, missed = [], [], []
    for name, task in (subject.results.tasks if subject.results else {}).items():
        reference = prior.tasks.get(name) if prior else None
        good.append(_quality(name, task, reference))
        if reference is not None and not _better(task, reference):
            failing.append(f"{name} is no better than a predictor that never looks at the image.")
        lost = [label for label, value in _shares(task).items() if value < _NEVER]
        if lost:
            failing.append(f"{name} does not find {listed(lost)}.")
            missed.append(name)
        failing += _weak(name, task)
    environment = next(iter(subject.environments()), {})
    return Sentences(_trained(subject, environment), good, failing, _next(subject, path, prior, missed, environment))


def _shares(task: TaskResults) -> dict[str, float]:
    """The numbers of classes in percent; none of scalars, whose components have a concordance."""
    return {} if task.kind == "scalars" else task.per_class


def _weak(name: str, task: TaskResults) -> list[str]:
    """The classes that are found, but less than half as well as the mean."""
    found = sorted((value, label) for label, value in _shares(task).items() if _NEVER <= value < task.score / 2)
    if not found:
        return []
    shown = listed([f"{label} ({show(value)} %)" for value, label in found[:_SHOWN]])
    more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return [f"{name} is weakest at {shown}{more}."]


def _of_rounds(subject: Subject, record: Record) -> list[tuple[str, list[str]]]:
    measured = [entry for entry in record.rounds if entry.get("network")]
    good = []
    for task, numbers in (measured[-1]["network"] if measured else {}).items():
        metric = next(iter(numbers))
        unit = worded(metric)[1]
        found = [entry["network"].get(task, {}).get(metric) for entry in measured]
        values = [show(math.nan if value is None else value) for value in found]
        course = f" (round by round: {', '.join(values)})" if len(values) > 1 else ""
        good.append(f"{task}: the network of the last round has {worded(metric)[0]} {values[-1]}{unit}{course}.")
    following, last = [], shlex.quote(str(subject.sources[-1].runs[0]))
    if record.status == "running":
        following.append(f"It is not finished; go on with: crosstask refine --resume {shlex.quote(str(subject.path))}")
    if not measured:
        following.append(f"Measure the last network: crosstask eval {last}")
    following.append(f"Take the last network: crosstask predict {last} IMAGES --out FOLDER")
    what = f"{len(record.rounds)} rounds for {listed(subject.tasks)}, {record.total_steps:,} steps of training in all."
    parts = (("What it is", [what]), ("How good it is", good), ("What to do next", following))
    return [(heading, lines) for heading, lines in parts if lines]


def _trained(subject: Subject, environment: dict[str, Any]) -> list[str]:
    recipe, labels = subject.recipe, environment.get("training_labels") or {}
    network = environment.get("network") or {}
    size = f" of {network['parameters'] / 1e6:.1f} million parameters" if "parameters" in network else ""
    images = environment.get("training_samples")
    on = f", trained on {images:,} images" if images else ""
    lines = [f"One network{size} for {listed(subject.tasks)}{on}."]
    if labels and images:
        counts = listed([f"{count:,} have {name}" for name, count in labels.items()])
        lines.append(f"Of these images {counts} (label setting {recipe.data.labels}).")
    objectives = list(recipe.sections["objectives"])
    steps = environment.get("iterations")
    length = f" for {steps:,} steps" if steps else ""
    encoder = recipe.sections["network"].get("encoder")
    begun = f", with the encoder {encoder}" if encoder else ""
    lines.append(f"It learned{length} by {listed(objectives)}{begun}.")
    return lines


def _quality(name: str, task: TaskResults, prior: TaskResults | None) -> str:
    number = task.numbers[task.primary]
    if math.isnan(number.value):
        if task.images:
            return f"{name}: {worded(task.primary)[0]} cannot be measured on these labels, of {task.images:,} images."
        return f"{name}: nothing to measure, no label in the split."
    words, unit = worded(task.primary, task.protocol)
    text = f"{name}: {words} {show(number.value)}{unit}"
    if not math.isnan(number.low):
        text += f" ({show(number.low)} to {show(number.high)}{unit})"
    text += f" on {task.images:,} images"
    text += ", higher is better" if number.better > 0 else ", lower is better" if number.better < 0 else ""
    if prior is None or math.isnan(prior.score):
        return f"{text}."
    return f"{text}; a predictor that never looks at the image has {show(prior.score)}{unit}."


def _next(
    subject: Subject, path: Path, prior: Results | None, missed: Sequence[str], environment: Mapping[str, Any]
) -> list[str]:
    recipe, steps, where = subject.recipe, [], shlex.quote(str(path))
    images, labels = environment.get("training_samples") or 0, environment.get("training_labels") or {}
    if subject.results is None:
        return [f"Measure it: crosstask eval {where}, then report again."]
    if prior is None:
        steps.append(f"See what looking at images is worth: crosstask eval {where}, which measures the prior too.")
    if _still_improving(path):
        steps.append(
            "The best validation score is the last one: train longer (training.iterations or training.epochs)."
        )
    for name in missed:
        weighed = subject.results.tasks[name].kind in _WEIGHED
        more = f"Give rare classes of {name} more weight (class_weights: balanced), or label more of them."
        steps.append(more if weighed else f"Label more images with what {name} does not find.")
    aligned = path / ALIGNED
    if aligned.exists():
        steps += statements(read(aligned))
    elif recipe.data.labels not in FULL:
        steps.append(
            f"Ask which objective agrees with the labels it did not use: crosstask align {where} --objectives ..."
        )
    elif list(recipe.sections["objectives"]) == ["supervised"] and any(count < images for count in labels.values()):
        steps.append("Images lack labels: try objectives that make something of them (crosstask compare).")
    steps.append("Look at the worst images below: wrong labels often stand among them.")
    return steps


def _still_improving(path: Path) -> bool:
    scores = [record["score"] for record in Run(path).records() if record.get("kind") == "validation"]
    known = [score for score in scores if score is not None]
    return len(known) > 3 and known[-1] == max(known)


def _prior(path: Path, results: Results | None) -> Results | None:
    """The prior measured on the same split."""
    split = (results.settings.get("split") if results else None) or "all"
    file = path / f"prior_{split}.json"
    return Results.load(file) if file.exists() else None


def _better(task: TaskResults, prior: TaskResults) -> bool:
    better = task.numbers[task.primary].better
    return math.isnan(task.score) or math.isnan(prior.score) or better * (task.score - prior.score) > 0
