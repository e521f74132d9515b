"""A training whose weights are the plain mean of those after all steps from a given one on (SWA), not a moving average.

    python -m benchmarks.studies.swa 1125 train best_dense --training.iterations 1500 --out runs/swa

Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", UAI 2018, with the recipe's own
schedule of learning rates; norms' statistics are averaged as weights are. The recipe must have ``training.ema``, whose
place the mean takes. What follows the step is a command line of `crosstask`.
"""

from __future__ import annotations

import sys

from torch import nn
from typing_extensions import override

from crosstask.cli import main
from crosstask.networks.ema import EMA
from crosstask.training import fit


def mean_from(first: int) -> type[EMA]:
    """An average in the place of a moving one that begins after ``first`` steps."""

    class Mean(EMA):
        def __init__(self, module: nn.Module, decay: float) -> None:
            super().__init__(module, decay=1 - 1e-9, warmup=2)
            self.steps = 0

        @override
        def update(self, module: nn.Module) -> None:
            self.steps += 1
            if self.steps == first:
                self.module.load_state_dict(module.state_dict())
            elif self.steps > first:
                super().update(module)

    return Mean


if __name__ == "__main__":
    fit.EMA = mean_from(int(sys.argv[1]))  # type: ignore[misc]
    sys.exit(main(sys.argv[2:]))
