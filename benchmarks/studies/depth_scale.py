"""How much of the depth error of runs is the scale of whole images?

    python -m benchmarks.studies.depth_scale nyuv2_128x160/tune.csv runs/tune runs/other --zooms 1,1.25,1.5

The mean absolute error over images: as predicted; with each prediction multiplied by the median ratio of label and
prediction; with the logarithm of each brought to the label's by the best line. And by how much that median ratio
differs from 1, as mean and standard deviation of its logarithm (above 0: predicted too near). Scale is what the label
says, so these are bounds, not results.

Images are shown as training shows them, at one zoom. Training divides depth by the zoom; where a view does not tell it,
networks lean to the middle of the zooms they were trained with.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

import torch
from torch import Tensor

from crosstask.data.loading.dataset import TableDataset
from crosstask.data.table.table import Table, read_table
from crosstask.data.transforms.geometry import ScaleCrop
from crosstask.trained import load_run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--split", default="val")
    parser.add_argument("--task", default="depth")
    parser.add_argument("--zooms", default="1")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = read_table(arguments.table).select(arguments.split)
    for run, zoom in product(arguments.runs, map(float, arguments.zooms.split(","))):
        plain, scaled, bent, ratio = errors(run, table, arguments.task, zoom).unbind(1)
        print(
            f"{run.name}, zoom {zoom:g}: {plain.mean():.4f} m, right scale {scaled.mean():.4f}, right slope too "
            f"{bent.mean():.4f}; log ratio {ratio.mean():+.3f} ± {ratio.std():.3f} over {len(plain)} images",
            flush=True,
        )


@torch.inference_mode()
def errors(path: Path, table: Table, task: str, zoom: float) -> Tensor:
    """The three errors of each image, and the logarithm of its median ratio, (N, 4)."""
    run = load_run(path)
    network, kind, crop = run.network.eval(), run.tasks[task], ScaleCrop(run.recipe.data.size, (zoom, zoom))
    dataset = TableDataset(table, {task: kind})
    rows = []
    for index in range(len(dataset)):
        sample = crop(dataset[index], torch.Generator().manual_seed(index))
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
