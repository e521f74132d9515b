"""Makes the network that ships with the package, which ``crosstask demo --photos FOLDER`` shows pictures to.

    python -m benchmarks.rooms_network --out crosstask/shipped/rooms

The recipe ``demo`` with all labels, more rooms, larger images and stronger changes of colour, so that it makes
something of photos too. What is written is a run directory: the recipe, and the weights in half precision. No photo is
involved but those behind the ImageNet weights of the encoder.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from crosstask.cli import main as crosstask
from crosstask.training.checkpoint import load_weights
from crosstask.training.run import Run

OVERRIDES = (
    *("--data.rooms.train", "1500", "--data.size", "[96, 128]", "--data.labels", "full"),
    *("--data.zoom", "[1.0, 1.6]", "--data.colour", "0.4", "--training.epochs", "16"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="run directory to write")
    arguments, more = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        trained = Path(folder) / "rooms"
        if code := crosstask(["train", "demo", "--out", str(trained), *OVERRIDES, *more]):
            return code
        if code := crosstask(["eval", str(trained)]):
            return code
        ship(Run(trained), arguments.out)
    return 0


def ship(run: Run, out: Path) -> None:
    """The recipe and the weights of a run, in half precision, as a run directory."""
    found = run.checkpoints.find("last")
    weights = load_weights(found / "network.safetensors")
    folder = out / "checkpoints" / found.name
    shutil.rmtree(out, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(run.path / "recipe.yaml", out / "recipe.yaml")
    (out / "checkpoints" / "last").write_text(found.name)
    half = {name: each.half() if each.dtype == torch.float32 else each for name, each in weights.items()}
    save_file({name: each.contiguous() for name, each in half.items()}, folder / "network.safetensors")


if __name__ == "__main__":
    sys.exit(main())
