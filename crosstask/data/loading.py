"""Samples to batches, in worker processes: an endless loader for training, an exact one for evaluation."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Literal, NamedTuple

import torch
from torch.utils.data import DataLoader

from crosstask.data.dataset import Dataset
from crosstask.data.sample import Batch, Sample, collate
from crosstask.data.seeding import generator_of
from crosstask.data.stream import Shares, Stream, consecutive
from crosstask.errors import DataError

log = logging.getLogger(__name__)

Transform = Callable[[Sample, torch.Generator], Sample]
OnError = Literal["fatal", "skip"]


class _Loaded(NamedTuple):
    """What a worker hands over: batches, what was wrong with the samples passed over, and what nothing could mend."""

    batches: list[Batch]
    passed_over: list[str]
    fatal: str | None

    def unpack(self) -> list[Batch]:
        """The batches.

        Raises:
            DataError: in the process that trains, as one line without the traceback of the worker.
        """
        if self.fatal is not None:
            raise DataError(self.fatal)
        return self.batches


class TrainLoader:
    """Batches of random, augmented samples, without end: every batch is full, also when it is larger than the data set.

    Args:
        dataset: the samples, at least one.
        transform: ``transform(sample, generator) -> Sample``, brings them to one size.
        shares: the size of a batch and this process's part of it.
        seed: seed of order and augmentation; they depend on nothing else.
        workers: processes that load; 0 loads in this one.
        pin_memory: put batches into page-locked memory, for a GPU.
        on_error: what a broken file does: ``fatal`` raises DataError; ``skip`` logs the row once and takes the sample
            of the next draw in its place (augmented as its own draw says), so every process keeps its batch size.

    Raises:
        DataError: the data set is empty.
    """

    def __init__(
        self,
        dataset: Dataset,
        transform: Transform,
        shares: Shares,
        seed: int,
        workers: int = 0,
        pin_memory: bool = False,
        on_error: OnError = "fatal",
    ) -> None:
        if not len(dataset):
            raise DataError("there is nothing to train on: the training split has no rows")
        self.shares = shares
        self._source = _Draws(dataset, transform, Stream(len(dataset), seed), on_error)
        self._options = _options(workers, pin_memory)
        self._told: set[str] = set()

    def batches(self, start: int, stop: int) -> Iterator[Batch]:
        """The micro-batches of this process, ``shares.parts`` for each iteration from ``start`` to ``stop`` - 1.

        Raises:
            DataError: a file is broken and ``on_error`` is fatal, or every file is.
        """
        draws = _Lists(lambda: self.shares.draws(start, stop))
        for loaded in DataLoader(self._source, batch_sampler=draws, **self._options):  # type: ignore[arg-type]
            for fault in loaded.passed_over:
                if fault not in self._told:
                    self._told.add(fault)
                    log.warning("passed over: %s", fault)
            yield from loaded.unpack()


class EvalLoader:
    """All samples once, in order; a batch holds neighbours of one image size. Workers persist between passes.

    Args:
        dataset: the samples.
        transform: ``transform(sample, generator) -> Sample``; its generator depends on the index of the sample.
        batch: the most samples in a batch.
        rank: this process.
        ranks: number of processes; each gets a slice, no sample is in two.
        workers: processes that load; 0 loads in this one.
        pin_memory: put batches into page-locked memory, for a GPU.
    """

    def __init__(
        self,
        dataset: Dataset,
        transform: Transform,
        batch: int,
        rank: int = 0,
        ranks: int = 1,
        workers: int = 0,
        pin_memory: bool = False,
    ) -> None:
        lists = consecutive(len(dataset), batch, rank, ranks)
        self.samples = sum(map(len, lists))
        options = {**_options(workers, pin_memory), "persistent_workers": workers > 0}
        self._loader: Iterable[_Loaded] = DataLoader(_All(dataset, transform), batch_sampler=lists, **options)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        """One pass.

        Raises:
            DataError: a file is missing or broken, or a label is not valid.
        """
        for loaded in self._loader:
            yield from loaded.unpack()


class _Draws:
    """The samples of a list of draws as one batch."""

    def __init__(self, dataset: Dataset, transform: Transform, stream: Stream, on_error: OnError) -> None:
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
        raise DataError(
            faults.pop() if self.attempts == 1 else f"none of the samples can be read, the last: {faults[-1]}"
        )


class _All:
    """The samples of a list of indices, as batches of neighbours of one size."""

    def __init__(self, dataset: Dataset, transform: Transform) -> None:
        self.dataset = dataset
        self.transform = transform

    def __getitems__(self, indices: Sequence[int]) -> _Loaded:
        try:
            samples = [self.transform(self.dataset[index], generator_of("evaluation", index)) for index in indices]
        except DataError as error:
            return _Loaded([], [], str(error))
        return _Loaded([collate(list(run)) for _, run in groupby(samples, key=lambda sample: sample.size)], [], None)


class _Lists:
    """Lists of draws, made while they are asked for."""

    def __init__(self, lists: Callable[[], Iterable[list[int]]]) -> None:
        self.lists = lists

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.lists())


def _options(workers: int, pin_memory: bool) -> dict[str, Any]:
    return {
        "num_workers": workers,
        "pin_memory": pin_memory,
        "collate_fn": _as_loaded,
        "worker_init_fn": _start_worker,
        "generator": torch.Generator(),  # the loader draws a seed for its workers: not from the global generator
    }


def _as_loaded(loaded: _Loaded) -> _Loaded:
    return loaded


def _start_worker(_: int) -> None:
    """One thread per worker; Ctrl-C is answered by the process that trains."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
