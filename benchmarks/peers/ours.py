"""An epoch of crosstask: ``python -m benchmarks.peers.ours SETTING FILES``; prints seconds."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np

from crosstask.data.table.table import read_table
from crosstask.experiment import Experiment
from crosstask.recipe import Recipe
from crosstask.training.checkpoint import Checkpoints

RECIPES = {
    "supervised": "nyuv2_npy+segnet",
    "pairwise": "nyuv2_npy+segnet+pairwise_as_published",
    "equal weights": "nyuv2_npy",
}
EQUAL = [
    "--data.labels", "full", "--network.encoder", "resnet18", "--network.pretrained", "false", "--training.batch_size",
    "8", "--training.ema", "null", "--training.clip", "null",
]  # fmt: skip


def recipe(setting: str, files: Path) -> Recipe:
    """What is trained: two epochs, measured and saved after each."""
    table = read_table(files / "table.csv")
    size = table_size(files)
    batch = 8 if setting == "equal weights" else 2
    steps = sum(row["split"] == "train" for row in table.rows) // batch
    flags = {
        "data.table": table.path, "data.size": list(size), "data.evaluation_size": list(size), "data.workers": 0,
        "training.iterations": 2 * steps, "training.evaluate_every": steps,
        "training.precision": "auto",
    }  # fmt: skip
    typed = [each for key, value in flags.items() for each in (f"--{key}", str(value))]
    return Recipe.load(RECIPES[setting], [*typed, *(EQUAL if setting == "equal weights" else [])])


def table_size(files: Path) -> tuple[int, int]:
    """Height and width of the images."""
    height, width, _ = np.load(files / "train/image/0.npy", mmap_mode="r").shape
    return height, width


def main() -> None:
    setting, files = sys.argv[1], Path(sys.argv[2])
    saved: list[float] = []
    save = Checkpoints.save

    def timed(*arguments, **options) -> None:
        save(*arguments, **options)
        saved.append(time.perf_counter())

    with patch.object(Checkpoints, "save", timed), tempfile.TemporaryDirectory() as folder:
        experiment = Experiment(recipe(setting, files), Path(folder) / "run", quiet=True)
        experiment.fit()
        options = experiment.recipe.training
        print(f"precision {options.precision}, channels last {options.channels_last}")
    print(saved[1] - saved[0])


if __name__ == "__main__":
    main()
