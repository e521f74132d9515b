"""Samples to batches, in worker processes: an endless loader for training, an exact one for evaluation."""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from multiprocessing import queues
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader

from crosstask.data.loading.dataset import Dataset
from crosstask.data.loading.readable import OnError, readable, tell
from crosstask.data.loading.stream import Draws, MixedStream, SharedStream, Stream, apportion, consecutive
from crosstask.data.loading.waking import wake_workers, woken_after
from crosstask.data.sample import Batch, Sample, collate
from crosstask.errors import DataError
from crosstask.seeding import generator

Transform = Callable[[Sample, torch.Generator], Sample]

_PIXELS = 2**22
"""The most pixels of a batch of evaluation with more than one image: predictions are as large as the images."""


def training_loader(
    dataset: Dataset,
    transform: Transform,
    *,
    batch_size: int,
    seed: int,
    labelled_share: float | None = None,
    mixed: bool = False,
    start: int = 0,
    rank: int = 0,
    world: int = 1,
    workers: int = 0,
    timeout: int = 0,
    pin_memory: bool = False,
    on_error: OnError = "fatal",
) -> Iterator[Batch]:
    """Batches of random, augmented samples, without end: each is full, even where it is larger than the data set.

    Args:
        dataset: the samples, at least one.
        transform: ``transform(sample, generator) -> Sample``, brings them to one size.
        batch_size: samples per batch and process.
        seed: seed of order and augmentation; they depend on nothing else.
        labelled_share: part of each batch drawn from samples with a label of any task, where there are others too;
            None draws all samples alike.
        mixed: each batch of all processes holds samples of every set of labels there is (of these tasks and no other),
            at least one and otherwise in proportion to how many there are.
        start: number of the first batch, 0 unless a run is resumed.
        rank: this process.
        world: number of processes.
        workers: processes that load; 0 loads in this one.
        timeout: seconds a batch may take them; 0 for any.
        pin_memory: put batches into page-locked memory, for a GPU.
        on_error: what a broken file does: ``fatal`` raises; ``skip`` logs the row once and takes the sample of the next
            draw in its place (augmented as its own draw says), so every process keeps its batch size.

    Raises:
        DataError: the data set is empty, or there are more sets of labels than samples in a batch; while iterating: a
            file is broken and ``on_error`` is fatal, or all are.
    """
    if not len(dataset):
        raise DataError("there is nothing to train on: the training split has no rows")
    stream = _mixed(dataset, seed, batch_size * world) if mixed else _stream(dataset, seed, labelled_share)
    source = _Random(dataset, transform, stream, on_error)
    draws = Draws(batch_size, start, rank, world)
    loaded: Iterable[_Loaded] = DataLoader(source, batch_sampler=draws, **_options(workers, timeout, pin_memory))  # type: ignore[arg-type]
    return _reported(
        _arriving(iter(loaded), timeout)
    )  # workers start here: those that a thread has forked cannot end properly


def evaluation_loader(
    dataset: Dataset,
    transform: Transform,
    *,
    batch_size: int,
    rank: int = 0,
    world: int = 1,
    workers: int = 0,
    timeout: int = 0,
    pin_memory: bool = False,
    on_error: OnError = "fatal",
) -> Iterable[Batch]:
    """All samples once, in order; a batch holds neighbours of one image size, as many as have 4 million pixels at most
    where that is fewer. Can be iterated again and again.

    Args:
        dataset: the samples.
        transform: ``transform(sample, generator) -> Sample``; its generator depends on the index of the sample.
        batch_size: the most samples in a batch.
        rank: this process.
        world: number of processes; each gets its slice, no sample is in two.
        workers: processes that load, kept between passes; 0 loads in this one.
        timeout: seconds a batch may take them; 0 for any.
        pin_memory: put batches into page-locked memory, for a GPU.
        on_error: what a broken file does: ``fatal`` raises; ``skip`` logs the row and leaves it out.

    Raises:
        DataError: while iterating: a file is missing or broken, or a label is not valid, and ``on_error`` is fatal.
    """
    lists = consecutive(len(dataset), batch_size, rank, world)
    options = {**_options(workers, timeout, pin_memory), "persistent_workers": workers > 0}
    source = _Ordered(dataset, transform, on_error)
    return _Passes(DataLoader(source, batch_sampler=lists, **options), timeout if workers else 0)  # type: ignore[arg-type]


def _stream(dataset: Dataset, seed: int, labelled_share: float | None) -> Stream | SharedStream:
    if labelled_share is not None:
        labelled = dataset.labelled().any(1)
        if labelled.any() and not labelled.all():
            with_labels, without = (part.nonzero()[:, 0].tolist() for part in (labelled, ~labelled))
            return SharedStream(with_labels, without, labelled_share, seed)
    return Stream(len(dataset), seed)


def _mixed(dataset: Dataset, seed: int, batch_size: int) -> MixedStream:
    _, members, sizes = dataset.labelled().unique(dim=0, return_inverse=True, return_counts=True)
    try:
        counts = apportion(sizes.tolist(), batch_size)
    except ValueError:
        raise DataError(
            f"the samples are labelled for {len(sizes)} different sets of tasks, more than fit into a batch of "
            f"{batch_size}: raise training.batch_size, or set data.mixed to false"
        ) from None
    parts = [(members == number).nonzero()[:, 0].tolist() for number in range(len(sizes))]
    return MixedStream(parts, counts, seed)


