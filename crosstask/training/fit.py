"""The loop: batches in, a trained network and its checkpoints out."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor

from crosstask.data.sample import Batch
from crosstask.errors import RunError, UserError
from crosstask.evaluation.results import Results
from crosstask.networks.ema import EMA
from crosstask.seeding import derive, seed_device
from crosstask.training.ahead import ahead
from crosstask.training.checkpoint import load_state
from crosstask.training.cost import Stopwatch, peak_memory
from crosstask.training.idle import IdleLabels
from crosstask.training.interrupt import Interrupt
from crosstask.training.learner import Learner
from crosstask.training.optimisers import build_optimiser, learning_rate, parameter_groups
from crosstask.training.options import TrainingOptions
from crosstask.training.progress import TrainingProgress
from crosstask.training.run import Run
from crosstask.training.runtime import compile_network
from crosstask.training.selection import Selection
from crosstask.training.step import accumulate_gradients, reduced
from crosstask.training.tensorboard import TensorBoard
from crosstask.training.terms import RunningMeans


class Loader(Protocol):
    """Endless micro-batches of one rank, from a given position on."""

    def __call__(self, start: int, rank: int, world: int) -> Iterable[Batch]: ...


class Evaluator(Protocol):
    """Measures a network on the validation split."""

    def __call__(self, network: torch.nn.Module, fabric: Fabric) -> Results: ...


@dataclass(frozen=True)
class Outcome:
    """How a run ended: ``finished``, ``stopped early`` or ``interrupted``, at which iteration, and the best one."""

    status: str
    iteration: int
    best_iteration: int | None


class Trainer:
    """Trains a :class:`Learner` and keeps everything in a run directory.

    A step is a function of the checkpoint before it: order, augmentation, dropout and the objectives' draws are all
    derived from (seed, iteration), so that a resumed run ends with the same bits as an uninterrupted one.

    Args:
        learner: network, objectives and balancer.
        loader: gives this rank's micro-batches.
        evaluator: measures on the validation split; None when there is none.
        iterations: length of the run.
        options: see :class:`TrainingOptions`.
        run: where everything is written.
        fabric: launched; see :func:`~crosstask.training.runtime.make_fabric`.
        quiet: show no progress.
    """

    def __init__(
        self,
        learner: Learner,
        loader: Loader,
        evaluator: Evaluator | None,
        iterations: int,
        options: TrainingOptions,
        run: Run,
        fabric: Fabric,
        quiet: bool = False,
    ) -> None:
        self.options, self.run, self.fabric = options, run, fabric
        self.loader, self.evaluator, self.iterations = loader, evaluator, iterations
        self.evaluate_every = options.evaluate_every or max(iterations // 10, 1)
        self.checkpoint_every = options.checkpoint_every or self.evaluate_every
        self.quiet = quiet or fabric.global_rank > 0
        if options.channels_last:
            learner.network.to(memory_format=torch.channels_last)
        self.ema = EMA(learner.network, options.ema) if options.ema is not None else None
        if options.compile:
            compile_network(learner.network)
        self.trained_by = [own for own, _ in parameter_groups(learner, options)]  # like the groups of the optimiser
        self.learner, self.optimiser = fabric.setup(learner, build_optimiser(learner, options))
        if self.ema is not None:
            self.ema.to(fabric.device)
        self.selection = Selection(options.monitor)
        self.means = RunningMeans()
        self.idle = IdleLabels()
        self.iteration = 0
        self.board = TensorBoard(run.path) if options.tensorboard and fabric.global_rank == 0 else None

    # -- the run ---------------------------------------------------------------------------------------------------

    def fit(self, resume: bool = False) -> Outcome:
        """Train to the end, until patience runs out, or until interrupted.

        Raises:
            RunError: a loss is not finite, or nothing can be written; the last checkpoint is intact.
        """
        if resume:
            self._restore()
        status = "finished"
        with TrainingProgress(self.iterations, self.iteration, self.quiet) as self.progress, Interrupt() as interrupt:
            micro_batches = self._micro_batches()
            watch = Stopwatch()
            self.learner.train()
            while self.iteration < self.iterations:
                began = time.perf_counter()
                batches = list(itertools.islice(micro_batches, self.options.accumulate))
                watch.waited += time.perf_counter() - began
                self._step(batches)
                watch.seconds += time.perf_counter() - began
                watch.steps += 1
                self.iteration += 1
                self.progress.step()
                last = self.iteration == self.iterations
                if self.iteration % self.options.log_every == 0 or last:
                    self._log(watch)
                    watch = Stopwatch()
                best = False
                if self.evaluator is not None and (self.iteration % self.evaluate_every == 0 or last):
                    best = self._evaluate()
                stop = self._any(interrupt.requested)
                tired = self.options.patience is not None and self.selection.misses >= self.options.patience
                if self.iteration % self.checkpoint_every == 0 or last or best or stop or tired:
                    self._save(best)
                if stop and not last:
                    status = "interrupted"
                    break
                if tired and not last:
                    status = "stopped early"
                    break
        if self.board is not None:
            self.board.close()
        best_iteration = self.selection.best_iteration if self.selection.best is not None else None
        return Outcome(status, self.iteration, best_iteration)

    def network(self) -> torch.nn.Module:
        """The network to evaluate and predict with: the moving average where there is one."""
        return self.ema.module if self.ema is not None else self.learner.module.network

    # -- parts of an iteration -------------------------------------------------------------------------------------

    def _micro_batches(self) -> Iterator[Batch]:
        start = self.iteration * self.options.accumulate
        loaded = self.loader(start, self.fabric.global_rank, self.fabric.world_size)
        return ahead(map(self._placed, loaded))

    def _placed(self, batch: Batch) -> Batch:
        batch = batch.to(self.fabric.device, non_blocking=True)
        if self.options.channels_last:
            batch.images = batch.images.contiguous(memory_format=torch.channels_last)
        return batch

    def _step(self, batches: list[Batch]) -> None:
        options = self.options
        seed_device(self.fabric.device, derive(options.seed, "step", self.iteration, self.fabric.global_rank))
        for group, own in zip(self.optimiser.param_groups, self.trained_by, strict=True):
            group["lr"] = learning_rate(self.iteration, self.iterations, own)
        self.optimiser.zero_grad(set_to_none=True)
        terms = accumulate_gradients(
            self.fabric, self.learner, batches,
            iteration=self.iteration, iterations=self.iterations, seed=options.seed,
        )  # fmt: skip
        if options.clip is not None:
            norm = self.fabric.clip_gradients(
                self.learner, self.optimiser, max_norm=options.clip, error_if_nonfinite=False
            )
            self._require_finite_gradient(norm, batches)
        self.optimiser.step()
        if self.ema is not None:
            self.ema.update(self.learner.module.network)
        self.learner.module.after_step(self.iteration)
        for micro in terms:
            self.means.add(micro)

    def _require_finite_gradient(self, norm: Tensor | None, batches: list[Batch]) -> None:
        if norm is None or self.options.precision == "fp16" or bool(torch.isfinite(norm)):
            return
        ids = ", ".join(name for batch in batches for name in batch.ids)
        raise RunError(f"the gradient is not finite although the loss is, for the samples {ids}; lower training.lr")

    def _any(self, flag: bool) -> bool:
        if self.fabric.world_size == 1:
            return flag
        return bool(reduced(self.fabric, torch.tensor(float(flag), device=self.fabric.device)) > 0)

    def _log(self, watch: Stopwatch) -> None:
        options = self.options
        means, counts = self.means.read(reduced(self.fabric, self.means.stacked()))
        images = watch.steps * options.batch_size * options.accumulate * self.fabric.world_size
        record = {
            "kind": "train",
            "iteration": self.iteration,
            "lr": learning_rate(self.iteration - 1, self.iterations, options),
            "terms": means,
            "counts": counts,
            "chance": self.learner.module.chance(),
            "measures": self.learner.module.measures(),
            "images_per_second": images / watch.seconds,
            "seconds_per_step": watch.seconds / watch.steps,
            "waiting_for_data": watch.waited / watch.seconds,
            "peak_memory": peak_memory(self.fabric.device),
        }
        self._write(record)
        if self.fabric.is_global_zero:
            self.idle.look(self.iteration, record["measures"])
        self.progress.show(means, images / watch.seconds)

    def _evaluate(self) -> bool:
        assert self.evaluator is not None
        results = self.evaluator(self.network(), self.fabric)
        self.learner.train()
        score = self.selection.score(results)
        best = self.selection.update(score, self.iteration)
        metrics = {
            f"{name}/{metric}": number.value
            for name, task in results.tasks.items()
            for metric, number in task.numbers.items()
        }
        self._write({"kind": "validation", "iteration": self.iteration, "score": score, "metrics": metrics})
        numbers = "  ".join(f"{name} {task.primary} {task.score:.3f}" for name, task in results.tasks.items())
        self.progress.say(f"iteration {self.iteration}  {numbers}{'  (best so far)' if best else ''}")
        return best

    def _write(self, record: dict[str, Any]) -> None:
        if self.fabric.global_rank == 0:
            self.run.log(record)
            if self.board is not None:
                self.board.write(record)

    # -- checkpoints -----------------------------------------------------------------------------------------------

    def _save(self, best: bool) -> None:
        if self.fabric.global_rank == 0:
            state = {
                "iteration": self.iteration,
                "learner": self.learner.module.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "precision": self.fabric.strategy.precision.state_dict(),
                "ema": None if self.ema is None else self.ema.state_dict(),
                "selection": self.selection.state_dict(),
            }
            self.run.checkpoints.save(self.iteration, self.network().state_dict(), state, best)
        self.fabric.barrier()

    def _restore(self) -> None:
        if not self.run.checkpoints.has("last"):  # stopped before the first checkpoint: begin again
            self.run.forget_after(0)
            return
        folder = self.run.checkpoints.find("last")
        state = load_state(folder / "state.pt")
        try:
            self.learner.module.load_state_dict(state["learner"])
            if self.ema is not None:
                self.ema.load_state_dict(state["ema"])
            self.optimiser.load_state_dict(state["optimiser"])
        except (RuntimeError, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(
                f"the checkpoint {folder} does not fit the recipe of the run ({reason}): was it edited?"
            ) from error
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        self.selection.load_state_dict(state["selection"])
        self.iteration = state["iteration"]
        if self.fabric.global_rank == 0:
            self.run.forget_after(self.iteration)
        self.fabric.barrier()
