"""How many pixels have a pseudo-label in use, and how good those are, while the methods of a comparison train.

    python -m benchmarks.studies.pseudo_labels runs/semi_camvid --labels fraction:0.125 --out pseudo_labels.png

Mean over seeds, against labels that were hidden from training (``data.hidden``).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from crosstask.compare.grid import Grid
from crosstask.report.curves import Curve, averaged, smoothed
from crosstask.training.run import Run

NUMBERS = {"coverage": "pixels with a pseudo-label in use, %", "miou": "mIoU of these, %"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("comparison", type=Path)
    parser.add_argument("--labels", required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    grid = Grid.load(arguments.comparison)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, (number, title) in zip(figure.subplots(1, 2), NUMBERS.items(), strict=True):
        for method, curve in curves(grid, arguments.labels, number):
            axes.plot(*zip(*curve, strict=True), label=method)
        axes.set(title=title, xlabel="iteration", ylim=(0, 100))
        axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(arguments.out, dpi=110)


def curves(grid: Grid, labels: str, number: str) -> Iterator[tuple[str, Curve]]:
    """The mean over seeds of a number of the pseudo-labels in use, in %, for each method that has any."""
    for method in grid.methods:
        folders = [grid.folder(cell) for cell in grid.cells if (cell.method, cell.labels) == (method, labels)]
        seeds = [curve for folder in folders if (curve := _curve(Run(folder), number))]
        if seeds:
            yield method, smoothed(averaged(seeds), 25)


def _curve(run: Run, number: str) -> Curve:
    curve = []
    for record in run.records():
        for name, value in record.get("measures", {}).items():
            in_use = name.startswith(("mean_teacher/", "spaces/used/"))
            if in_use and name.endswith(f"/{number}") and value is not None:
                curve.append((record["iteration"], 100 * value if number == "coverage" else value))
    return curve


if __name__ == "__main__":
    main()