class _Loaded(NamedTuple):
    """What a worker hands over. Faults travel as text: an exception would arrive with the worker's traceback in it.

    Attributes:
        batches: the samples.
        passed_over: what is wrong with rows that were left out.
        fatal: what is wrong with a row that may not be.
        lost: why batches that were loaded could not be handed over.
    """

    batches: list[Batch]
    passed_over: list[str]
    fatal: str | None
    lost: str | None = None

    def unpack(self) -> list[Batch]:
        if self.lost is not None:
            raise RuntimeError(self.lost)
        if self.fatal is not None:
            raise DataError(self.fatal)
        return self.batches


class _Random:
    """The samples of a list of draws as one batch."""

    def __init__(
        self, dataset: Dataset, transform: Transform, stream: Stream | SharedStream | MixedStream, on_error: OnError
    ) -> None:
        self.dataset = dataset
        self.transform = transform
        self.stream = stream
        self.attempts = len(dataset) if on_error == "skip" else 1

    def __getitems__(self, draws: Sequence[int]) -> _Loaded:
        faults: list[str] = []
        try:
            samples = [self._sample(draw, faults) for draw in draws]
        except DataError as error:
            return _Loaded([], faults, str(error))
        try:
            return _Loaded([collate(samples)], faults, None)
        except ValueError as error:
            return _Loaded([], faults, str(error))

    def _sample(self, draw: int, faults: list[str]) -> Sample:
        for attempt in range(self.attempts):
            try:
                sample = self.dataset[self.stream.index(draw + attempt)]
            except DataError as error:
                faults.append(str(error))
            else:
                return self.transform(sample, self.stream.generator(draw))
        last = faults.pop()
        raise DataError(last if self.attempts == 1 else f"no sample after another can be read, the last: {last}")


class _Ordered:
    """The samples of a list of indices, as batches of neighbours of one size."""

    def __init__(self, dataset: Dataset, transform: Transform, on_error: OnError) -> None:
        self.dataset = dataset
        self.transform = transform
        self.on_error = on_error

    def __getitems__(self, indices: Sequence[int]) -> _Loaded:
        faults: list[str] = []
        there = readable(self.dataset, indices, self.on_error, faults.append)
        try:
            samples = [self.transform(sample, generator("evaluation", index)) for index, sample in there]
        except DataError as error:
            return _Loaded([], faults, str(error))
        batches = []
        for (height, width), run in groupby(samples, key=lambda sample: sample.size):
            alike, most = list(run), max(_PIXELS // (height * width), 1)
            batches += [collate(alike[first : first + most]) for first in range(0, len(alike), most)]
        return _Loaded(batches, faults, None)


class _Passes:
    """Every iteration is one pass."""

    def __init__(self, loader: Iterable[_Loaded], timeout: float) -> None:
        self.loader, self.timeout = loader, timeout

    def __iter__(self) -> Iterator[Batch]:
        return _reported(_arriving(iter(self.loader), self.timeout))


def _arriving(loaded: Iterator[_Loaded], timeout: float) -> Iterator[_Loaded]:
    """The same; workers of which no batch came are woken, so that they hand it over, or can end."""
    try:
        while True:
            with woken_after(timeout):
                try:
                    arrived = next(loaded)
                except StopIteration:
                    return
            yield arrived
    except BaseException:
        wake_workers()
        raise


atexit.register(wake_workers)  # before multiprocessing waits for them: it was imported, and registered, first


def _reported(arriving: Iterator[_Loaded]) -> Iterator[Batch]:
    """The batches; each row that was passed over is logged once."""
    told: set[str] = set()
    for loaded in arriving:
        for fault in loaded.passed_over:
            if fault not in told:
                told.add(fault)
                tell(fault)
        yield from loaded.unpack()


def _options(workers: int, timeout: int, pin_memory: bool) -> dict[str, Any]:
    return {
        "num_workers": workers,
        "timeout": timeout if workers else 0,
        "pin_memory": pin_memory,
        "collate_fn": _unchanged,
        "worker_init_fn": _start_worker,
        "generator": torch.Generator(),  # the loader draws a seed for its workers: not from the global generator
    }


def _unchanged(loaded: _Loaded) -> _Loaded:
    return loaded


def _start_worker(_: int) -> None:
    """One thread per worker. Ctrl-C and SIGTERM, sent to a whole group, are answered by the process that trains; a
    SIGTERM from that process itself, which is on its way out, ends the worker."""
    torch.set_num_threads(1)
    queues.Queue._on_queue_feeder_error = _hand_over_why  # type: ignore[attr-defined]  # for who makes other queues
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_with_parent, daemon=True).start()
    else:  # macOS, Windows: nobody says who sent it
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _hand_over_why(queue: queues.Queue, error: Exception, item: tuple[int, object]) -> None:
    """In place of what could not be pickled, for want of open files or shared memory say: the process that trains
    would wait for it until its time is up."""
    queue.put((item[0], _Loaded([], [], None, f"{type(error).__name__}: {error}")))


def _end_with_parent() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)
