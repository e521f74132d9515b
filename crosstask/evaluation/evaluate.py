"""From a network and labelled images to a table of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sized
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from types import MappingProxyType

import torch
from torch import Tensor, nn

from crosstask.data.sample import Batch
from crosstask.data.table.table import DERIVED
from crosstask.errors import NotFinite
from crosstask.evaluation.results import Number, Results, TaskResults
from crosstask.tasks.base import Task
from crosstask.tasks.metric import Metric

Progress = Callable[[int, int | None], object]
"""Called with how many are done and how many there are in all (None where that is not known)."""


def evaluate(
    network: nn.Module,
    batches: Iterable[Batch],
    tasks: Mapping[str, Task],
    *,
    device: torch.device | str = "cpu",
    autocast: torch.dtype | None = None,
    all_gather: Callable[[object], list[object]] | None = None,
    progress: Progress | None = None,
    resamples: int = 200,
    level: float = 0.95,
    seed: int = 0,
    settings: Mapping[str, str] | None = None,
) -> Results:
    """Measure ``network`` on ``batches`` with the metric of each task.

    Neither the order of the images, nor how they are batched or spread over ranks, changes the results: the rows of
    all images are brought into the order of their ids first. An image seen twice (by a sampler that fills its last
    batch) counts once. Labels of weight 0 are left out, as they are of losses; all others count alike.

    Args:
        network: images (B, 3, H, W) to raw predictions by task, at the size of the images; an
            :class:`~crosstask.evaluation.inference.Inference` for tiles, several scales and flips.
        batches: batches of one size each; sizes may differ between batches.
        tasks: the tasks to measure; one whose name ends in ``_derived`` is left out, for its labels were computed from
            another task's.
        device: where to compute; the network is expected to be there.
        autocast: compute under autocast with this type (``torch.bfloat16``, say).
        all_gather: with several ranks, each of which has its share of ``batches``: a function that returns the objects
            of all ranks, such as one around ``torch.distributed.all_gather_object``. Every rank returns all results.
        progress: called after each batch with the batches done and their number.
        resamples: resamples of the bootstrap over images; 0 for none, intervals are then NaN.
        level: level of the bootstrap intervals.
        seed: seed of the bootstrap.
        settings: how the network was run, kept with the results.

    Raises:
        NotFinite: a prediction is NaN or infinite; on every rank, whichever of them met it.
    """
    found = evaluate_beside(
        {"": network},
        batches,
        tasks,
        device=device,
        autocast=autocast,
        all_gather=all_gather,
        progress=progress,
        resamples=resamples,
        level=level,
        seed=seed,
        settings={"": settings or {}},
    )
    return found[""]


@torch.inference_mode()
def evaluate_beside(
    networks: Mapping[str, nn.Module],
    batches: Iterable[Batch],
    tasks: Mapping[str, Task],
    *,
    device: torch.device | str = "cpu",
    autocast: torch.dtype | None = None,
    all_gather: Callable[[object], list[object]] | None = None,
    progress: Progress | None = None,
    resamples: int = 200,
    level: float = 0.95,
    seed: int = 0,
    settings: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> dict[str, Results]:
    """Measure several networks on the same batches, which are read once; see :func:`evaluate`.

    Args:
        networks: the networks by name.
        settings: how each was run.
    """
    sets = {
        key: {name: task.metric() for name, task in tasks.items() if not name.endswith(DERIVED)} for key in networks
    }
    ids: list[str] = []
    broken = ""
    total = len(batches) if isinstance(batches, Sized) else None
    with ExitStack() as modes:
        for network in networks.values():
            modes.enter_context(evaluating(network))
        for done, batch in enumerate(batches, 1):
            batch = batch.to(device)
            targets = {name: task.weighed(batch.targets[name], batch.weights.get(name)) for name, task in tasks.items()}
            for key, network in networks.items():
                with autocasting(device, autocast):
                    predictions = network(batch.images)
                broken = broken or not_finite(predictions, sets[key])
                for name, metric in sets[key].items() if not broken else ():
                    metric.update(predictions[name], targets[name])
            if broken and all_gather is None:
                raise NotFinite(broken)
            ids += batch.ids
            if progress is not None:
                progress(done, total)
    shares = [(ids, {key: {name: each.all_rows() for name, each in sets[key].items()} for key in networks}, broken)]
    if all_gather is not None:
        shares = all_gather(shares[0])  # type: ignore[assignment]
    if broken := next((name for *_, name in shares if name), ""):
        raise NotFinite(broken)
    ids = [name for share, *_ in shares for name in share]
    first = {name: index for index, name in reversed(list(enumerate(ids)))}
    ids = sorted(first)
    order = torch.tensor([first[name] for name in ids], dtype=torch.long)
    results = {}
    for key, metrics in sets.items():
        measured = {}
        for name, metric in metrics.items():
            parts = [rows[key][name] for _, rows, _ in shares if len(rows[key][name])]
            rows = torch.cat(parts)[order] if parts else torch.zeros(0, 0, dtype=torch.float64)
            measured[name] = _results(tasks[name], metric, rows, ids, resamples, level, seed)
        labelled = {name for task in measured.values() for name in task.scores}
        said = dict(settings.get(key, {}))
        results[key] = Results(measured, len(ids), level, said, len(ids) - len(labelled))
    return results


def not_finite(predictions: Mapping[str, Tensor], tasks: Iterable[str]) -> str:
    """The first of the tasks for which a prediction is NaN or infinite; "" without one."""
    return next((name for name in tasks if not predictions[name].isfinite().all()), "")


def autocasting(device: torch.device | str, dtype: torch.dtype | None) -> AbstractContextManager[object]:
    """Autocast to ``dtype`` on ``device``; nothing where it is None."""
    return nullcontext() if dtype is None else torch.autocast(torch.device(device).type, dtype)


@contextmanager
def evaluating(network: nn.Module):
    """``network`` in evaluation mode, and back in the modes its parts had."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield network
    finally:
        for module, mode in modes.items():
            module.training = mode


def _results(
    task: Task, metric: Metric, rows: Tensor, ids: list[str], resamples: int, level: float, seed: int
) -> TaskResults:
    counts = [metric.known(row[None]) for row in rows]
    labelled = [index for index, count in enumerate(counts) if count]
    metric.rows = [rows[labelled]] if labelled else []
    values = metric.compute()
    intervals = metric.intervals(resamples, seed, level) if resamples else dict.fromkeys(values, (math.nan, math.nan))
    scores = {ids[index]: metric.of_image(rows[index : index + 1]) for index in labelled}
    return TaskResults(
        kind=task.kind,
        protocol=metric.protocol,
        primary=metric.primary,
        numbers={name: Number(values[name], *intervals[name], sign) for name, sign in metric.better.items()},
        known=sum(counts),
        images=len(labelled),
        per_class=metric.per_class() if labelled else {},
        absent=metric.absent() if labelled else [],
        alone=metric.alone() if labelled else "",
        scores=scores,
        scale=metric.scale,
        single=metric.single,
    )
