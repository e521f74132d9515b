"""The loop: batches in, a trained network and its checkpoints out."""

from __future__ import annotations

import copy
import itertools
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import _FabricOptimizer
from torch import Tensor

from crosstask.data.sample import Batch
from crosstask.errors import NotFinite, RunError
from crosstask.evaluation.results import Results
from crosstask.evaluation.watchdog import doubts
from crosstask.learner.learner import Learner
from crosstask.networks.ema import EMA
from crosstask.recipe.training import TrainingOptions
from crosstask.seeding import derive, seed_device
from crosstask.training.ahead import ahead
from crosstask.training.checkpoint import load_state
from crosstask.training.collective import any_rank, equal_buffers, reduced
from crosstask.training.cost import Stopwatch, peak_memory
from crosstask.training.interrupt import Interrupt
from crosstask.training.journal import Journal
from crosstask.training.loggers import Tracker
from crosstask.training.optimisers import build_optimiser, learning_rate, parameter_groups
from crosstask.training.progress import TrainingProgress
from crosstask.training.run import Run
from crosstask.training.runtime import compile_network
from crosstask.training.selection import Selection
from crosstask.training.sharded import is_sharded, whole
from crosstask.training.silent import SilentTerms
from crosstask.training.state import TrainingState
from crosstask.training.step import accumulate_gradients

log = logging.getLogger(__name__)


class Loader(Protocol):
    """Endless micro-batches of one rank, from a given position on."""

    def __call__(self, start: int, rank: int, world: int) -> Iterable[Batch]:
        """Batches from step `start` on, for this rank of `world`."""


class Evaluator(Protocol):
    """Measures a network on the validation split; says after each batch that it goes on."""

    def __call__(self, network: torch.nn.Module, fabric: Fabric, alive: Callable[[], None]) -> Results:
        """Measures the network on the validation split; `alive` is called as it goes."""


class Reference(Protocol):
    """What the training labels' mean or mode reaches on the validation split."""

    def __call__(self, fabric: Fabric, alive: Callable[[], None]) -> Results:
        """Measures it."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended: ``finished``, ``stopped early`` or ``interrupted``, at which iteration, and the best one;
    whether a scheduler asked for the interruption and will start it again."""

    status: str
    iteration: int
    best_iteration: int | None
    requeue: bool = False


