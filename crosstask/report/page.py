"""A run, a comparison or the rounds of a refinement as one HTML file: no other file, no network, opens from disk."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from markupsafe import Markup

from crosstask.compare.cells import point_cells
from crosstask.compare.statements import cautions, findings
from crosstask.data.labels.subsets import Subset
from crosstask.data.loading.dataset import Dataset
from crosstask.data.loading.loader import evaluation_loader
from crosstask.data.transforms.chains import evaluation
from crosstask.reading import read_text
from crosstask.report.coverage import coverage_tables
from crosstask.report.curves import curve_charts, efficiency_charts
from crosstask.report.facts import facts_of
from crosstask.report.failures import failure_tables, hardest
from crosstask.report.history import history_charts
from crosstask.report.per_class import class_tables
from crosstask.report.pictures import Gallery, gallery, jpeg
from crosstask.report.sentences import opening
from crosstask.report.subject import SIDE_BY_SIDE, Subject, read_subject, side_by_side
from crosstask.report.templating import render as filled
from crosstask.splits import load_splits
from crosstask.writing import write

_HARD = 4
_PICTURES = 1200
"""About how many pictures a page holds at most."""


def write_report(path: str | Path | Sequence[str | Path], out: str | Path | None = None, trust: bool = False) -> Path:
    """Write the report of the run, comparison or refinement in a folder, or of several runs side by side.

    Args:
        path: the folder, or those of several runs.
        out: the file; ``report.html`` in the (first) folder by default, ``side_by_side.html`` for several.
        trust: run the code that recipes in the folder name by ``class_path``; they are refused otherwise.

    Raises:
        UserError: there is nothing to report on, or its data cannot be read.
    """
    paths = [path] if isinstance(path, (str, Path)) else list(path)
    subject = read_subject(paths[0], trust) if len(paths) == 1 else side_by_side(paths, trust)
    name = "side_by_side.html" if subject.several else "report.html"
    file = Path(out) if out is not None else subject.path / name
    write(file, render(subject).encode())
    return file


def render(subject: Subject) -> str:
    """The page as text."""
    return filled("page.html", **context(subject))


def context(subject: Subject) -> dict[str, Any]:
    """Everything the template shows."""
    dataset, split = _images(subject)
    room = _PICTURES // (2 * len(subject.firsts()) * len(subject.tasks))
    typical = _spread(dataset, min(max(room // 2, 2), 6))
    ids = set(dataset.ids)
    hard = {task: hardest(subject.sources, task, _HARD, ids) for task in subject.tasks}
    shown = _pictures(subject, dataset, chain(typical, *hard.values()))
    styles = {method: index for index, method in enumerate(subject.methods)}
    facts = facts_of(subject)
    return {
        "side_by_side": SIDE_BY_SIDE,
        "title": ", ".join(subject.methods) if subject.several else _title(subject.path.resolve()),
        "subject": subject,
        "styles": styles,
        "split": split,
        "findings": findings(subject.comparison) if subject.comparison else {},
        "cautions": cautions(subject.comparison) if subject.comparison else [],
        "sentences": opening(subject),
        "settings": facts.settings,
        "tables": facts.tables,
        "efficiency": _over_labels(subject, styles),
        "efficiency_table": point_cells(subject.comparison) if subject.comparison else None,
        "curves": curve_charts(subject),
        "coverage": coverage_tables(subject),
        "gallery": shown,
        "typical": typical,
        "keys": {name: jpeg(legend.picture) for name, legend in shown.legends.items() if legend.picture is not None},
        "hard": {task: names for task, names in hard.items() if names},
        "failures": failure_tables(subject),
        "classes": class_tables(subject),
        "protocols": facts.protocols,
        "command": facts.command,
        "recipe": read_text(subject.path / "recipe.yaml"),
        "environments": _environments(subject),
        "data": _data_for_script(shown, subject),
    }


def _over_labels(subject: Subject, styles: Mapping[str, int]) -> list[str]:
    """Charts of scores over the number of training labels."""
    if subject.comparison:
        return efficiency_charts(subject.comparison, styles)
    return history_charts(subject) if subject.several else []


def _title(path: Path) -> str:
    """The name of the folder; of a cell of a comparison, which is called after its seed, those above it too."""
    return "/".join(path.parts[-3:]) if path.name.startswith("seed") else path.name


def _images(subject: Subject) -> tuple[Dataset, str]:
    """The images to show: the split a run was measured on, or else the test split, or the best there is."""
    data, tasks = subject.recipe.data, subject.recipe.tasks()
    with subject.recipe.named():
        splits = load_splits(data, tasks)
    there = {
        data.test_split: splits.test, data.validation_split: splits.validation, data.train_split: splits.train,
    }  # fmt: skip
    known = {split: dataset for split, dataset in there.items() if dataset is not None}
    measured = subject.results.settings.get("split") if subject.results else None
    split = measured if measured in known else next(iter(known))
    return known[split], split


def _pictures(subject: Subject, dataset: Dataset, wanted: Iterable[str]) -> Gallery:
    places = {name: index for index, name in enumerate(dataset.ids)}
    picked = Subset(dataset, [places[name] for name in dict.fromkeys(wanted)])
    batches = evaluation_loader(picked, evaluation(), batch_size=8)
    tasks = {name: task for name, task in subject.recipe.tasks().items() if name in subject.tasks}
    return gallery(list(batches), tasks, subject.firsts(), subject.trust)


def _spread(dataset: Dataset, count: int) -> list[str]:
    """Images at equal distances through a data set, whatever is in them."""
    ids = dataset.ids
    count = min(count, len(ids))
    return [ids[(2 * index + 1) * len(ids) // (2 * count)] for index in range(count)]


def _environments(subject: Subject) -> list[tuple[str, str]]:
    """What the runs say about where they ran, each different value once."""
    values: dict[str, list[str]] = {}
    for environment in subject.environments():
        for key, value in environment.items():
            if key in ("command", "training_labels", "derived_targets"):
                continue
            text = _amount(value)
            if isinstance(value, dict):
                text = ", ".join(f"{_amount(number)} {name.replace('_', ' ')}" for name, number in value.items())
            if text not in values.setdefault(key.replace("_", " "), []):
                values[key.replace("_", " ")].append(text)
    return [(key, "; ".join(found)) for key, found in values.items()]


def _amount(value: object) -> str:
    return f"{value:,}" if isinstance(value, (int, float)) else str(value)


def _data_for_script(shown: Gallery, subject: Subject) -> Markup:
    """The pictures as JSON that is safe inside a script element."""
    images = shown.images.items()
    content = {
        "views": {name: {task: asdict(view) for task, view in each.views.items()} for name, each in images},
        "scores": {source.key: {task: _known(results.scores, shown.images) for task, results in source.tasks.items()}
                   for source in subject.firsts()},
        "better": {task: results.numbers[results.single].better for source in subject.sources
                   for task, results in source.tasks.items()},
        "metric": {task: results.single for source in subject.sources for task, results in source.tasks.items()},
    }  # fmt: skip
    return Markup(json.dumps(content, allow_nan=False, ensure_ascii=True).replace("<", "\\u003c"))


def _known(scores: dict[str, float], wanted: Sequence[str] | dict[str, Any]) -> dict[str, float]:
    return {name: scores[name] for name in wanted if name in scores and not math.isnan(scores[name])}
