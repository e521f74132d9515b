"""How right are the labels that teachers made, measured on the ones that were hidden from them?

    python -m benchmarks.studies.made_labels nyuv2_128x96/tune.csv runs/rounds runs/readers

For each refinement and round, over the training images with a made label: the primary metric of its task, over all its
entries and over those that were kept (a weight above 0), and which share these are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from crosstask.data.loading.dataset import TableDataset
from crosstask.data.table.table import SOURCE, Table, read_table
from crosstask.recipe import Recipe
from crosstask.tasks import Task


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="with all labels")
    parser.add_argument("runs", type=Path, nargs="+", help="folders of refinements")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    truth = read_table(arguments.table)
    for run in arguments.runs:
        tasks = Recipe.stored(run / "recipe.yaml").tasks()
        for table in sorted(run.glob("labels_*/table.csv")):
            for name, task in tasks.items():
                line = quality(read_table(table), truth, task)
                print(f"{run.name} {table.parent.name} {name}: {line}", flush=True)


def quality(made: Table, truth: Table, task: Task) -> str:
    """The primary metric of made labels, whole and where kept, and how many they are."""
    name = task.name
    places = {row["id"]: index for index, row in enumerate(truth.rows)}
    wanted = [i for i, row in enumerate(made.rows) if row.get(name + SOURCE) and truth.rows[places[row["id"]]][name]]
    theirs, true = TableDataset(made, {name: task}), TableDataset(truth, {name: task})
    whole, kept = task.metric(), task.metric()
    entries, share = 0, 0.0
    for index in wanted:
        sample, label = theirs[index], true[places[made.rows[index]["id"]]].targets[name].as_subclass(Tensor)[None]
        prediction = task.invert(task.values(sample.targets[name].as_subclass(Tensor)[None]))
        known = ~prediction.isnan().any(1) & task.known(label).view(1, -1, *label.shape[-2:])[:, 0]
        weight = sample.weights[name].as_subclass(Tensor) if name in sample.weights else torch.ones(())
        for metric, mask in ((whole, known), (kept, known & (weight.expand(known.shape[1:]) > 0))):
            mask = mask if label.ndim == 3 else mask[:, None]
            unknown = torch.full_like(label, type(sample.targets[name]).UNKNOWN)
            metric.update(prediction.nan_to_num(0), label.where(mask, unknown))
        entries += int(known.sum())
        share += float((known & (weight > 0)).sum())
    if not entries:
        return "no made label whose true one is known"
    one, two = whole.compute()[whole.primary], kept.compute()[kept.primary]
    return f"{len(wanted)} images, {whole.primary} {one:.4g}, of the {100 * share / entries:.0f} % kept {two:.4g}"


if __name__ == "__main__":
    main()
