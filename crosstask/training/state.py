"""What a run is between two steps: captured in a checkpoint, and taken up again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import _FabricModule, _FabricOptimizer
from torch import Tensor, nn

from crosstask.errors import UserError
from crosstask.networks.ema import EMA
from crosstask.training.collective import equal_buffers, gathered
from crosstask.training.idle import IdleLabels
from crosstask.training.selection import Selection
from crosstask.training.sharded import cut_like, optimiser_cut, own_part, whole
from crosstask.training.silent import SilentTerms
from crosstask.training.terms import RunningMeans


@dataclass
class TrainingState:
    """Everything that changes while a run goes on, what a person will read of it included.

    Attributes:
        fabric: launched.
        learner: what is trained, set up by ``fabric``.
        optimiser: its optimiser, set up by ``fabric``.
        ema: the moving average of its network, if there is one.
        selection: which evaluation was the best.
        plain: a network beside the learner's, where no process has all of that one's weights and there is no moving
            average: they are put together in it.
        means: means of the terms since the last line of metrics.jsonl.
        idle: since when pseudo-labels are idle.
        silent: since when terms have nothing to learn from.
        iteration: optimiser steps taken.
    """

    fabric: Fabric
    learner: _FabricModule
    optimiser: _FabricOptimizer
    ema: EMA | None
    selection: Selection
    plain: nn.Module | None = None
    means: RunningMeans = field(default_factory=RunningMeans)
    idle: IdleLabels = field(default_factory=IdleLabels)
    silent: SilentTerms = field(default_factory=SilentTerms)
    iteration: int = 0

    def __post_init__(self) -> None:
        # a table with blanks, say, is not finite to begin with
        self._unknown = {name for name, tensor in self._tensors() if not _finite(tensor)}

    def network(self) -> nn.Module:
        """The network to evaluate and predict with: the moving average where there is one; on all ranks."""
        if self.ema is not None:
            return self.ema.module
        network: nn.Module = self.learner.module.network  # type: ignore[assignment]
        if self.plain is None:
            return network
        self.plain.load_state_dict(whole(network.state_dict()))
        return self.plain

    def equalise(self) -> None:
        """Make the buffers of all ranks equal; on all ranks."""
        equal_buffers(self.fabric, [self.learner.module, *([] if self.ema is None else [self.ema])])

    def not_finite(self) -> str | None:
        """The name of a weight, a buffer or a number of the optimiser that became NaN or infinite, None where all are
        as they should be."""
        return next(
            (name for name, tensor in self._tensors() if not _finite(tensor) and name not in self._unknown), None
        )

    def capture(self) -> dict[str, Any]:
        """The state as plain values and tensors; on all ranks, whose buffers are equal."""
        means = self.means.state_dict()
        everywhere = gathered(self.fabric, torch.stack(list(means.values()))) if means else torch.zeros(1, 0, 2)
        return {
            "iteration": self.iteration,
            "learner": whole(self.learner.module.state_dict()),
            "optimiser": whole(self.optimiser.state_dict()),
            "precision": self.fabric.strategy.precision.state_dict(),
            "ema": None if self.ema is None else self.ema.state_dict(),
            "selection": self.selection.state_dict(),
            "means": {"terms": list(means), "ranks": everywhere.cpu()},
            "idle": self.idle.state_dict(),
            "silent": self.silent.state_dict(),
        }

    def restore(self, state: dict[str, Any], folder: Path) -> None:
        """Take up the ``state`` that was found in the checkpoint ``folder``.

        Raises:
            UserError: it does not fit what is trained.
        """
        try:
            weights = cut_like(self.learner.module.state_dict(), state["learner"])
            missing, unexpected = self.learner.module.load_state_dict(weights, strict=False)
            missing = [name for name in missing if not name.endswith("_extra_state")]  # runs before 0.3 have none
            if missing or unexpected:
                raise RuntimeError(f"{[*missing, *unexpected][0]} is in one of them only")
            if self.ema is not None:
                self.ema.load_state_dict(state["ema"])
            self.optimiser.load_state_dict(optimiser_cut(self.optimiser.optimizer, state["optimiser"]))
            if state["precision"]:  # nothing where it was begun in another one, without a scale of gradients
                self.fabric.strategy.precision.load_state_dict(state["precision"])
            self.selection.load_state_dict(state["selection"])
            if "means" in state:
                self._restore_means(state["means"]["terms"], state["means"]["ranks"])
                self.idle.load_state_dict(state["idle"])
            self.iteration = int(state["iteration"])
            if "silent" in state:
                self.silent.load_state_dict(state["silent"])
            else:
                self.silent.begin(self.iteration)
        except (RuntimeError, TypeError, KeyError, ValueError, AttributeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(
                f"the checkpoint {folder} does not fit the recipe of the run ({reason}): was it edited?"
            ) from error

    def _restore_means(self, terms: list[str], ranks: Tensor) -> None:
        rank = self.fabric.global_rank
        if len(ranks) != self.fabric.world_size:  # trained on by more or fewer: the sum over ranks is what counts
            ranks = torch.cat([ranks.sum(0, keepdim=True), ranks.new_zeros(rank, *ranks.shape[1:])])
        self.means.load_state_dict(dict(zip(terms, ranks[rank], strict=True)), self.fabric.device)

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        modules = {"": self.learner.module, **({} if self.ema is None else {"the moving average of ": self.ema.module})}
        for prefix, module in modules.items():
            for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
                yield f"{prefix}{name}", tensor
        names: dict[Any, str] = {parameter: name for name, parameter in self.learner.module.named_parameters()}
        for parameter, numbers in self.optimiser.optimizer.state.items():
            for key, value in numbers.items():
                if isinstance(value, Tensor):
                    yield f"the optimiser's {key} of {names.get(parameter, 'a weight')}", value


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(own_part(tensor.detach())).all())
