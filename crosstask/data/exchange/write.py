"""A table of labels, or of predictions, as annotations that an annotation tool imports."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from crosstask.data.exchange.labelled import Labels, Sample
from crosstask.data.exchange.through_datumaro import require_datumaro
from crosstask.data.exchange.writers import WRITERS, Form
from crosstask.data.loading.stored import stored_label
from crosstask.data.table.table import Table
from crosstask.errors import DataError, UserError, nearest
from crosstask.tasks.base import Task
from crosstask.tasks.segmentation import SemanticMap
from crosstask.writing import whole_folder


@dataclass(frozen=True)
class Plan:
    """Which tasks a format holds.

    Attributes:
        form: the format.
        name: its name.
        dense: the task whose class maps are written.
        labels: the tasks whose names of whole images are written.
        left: why the others are not, by task.
    """

    form: Form
    name: str
    dense: Task | None
    labels: tuple[Task, ...]
    left: Mapping[str, str]

    @property
    def names(self) -> list[str]:
        """The tasks that are written."""
        return [task.name for task in (self.dense, *self.labels) if task is not None]

    def __str__(self) -> str:
        """What is left out, in one line; empty where nothing is."""
        parts = "; ".join(f"{name} ({why})" for name, why in self.left.items())
        return f"{self.name} leaves out {parts}" if parts else ""


def plan(name: str, tasks: Mapping[str, Task]) -> Plan:
    """What of some tasks can be written in a format.

    Raises:
        UserError: there is no such format, it can hold none of the tasks, or what it needs is not installed.
    """
    plain = name.strip().lower().replace("-", "_")
    plain = {"labelstudio": "label_studio", "common_semantic_segmentation": "masks", "image_folders": "folders"}.get(
        plain, plain
    )
    if plain not in WRITERS:
        raise UserError(f"--as {name!r}: no such format is written; {nearest(plain, WRITERS)}")
    form = WRITERS[plain]
    if form.through:
        require_datumaro()
    dense: Task | None = None
    labels: list[Task] = []
    left: dict[str, str] = {}
    for key, task in tasks.items():
        if task.kind == "segmentation":
            if not form.shapes:
                left[key] = "it holds no shapes"
            elif dense is not None:
                left[key] = f"it holds one map of classes, that of {dense.name}"
            else:
                dense = task
        elif task.kind in form.labels:
            if len(labels) == form.questions:
                left[key] = f"it holds one list of labels, that of {labels[0].name}"
            else:
                labels.append(task)
        else:
            left[key] = f"it holds no {task.kind}"
    if dense is None and not labels:
        raise UserError(
            f"--as {name}: it can hold none of the tasks: {'; '.join(f'{k} ({w})' for k, w in left.items())}"
        )
    return Plan(form, plain, dense, tuple(labels), left)


def write_labels(
    table: Table,
    planned: Plan,
    out: Path | str,
    progress: Callable[[int, int], None] | None = None,
    overwrite: bool = False,
) -> int:
    """Write the labels of a table, with copies of its images, into a new folder; whole or not at all.

    Unknown pixels become the class "void" where a format has no other way to say so.

    Args:
        table: the table, of labels or as :func:`~crosstask.evaluation.predict.predict` writes it.
        planned: the format, and which tasks it holds.
        out: the folder.
        progress: called with (done, total).
        overwrite: replace the folder if it is there.

    Returns:
        how many images were written.

    Raises:
        UserError: the folder is there already.
        DataError: a label cannot be read, or an image is of a kind that no tool reads.
    """
    out = Path(out)
    if out.exists() and not overwrite:
        raise UserError(f"{out}: is there already: remove it, or give another folder")
    names = _names(table)
    dense = planned.dense
    labels = Labels(
        [] if dense is None else list(dense.classes),
        {task.name: list(task.classes) for task in planned.labels},
        frozenset(task.name for task in planned.labels if task.kind == "tags"),
        "" if dense is None else dense.name,
        dense is not None and any(sample.unknown for sample in _samples(table, planned, names)),
    )

    def samples() -> Iterator[Sample]:
        for done, sample in enumerate(_samples(table, planned, names), 1):
            yield sample
            if progress is not None:
                progress(done, len(table))

    with whole_folder(out) as part:
        planned.form.write(samples(), labels, part)
        if overwrite and out.is_dir():
            shutil.rmtree(out)
    return len(table)


def _names(table: Table) -> list[str]:
    """Relative paths for the images, without endings: the ids, where they end as the files do."""
    names: list[str] = []
    taken: set[str] = set()
    for index, identifier in enumerate(table.ids):
        path = table.resolve(index, "image")
        if path.suffix.lower() in (".npy", ".npz"):
            raise DataError(f"{path}: annotation tools read no {path.suffix} images: store PNG")
        parts = [part for part in re.split(r"[/\\]+", identifier) if part not in ("", ".", "..")]
        name = "/".join(parts) if parts and parts[-1] == path.stem else path.stem
        name = base = re.sub(r'[<>:"|?*\x00-\x1f]', "_", name)
        count = 1
        while name.lower() in taken:
            count += 1
            name = f"{base}-{count}"
        taken.add(name.lower())
        names.append(name)
    return names


def _samples(table: Table, planned: Plan, names: list[str]) -> Iterator[Sample]:
    for index, row in enumerate(table.rows):
        sample = Sample(names[index], table.resolve(index, "image"), row.get("split", ""))
        for task in (planned.dense, *planned.labels):
            if task is None or not row.get(task.name):
                continue
            try:
                if task.dense:
                    sample.classes = task.parse(stored_label(table, index, task.name, task)).numpy()
                elif (named := _said(task, row[task.name])) is not None:
                    sample.labels[task.name] = named
            except ValueError as error:
                raise DataError(f"{table.where(index, task.name)}: {error}") from None
        sample.unknown = sample.classes is not None and bool((sample.classes == SemanticMap.UNKNOWN).any())
        yield sample


def _said(task: Task, cell: str) -> list[str] | None:
    """The names a cell says; None for none known."""
    target = task.parse(cell)
    if not bool(task.known(target).any()):
        return None
    if task.kind == "category":
        return [task.classes[int(target)]]
    return [name for name, share in zip(task.classes, target.tolist(), strict=True) if share > 0.5]
