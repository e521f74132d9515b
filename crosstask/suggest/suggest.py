"""From a trained run to the labels that are worth most: one pass over the images, a calibration, a greedy choice."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from crosstask.data.labels.subsets import Joined
from crosstask.data.loading.dataset import Dataset, TableDataset
from crosstask.data.table.formats import FORMATS
from crosstask.data.table.sources import read_like, readers
from crosstask.data.table.table import Table, read_table
from crosstask.errors import UserError, nearest
from crosstask.evaluation.by_row import Progress, by_row
from crosstask.evaluation.looks import Looker
from crosstask.evaluation.row_images import content, row_images
from crosstask.evaluation.sources import find_images
from crosstask.suggest.calibration import Calibration, calibrate
from crosstask.suggest.choose import choose
from crosstask.suggest.look import WIDTH, RowLook, RowTable
from crosstask.trained import TrainedRun

PASS = "pass"


@dataclass(frozen=True)
class Suggestion:
    """One label to buy.

    Attributes:
        id: id of the image.
        image: its file; empty where there is none.
        task: the task.
        value: see :class:`~crosstask.suggest.choose.Chosen`.
        uncertainty: the first measure of the kind of task, see :mod:`crosstask.tasks.uncertainty`.
        disagreement: with other tasks, see :mod:`crosstask.evaluation.disagreement`; NaN where there is none.
        expected: expected error without the label, relative to the mean error of the task.
        cost: what the label costs.
    """

    id: str
    image: str
    task: str
    value: float
    uncertainty: float
    disagreement: float
    expected: float
    cost: float


@dataclass(frozen=True)
class Scores:
    """The numbers of all images and tasks.

    Attributes:
        ids: of the N images.
        images: their files, empty where there is none.
        tasks: of the T tasks.
        table: the numbers and features.
        expected: (N, T), expected relative errors.
        open: bool (N, T), the pairs a label can be bought of.
        labelled: bool (N, T), the pairs with a label.
        costs: of a label of each task.
        calibrations: by task.
    """

    ids: list[str]
    images: list[str]
    tasks: list[str]
    table: RowTable
    expected: np.ndarray
    open: np.ndarray
    labelled: np.ndarray
    costs: list[float]
    calibrations: dict[str, Calibration]

    def suggestion(self, image: int, task: int, value: float) -> Suggestion:
        """A pair by its places, with what is known of it."""
        return Suggestion(
            self.ids[image],
            self.images[image],
            self.tasks[task],
            value,
            float(self.table.uncertainty[image, task]),
            float(self.table.disagreement[image, task]),
            float(self.expected[image, task]),
            self.costs[task],
        )

    def best(self, budget: float, seed: int = 0) -> list[Suggestion]:
        """What to label with a budget, the most valuable first."""
        found = choose(self.table.features, self.expected, self.open, self.labelled, self.costs, budget, seed)
        return [self.suggestion(*each) for each in found]


def score(
    runs: Sequence[TrainedRun],
    folder: Path,
    *,
    costs: Mapping[str, float] | None = None,
    tasks: Sequence[str] | None = None,
    images: Sequence[str] = (),
    scales: Sequence[float] = (1.0, 0.75),
    device: str = "cpu",
    progress: Progress | None = None,
) -> Scores:
    """The numbers of every image of a run's training rows, or of other images.

    Doubts become expected errors on the run's validation images, which it was not trained on. In memory are, of each
    image, 16 bytes for each task and 4 for each feature of the encoder (320 of the smallest EfficientNet Lite: 1.3 kB).

    Args:
        runs: one run, or several checkpoints of it, whose opinions are all asked.
        folder: where the pass over the images is kept, so that it goes on where it was interrupted.
        costs: of a label by task; 1 where none is said.
        tasks: for which labels can be bought; all by default.
        images: other images to choose from than the training rows: folders, patterns, files, or one table.
        scales: resolutions at which images are looked at, each also mirrored.
        device: where to compute.
        progress: called with (images done, images in all).

    Raises:
        UserError: a cost or a task that cannot be, no image, nothing left to label; a broken image.
    """
    run = runs[0]
    names = list(run.tasks)
    prices = _costs(names, costs or {})
    wanted = torch.tensor([name in _chosen(names, tasks) for name in names])
    pool = run.splits.train if not images else _other(run, images)
    known = pool.given()
    extra = [run.splits.train] if images else []
    held = [] if run.splits.validation is None else [run.splits.validation]
    blank = torch.zeros_like(known)
    whole = Joined(pool.keep(blank), *(part.keep(torch.zeros_like(part.labelled())) for part in extra), *held)
    open_ = torch.cat([~known & wanted, torch.zeros(len(whole) - len(pool), len(names), dtype=torch.bool)]).numpy()
    if not open_.any():
        raise UserError(
            f"{run.run.path}: every one of the {len(pool)} images has a label of "
            f"{', '.join(name for name, asked in zip(names, wanted.tolist(), strict=True) if asked)}: "
            "give other images with --images"
        )
    looker = Looker(
        [each.network for each in runs], run.tasks, run.recipe.data.shown_size, scales=scales, flip=True, device=device
    )
    columns = len(names) * WIDTH + run.network.channels[-1]
    size = str(run.recipe.data.shown_size)
    key = [*(digest(each) for each in runs), content(whole), str(list(scales)), size, *names]
    rows = by_row(whole, run.evaluation_batches, RowLook(looker, run.tasks), columns, folder, key, progress)
    table = RowTable(rows, names)
    calibrations = {name: calibrate(table.doubts(place), table.errors[:, place]) for place, name in enumerate(names)}
    expected = np.stack([calibrations[name].expected(table.doubts(place)) for place, name in enumerate(names)], 1)
    end = len(whole) - sum(map(len, held))  # validation images are measured, never chosen
    return Scores(
        whole.ids[:end],
        [str(path or "") for path in row_images(whole)[:end]],
        names,
        RowTable(rows[:end], names),
        expected[:end],
        open_[:end],
        torch.cat([known, *(part.given() for part in extra)]).numpy(),
        prices,
        calibrations,
    )


def digest(run: TrainedRun) -> str:
    """What tells the weights of a run from others."""
    state = run.network.state_dict()
    found = hashlib.sha256()
    for name in sorted(state):
        found.update(name.encode())
        found.update(state[name].detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def _chosen(names: Sequence[str], tasks: Sequence[str] | None) -> Sequence[str]:
    for name in tasks or ():
        if name not in names:
            raise UserError(f"--tasks {name!r}: the run has no such task: {nearest(name, names)}")
    return tasks or names


def _costs(names: Sequence[str], costs: Mapping[str, float]) -> list[float]:
    for name, cost in costs.items():
        if name not in names:
            raise UserError(f"--cost {name}={cost:g}: the run has no such task: {nearest(name, names)}")
        if not 0 < cost < float("inf"):
            raise UserError(f"--cost {name}={cost:g}: a label costs more than 0: give a positive number")
    return [float(costs.get(name, 1.0)) for name in names]


def _other(run: TrainedRun, images: Sequence[str]) -> Dataset:
    """Other images than the run's, with the labels that a table of them has."""
    data, first = run.recipe.data, Path(images[0])
    if len(images) == 1 and first.suffix.lower() in FORMATS:
        table = read_table(first) if data.table is None else read_like(first, data.table)
    else:
        found = find_images(images)
        rows = [{"id": name, "image": os.path.realpath(path)} for name, path in found.items()]
        table = Table(Path("images.csv"), ("id", "image"), rows)
    table = replace(table, columns=tuple(dict.fromkeys((*table.columns, *run.tasks))))
    reading = {} if data.table is None else readers(data.table, run.tasks)
    return TableDataset(table, run.tasks, confined=data.confined, readers=reading)
