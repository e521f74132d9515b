"""How much of the depth error of runs is the scale of whole images?

    python -m benchmarks.studies.depth_scale nyuv2_128x160/tune.csv --split val runs/tune runs/other

The mean absolute error over images: as predicted; with each prediction multiplied by the median ratio of label and
prediction; with the logarithm of each brought to the label's by the best line. And by how much that median ratio
differs from 1, as mean and standard deviation of its logarithm. Scale is what the label says, so these are bounds, not
results.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from crosstask.data.loading.dataset import TableDataset
from crosstask.data.table.table import Table, read_table
from crosstask.evaluation.scale import AtScale
from crosstask.trained import load_run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--split", default="val")
    parser.add_argument("--task", default="depth")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = read_table(arguments.table).select(arguments.split)
    for run in arguments.runs:
        plain, scaled, bent, ratio = errors(run, table, arguments.task).unbind(1)
        print(
            f"{run.name}: {plain.mean():.4f} m, right scale {scaled.mean():.4f}, right slope too {bent.mean():.4f}; "
            f"log ratio {ratio.mean():+.3f} ± {ratio.std():.3f} over {len(plain)} images",
            flush=True,
        )


@torch.inference_mode()
def errors(path: Path, table: Table, task: str) -> Tensor:
    """The three errors of each image, and the logarithm of its median ratio, (N, 4)."""
    run = load_run(path)
    network, kind = AtScale(run.network.eval(), run.tasks, run.recipe.data.shown_size), run.tasks[task]
    dataset = TableDataset(table, {task: kind})
    rows = []
    for index in range(len(dataset)):
        sample = dataset[index]
        predicted = kind.decide(network(sample.image.as_subclass(Tensor)[None])[task])[0, 0]
        label = sample.targets[task].as_subclass(Tensor)[0]
        known = ~label.isnan()
        one, other = predicted[known], label[known]
        ratio = (other.log() - one.log()).median()
        x, y = one.log(), other.log()
        slope = ((x - x.mean()) * (y - y.mean())).mean() / x.var(correction=0)
        line = (y.mean() + slope * (x - x.mean())).exp()
        apart = [(each - other).abs().mean() for each in (one, one * ratio.exp(), line)]
        rows.append(torch.stack([*apart, ratio]))
    return torch.stack(rows)


if __name__ == "__main__":
    main()
