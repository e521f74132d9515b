"""One run of the coupling study: its labels, its table of relatedness, its recipe, and its numbers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from PIL import Image
from torch import Tensor

from benchmarks.studies.coupling_data import Study, tasks_of, true_relatedness
from crosstask.data.loading.dataset import Dataset, TableDataset
from crosstask.data.sample import Sample
from crosstask.data.table.table import Table, read_table, write_table
from crosstask.evaluation.evaluate import evaluate
from crosstask.evaluation.zero_shot import ZeroShot
from crosstask.experiment import Experiment
from crosstask.recipe import Recipe
from crosstask.relatedness import Relatedness, infer, write_relatedness
from crosstask.seeding import derive
from crosstask.trained import TrainedRun, load_run

TASKS = ("kind", "traits")
TABLES = ("true", "counted", "shuffled")
MATCHING: dict[str, object] = {"weight": 0.1}  # chosen on validation cells; the published weight, 1, was worse
COUPLINGS: dict[str, dict[str, dict[str, object]]] = {
    "hard": {"hard_coannotation": {"related_from": 0.5}},
    "matching": {"distribution_matching": MATCHING},
    "soft": {"soft_coannotation": {}},
    "both": {"distribution_matching": MATCHING, "soft_coannotation": {}},
    "likelihood": {"soft_coannotation": {"rule": "likelihood"}},
}
"""The objectives of each method, beside the supervised one."""


@dataclass(frozen=True)
class Run:
    """Which labels, which method, which seed.

    Attributes:
        ratio: class labels to attribute labels.
        method: one of the tasks (trained alone), ``uncoupled``, or a key of ``COUPLINGS``.
        table: of relatedness, one of ``TABLES``; "" where there is none.
        seed: seed of everything: labels, weights, order.
    """

    ratio: str
    method: str
    table: str
    seed: int

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that are trained."""
        return (self.method,) if self.method in TASKS else TASKS

    @property
    def folder(self) -> Path:
        """Where the run is kept."""
        return Path(self.ratio.replace(":", "_")) / f"{self.method}_{self.table}".rstrip("_") / str(self.seed)


def scores_of(study: Study, table: Table, run: Run, folder: Path) -> dict[str, float]:
    """Train and measure a run in ``folder``; the numbers of a finished one are only read.

    Returns:
        Primary metric by task, in percent; for attributes alone also the accuracy of classes scored through each
        table, ``zero-shot TABLE``.
    """
    done = folder / "scores.json"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        scores = _trained(study, table, run, folder)
        shutil.rmtree(folder / "run" / "checkpoints")
        done.write_text(json.dumps(scores))
    return json.loads(done.read_text())


def labelled_table(study: Study, table: Table, run: Run) -> Table:
    """The rows to train on: attributes on some, classes on others."""
    names = [row["id"] for row in table.rows if row["split"] == "train"]
    names.sort(key=lambda name: derive("order", run.seed, name))
    first = study.attribute_labels
    kept = {"traits": set(names[:first]), "kind": set(names[first : first + study.class_labels[run.ratio]])}
    rows = []
    for row in table.rows:
        if any(row["id"] in kept[task] for task in run.tasks):
            rows.append(row | {task: "" for task, ids in kept.items() if row["id"] not in ids})
    return replace(table, rows=rows)


def relatedness(study: Study, table: Table, which: str, seed: int) -> Relatedness:
    """R: true; counted on the joint rows; or the true one with the rows of the classes exchanged."""
    if which == "counted":
        joint = table.only({row["id"] for row in table.rows if row["split"] == "joint"})
        return infer(joint, *tasks_of(table)).table
    exact = true_relatedness(study, table)
    if which == "true":
        return exact
    turn = 1 + derive("shuffle", seed) % (len(exact.classes) - 1)  # every class has the row of another
    return replace(exact, values=exact.values.roll(turn, 0))


def recipe_of(study: Study, table: Table, run: Run, folder: Path) -> Recipe:
    """The recipe of a run, with its tables in ``folder``."""
    labels = write_table(labelled_table(study, table, run), folder / "data.csv")
    objectives: dict[str, Mapping[str, object]] = {"supervised": {}}
    if run.table:
        related = folder / "relatedness.csv"
        write_relatedness(relatedness(study, table, run.table, run.seed), related)
        pair = {"classes": "kind", "attributes": "traits", "relatedness": str(related)}
        objectives |= {name: {**pair, **options} for name, options in COUPLINGS[run.method].items()}
    kind, traits = tasks_of(table)
    tasks = {
        "kind": {"kind": "category", "classes": kind.classes},
        "traits": {"kind": "tags", "classes": traits.classes},
    }
    width, height = Image.open(table.resolve(0, "image")).size
    data = {"table": str(labels.path), "size": [height, width], "evaluation_size": [height, width], "zoom": [1.0, 1.0],
            "colour": 0.0, "flip": study.flip, "mixed": True, "validation_fraction": 0.0, "workers": 0}  # fmt: skip
    training = {"iterations": study.iterations, "batch_size": 32, "lr": 3e-3, "warmup": 10, "clip": 5.0,
                "seed": run.seed, "accelerator": "cpu"}  # fmt: skip
    return Recipe.of({"data": data, "tasks": {name: tasks[name] for name in run.tasks},
                      "network": study.network, "objectives": objectives, "training": training})  # fmt: skip


class Remembered:
    """A data set that keeps its samples in memory."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset, self.ids, self.samples = dataset, dataset.ids, dict[int, Sample]()

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Sample:
        if index not in self.samples:
            self.samples[index] = self.dataset[index]
        return self.samples[index]

    def labelled(self) -> Tensor:
        return self.dataset.labelled()


def _trained(study: Study, table: Table, run: Run, folder: Path) -> dict[str, float]:
    experiment = Experiment(recipe_of(study, table, run, folder), folder / "run", quiet=True)
    splits = experiment.plan.splits
    experiment.plan = replace(experiment.plan, splits=replace(splits, train=Remembered(splits.train)))
    experiment.fit()
    trained = load_run(folder / "run", "last")
    test = _test(table.path)
    scores = _measured(trained, test)
    if run.method == "traits":
        kind, traits = tasks_of(table)
        for which in TABLES:
            through = ZeroShot(trained.predictor(), traits, relatedness(study, table, which, run.seed), "kind")
            scored = _measured(replace(trained, network=through, tasks={"kind": kind}), test)
            scores[f"zero-shot {which}"] = scored["kind"]
    return scores


@lru_cache
def _test(path: Path) -> Remembered:
    """The test rows of a table, with both labels."""
    table = read_table(path)
    return Remembered(TableDataset(table, {task.name: task for task in tasks_of(table)}, "test"))


def _measured(run: TrainedRun, dataset: Dataset) -> dict[str, float]:
    return evaluate(run.network, run.evaluation_batches(dataset), run.tasks, resamples=0).scores()
