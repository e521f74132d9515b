"""Do runs read depth too near or too far, by how far an image is zoomed?

    python -m benchmarks.studies.zoom_bias tune.csv runs/tune runs/other --zooms 1,1.25,1.5

The logarithm of median prediction over median label of each image, as mean and standard deviation over images that are
shown as training shows them, at one zoom. Training divides depth by the zoom; where the views do not tell it, networks
lean to the middle of the zooms they were trained with.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from crosstask.data.loading.dataset import TableDataset
from crosstask.data.table.table import Table, read_table
from crosstask.data.transforms.chains import ScaleCrop
from crosstask.seeding import derive
from crosstask.trained import TrainedRun, load_run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--split", default="val")
    parser.add_argument("--task", default="depth")
    parser.add_argument("--zooms", default="1,1.25,1.5")
    parser.add_argument("--images", type=int, default=60)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = read_table(arguments.table).select(arguments.split)
    for path in arguments.runs:
        run = load_run(path)
        for zoom in map(float, arguments.zooms.split(",")):
            found = ratios(run, table, arguments.task, zoom, arguments.images)
            print(
                f"{path}: zoom {zoom:g}: {found.mean():+.3f} ± {found.std():.3f} over {len(found)} images", flush=True
            )


@torch.inference_mode()
def ratios(run: TrainedRun, table: Table, name: str, zoom: float, images: int) -> Tensor:
    """The logarithm of median prediction over median label, of the first images (N,)."""
    task, crop = run.tasks[name], ScaleCrop(run.recipe.data.size, (zoom, zoom))
    dataset = TableDataset(table, {name: task})
    found = []
    for index in range(min(images, len(dataset))):
        sample = crop(dataset[index], torch.Generator().manual_seed(derive(0, "zoom", dataset.ids[index])))
        predicted = task.decide(run.network(sample.image.as_subclass(Tensor)[None])[name])[0, 0]
        label = sample.targets[name].as_subclass(Tensor)[0]
        known = ~label.isnan()
        found.append((predicted[known].median() / label[known].median()).log())
    return torch.stack(found)


if __name__ == "__main__":
    main()