class Trainer:
    """Trains a :class:`Learner` and keeps everything in a run directory.

    A step is a function of the checkpoint before it: order, augmentation, dropout and the objectives' draws are all
    derived from (seed, iteration), so that a resumed run ends with the same bits as an uninterrupted one.

    Args:
        learner: network, objectives and balancer.
        loader: gives this rank's micro-batches.
        evaluator: measures on the validation split; None when there is none.
        prior: measures the prior there, once, when the run ends.
        iterations: length of the run.
        options: see :class:`TrainingOptions`.
        run: where everything is written.
        fabric: launched; see :func:`~crosstask.training.runtime.make_fabric`.
        quiet: show no progress.
        trackers: get every record of the run.
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
        trackers: Sequence[Tracker] = (),
        prior: Reference | None = None,
    ) -> None:
        self.prior = prior
        self.last_results: Results | None = None
        self.options, self.run, self.fabric = options, run, fabric
        self.loader, self.evaluator, self.iterations = loader, evaluator, iterations
        self.evaluate_every = options.evaluate_every or max(iterations // 10, 1)
        self.checkpoint_every = options.checkpoint_every or self.evaluate_every
        self.quiet = quiet or fabric.global_rank > 0
        if options.channels_last:
            learner.network.to(memory_format=torch.channels_last)
        ema = EMA(learner.network, options.ema) if options.ema is not None else None
        plain = copy.deepcopy(learner.network) if is_sharded(fabric) and ema is None else None
        if options.compile:  # after the copies: what is compiled computes with the weights it was compiled for
            compile_network(learner.network)
        self.trained_by = [own for own, _ in parameter_groups(learner, options)]  # like the groups of the optimiser
        self.learner: Any = fabric.setup_module(learner)
        self.optimiser: _FabricOptimizer = fabric.setup_optimizers(build_optimiser(learner, options))  # type: ignore[assignment]
        for each in (ema, plain):
            if each is not None:
                each.to(fabric.device)
        self.state = TrainingState(
            fabric, self.learner, self.optimiser, ema, Selection(options.monitor), plain,
            silent=SilentTerms(iterations),
        )  # fmt: skip
        self.journal = Journal(run, fabric.global_rank == 0, trackers)

    # -- the run ---------------------------------------------------------------------------------------------------

    def fit(self, resume: bool = False) -> Outcome:
        """Train to the end, until patience runs out, or until interrupted.

        Raises:
            RunError: a loss or a weight is not finite, or nothing can be written; the last checkpoint is intact.
        """
        state = self.state
        if resume and self.run.checkpoints.has("last"):  # else it was stopped before the first: begin again
            folder = self.run.checkpoints.find("last")
            state.restore(load_state(folder / "state.pt"), folder)
            if self.fabric.global_rank == 0 and state.selection.best_iteration == state.iteration:
                self.run.checkpoints.name_best(state.iteration)  # it was killed before it could
        self.journal.begin(state.iteration)
        self.fabric.barrier()
        status = "finished"
        with TrainingProgress(self.iterations, state.iteration, self.quiet) as self.bar, Interrupt() as interrupt:
            micro_batches = self._micro_batches()
            watch = Stopwatch()
            self.learner.train()
            while state.iteration < self.iterations:
                began = time.perf_counter()
                batches = list(itertools.islice(micro_batches, self.options.accumulate))
                watch.waited += time.perf_counter() - began
                self._step(batches)
                watch.seconds += time.perf_counter() - began
                watch.steps += 1
                state.iteration += 1
                self.bar.step()
                interrupt.alive()
                last = state.iteration == self.iterations
                if state.iteration % self.options.log_every == 0 or last:
                    self._log(watch)
                    watch = Stopwatch()
                evaluates = self.evaluator is not None and (state.iteration % self.evaluate_every == 0 or last)
                stop = any_rank(self.fabric, interrupt.requested)
                if evaluates or stop or last or state.iteration % self.checkpoint_every == 0:
                    state.equalise()
                    self._require_finite()
                    best = evaluates and self._evaluate(interrupt)
                    tired = self.options.patience is not None and state.selection.misses >= self.options.patience
                    if stop or last or best or tired or state.iteration % self.checkpoint_every == 0:
                        self._save(best)
                    if (stop or tired) and not last:
                        status = "interrupted" if stop else "stopped early"
                        break
            if status != "interrupted":
                self._doubt(interrupt)
        self.journal.close("aborted" if status == "interrupted" else "success")
        selection = state.selection
        best_iteration = selection.best_iteration if selection.best is not None else None
        return Outcome(status, state.iteration, best_iteration, interrupt.requeue)

    # -- parts of an iteration -------------------------------------------------------------------------------------

    def _micro_batches(self) -> Iterator[Batch]:
        start = self.state.iteration * self.options.accumulate
        loaded = self.loader(start, self.fabric.global_rank, self.fabric.world_size)
        return ahead(map(self._placed, loaded))

    def _placed(self, batch: Batch) -> Batch:
        batch = batch.to(self.fabric.device, non_blocking=True)
        if self.options.channels_last:
            batch.images = batch.images.contiguous(memory_format=torch.channels_last)
        return batch

    def _step(self, batches: list[Batch]) -> None:
        options, iteration = self.options, self.state.iteration
        seed_device(self.fabric.device, derive(options.seed, "step", iteration, self.fabric.global_rank))
        for group, own in zip(self.optimiser.param_groups, self.trained_by, strict=True):
            group["lr"] = learning_rate(iteration, self.iterations, own)
        self.optimiser.zero_grad(set_to_none=True)
        if is_sharded(self.fabric):
            equal_buffers(self.fabric, [self.learner.module])  # as DDP does with each forward
        terms = accumulate_gradients(
            self.fabric, self.learner, batches, iteration=iteration, iterations=self.iterations, seed=options.seed
        )
        if options.clip is not None:
            norm = self.fabric.clip_gradients(
                self.learner, self.optimiser, max_norm=options.clip, error_if_nonfinite=False
            )
            self._require_finite_gradient(norm, batches)
        self.optimiser.step()
        if self.state.ema is not None:
            self.state.ema.update(self.learner.module.network)
        self.learner.module.after_step(iteration)
        for micro in terms:
            self.state.means.add(micro)

    def _require_finite_gradient(self, norm: Tensor | None, batches: list[Batch]) -> None:
        if norm is None or self.options.precision == "fp16" or bool(torch.isfinite(whole(norm))):
            return
        ids = ", ".join(name for batch in batches for name in batch.ids)
        raise RunError(f"the gradient is not finite although the loss is, for the samples {ids}; {self._remedy()}")

    def _require_finite(self) -> None:
        """Nothing is measured, saved or removed before all that would be saved is known to be finite."""
        name = self.state.not_finite()
        if name is None:
            return
        raise RunError(
            f"{name} is not finite after iteration {self.state.iteration}, so nothing was saved; {self._remedy()}"
        )

    def _remedy(self) -> str:
        lower = f"--training.lr {self.options.lr / 10:g} (or --training.clip 1)"
        if not self.run.checkpoints.has("last"):
            return f"begin anew with {lower}"
        kept = int(self.run.checkpoints.find("last").name)
        return f"the checkpoint of iteration {kept} is intact: go on with --resume {self.run.path} {lower}"

    def _log(self, watch: Stopwatch) -> None:
        options, learner = self.options, self.learner.module
        means, counts = self.state.means.read(reduced(self.fabric, self.state.means.stacked()))
        images = watch.steps * options.batch_size * options.accumulate * self.fabric.world_size
        measures = learner.measures()
        self.journal.write(
            {
                "kind": "train",
                "iteration": self.state.iteration,
                "lr": learning_rate(self.state.iteration - 1, self.iterations, options),
                "terms": means,
                "counts": counts,
                "chance": learner.chance(),
                "measures": measures,
                "images_per_second": images / watch.seconds,
                "seconds_per_step": watch.seconds / watch.steps,
                "waiting_for_data": watch.waited / watch.seconds,
                "peak_memory": peak_memory(self.fabric.device),
            }
        )
        if self.fabric.is_global_zero:
            self.state.idle.look(self.state.iteration, measures)
            self.state.silent.look(self.state.iteration, means, learner.factors(self.state.iteration - 1))
        self.bar.show(means, images / watch.seconds)

    def _evaluate(self, interrupt: Interrupt) -> bool:
        assert self.evaluator is not None
        try:
            results = self.evaluator(self.state.network(), self.fabric, interrupt.alive)
        except NotFinite as error:
            return self._not_measured(error.args[0])
        finally:
            self.learner.train()
        score = self.state.selection.score(results)
        best = self.state.selection.update(score, self.state.iteration)
        self.journal.validation(self.state.iteration, results, score, best, self.bar)
        self.last_results = results
        return best

    def _not_measured(self, task: str) -> bool:
        """Weights that predict NaN are no best ones. Training may get over it; it ends where they are NaN too."""
        iteration = self.state.iteration
        if self.fabric.global_rank == 0:
            log.warning("iteration %d is not measured, the network predicts NaN or infinity for %s; if it stays so, %s",
                        iteration, task, self._remedy())  # fmt: skip
        return self.state.selection.update(math.nan, iteration)

    def _doubt(self, interrupt: Interrupt) -> None:
        """Say what the last numbers show that nobody asks."""
        results = self.last_results
        if results is None:
            return
        prior = None if self.prior is None else self.prior(self.fabric, interrupt.alive)
        if self.fabric.global_rank == 0:
            for doubt in doubts(results, prior):
                log.warning("watch out: %s", doubt)

    def _save(self, best: bool) -> None:
        state, network = self.state.capture(), self.state.network()
        if self.fabric.global_rank == 0:
            self.run.checkpoints.save(self.state.iteration, network.state_dict(), state, best)
        self.fabric.barrier()
