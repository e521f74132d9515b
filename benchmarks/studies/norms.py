"""What becomes of a trained network when the statistics of its norms are taken anew on plain images?

    python -m benchmarks.studies.norms nyuv2_128x96/tune.csv runs/geometry --split val

Scores as trained; with means and variances of all batch norms over the training images as they are; and over crops
of them, enlarged 1, 1.25 and 1.5 times as training shows them (colours unchanged).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from crosstask.data.loading.dataset import TableDataset
from crosstask.data.table.table import read_table
from crosstask.evaluation.evaluate import evaluate
from crosstask.trained import TrainedRun, load_run

BATCH = 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--split", default="val")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = read_table(arguments.table)
    for path in arguments.runs:
        run = load_run(path, "last")
        shown = TableDataset(table.select("train"), run.tasks)
        measured = TableDataset(table.select(arguments.split), run.tasks)
        print(path, "as trained:", scores(run, measured), flush=True)
        for name, zooms in (("plain images", (1.0,)), ("enlarged crops", (1.0, 1.25, 1.5))):
            take_anew(run.network, views(shown, zooms))
            print(path, f"norms of {name}:", scores(run, measured), flush=True)


def views(dataset: TableDataset, zooms: Sequence[float]) -> Iterator[Tensor]:
    """Batches of images (B, 3, H, W), and random windows of them after enlarging."""
    generator = torch.Generator().manual_seed(0)
    for first in range(0, len(dataset), BATCH):
        indices = range(first, min(first + BATCH, len(dataset)))
        images = torch.stack([dataset[index].image.as_subclass(Tensor) for index in indices])
        height, width = images.shape[-2:]
        for zoom in zooms:
            large = images if zoom == 1 else nnf.interpolate(images, scale_factor=zoom, mode="bilinear", antialias=True)
            top = int(torch.randint(large.shape[-2] - height + 1, (), generator=generator))
            left = int(torch.randint(large.shape[-1] - width + 1, (), generator=generator))
            yield large[..., top : top + height, left : left + width]


@torch.inference_mode()
def take_anew(network: nn.Module, batches: Iterator[Tensor]) -> None:
    """Replace the statistics of all batch norms by plain means over batches."""
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    for images in batches:
        network(images)
    network.eval()


def scores(run: TrainedRun, dataset: TableDataset) -> dict[str, float]:
    """The primary metrics, seen once."""
    results = evaluate(run.predictor(), run.evaluation_batches(dataset), run.tasks)
    return {name: round(task.score, 4) for name, task in results.tasks.items()}


if __name__ == "__main__":
    main()
