"""Loaders: what a batch holds follows from its number, whoever loads it, and a broken file stops or is passed over."""

from __future__ import annotations

import logging
import multiprocessing
import random
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision import tv_tensors

from crosstask.data.loading.loader import evaluation_loader, training_loader
from crosstask.data.loading.stream import Draws, MixedStream, SharedStream, Stream, apportion, consecutive
from crosstask.data.sample import Batch, Sample
from crosstask.errors import DataError
from crosstask.tasks.targets import Map, as_target


class Numbers:
    """Images filled with their own number; some of them broken, some larger."""

    def __init__(self, count: int, broken: frozenset[int] = frozenset(), large: frozenset[int] = frozenset()) -> None:
        self.ids = [str(number) for number in range(count)]
        self.broken = broken
        self.large = large

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        if index in self.broken:
            raise DataError(f"row {index} is broken")
        side = 4 if index in self.large else 2
        image = tv_tensors.Image(torch.full((3, side, side), float(index)))
        return Sample(self.ids[index], image, {"depth": as_target(Map, torch.full((1, side, side), float(index)))})

    def labelled(self) -> Tensor:
        return torch.ones(len(self), 1, dtype=torch.bool)

    def keep(self, mask: Tensor) -> Numbers:
        return self


def jittered(sample: Sample, generator: torch.Generator) -> Sample:
    noise = torch.rand((), generator=generator)
    return sample.map(lambda tensor: tensor + noise)


def plain(sample: Sample, generator: torch.Generator) -> Sample:
    return sample


def loader(dataset, **options):
    return training_loader(dataset, **{"transform": jittered, "batch_size": 4, "seed": 0, **options})


def take(batches, count: int) -> list[Batch]:
    return list(islice(batches, count))


def same(ones: list[Batch], others: list[Batch]) -> bool:
    return len(ones) == len(others) and all(
        a.ids == b.ids and torch.equal(a.images, b.images) and torch.equal(a.targets["depth"], b.targets["depth"])
        for a, b in zip(ones, others, strict=True)
    )


def test_every_epoch_has_every_sample_once_in_another_order():
    stream = Stream(10, 0)
    epochs = [[stream.index(draw) for draw in range(10 * epoch, 10 * epoch + 10)] for epoch in range(6)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 6
    assert [Stream(10, 1).index(draw) for draw in range(10)] != epochs[0]
    draws = [torch.rand(3, generator=stream.generator(draw)).tolist() for draw in (0, 1, 0)]
    assert draws[0] == draws[2] != draws[1]


@pytest.mark.parametrize("share", [0.5, 0.25, 0.3])
def test_a_share_of_the_draws_takes_samples_with_labels(share):
    labelled, unlabelled = [4, 7], [0, 1, 2, 3, 5, 6]
    stream = SharedStream(labelled, unlabelled, share, seed=0)
    draws = [stream.index(draw) for draw in range(240)]
    for start in range(0, 240, 8):
        count = sum(index in labelled for index in draws[start : start + 8])
        assert abs(count - 8 * share) < 1
    for part in (labelled, unlabelled):
        taken = [index for index in draws if index in part]
        whole = len(taken) // len(part) * len(part)
        epochs = [taken[first : first + len(part)] for first in range(0, whole, len(part))]
        assert all(sorted(epoch) == part for epoch in epochs)
        assert len({tuple(epoch) for epoch in epochs}) > 1
    assert torch.equal(*(torch.rand(2, generator=each.generator(3)) for each in (stream, Stream(8, 0))))


def test_a_share_means_nothing_where_all_samples_are_alike():
    assert same(take(loader(Numbers(7), labelled_share=0.5), 3), take(loader(Numbers(7)), 3))


class Unequal(Numbers):
    """Numbers of which every tenth has labels of the first task, one of both, and the others of the second."""

    def labelled(self) -> Tensor:
        first = torch.arange(len(self)) % 10 == 0
        mask = torch.stack((first, ~first), 1)
        mask[1] = True
        return mask


def test_every_batch_of_a_mixed_stream_holds_every_part_and_cycles_over_each():
    parts = [[4, 7], [0, 1, 2, 3, 5, 6], list(range(10, 40))]
    counts = apportion([len(part) for part in parts], 16)
    assert counts == [1, 2, 13]
    stream = MixedStream(parts, counts, seed=0)
    draws = [stream.index(draw) for draw in range(16 * 30)]
    for start in range(0, len(draws), 16):
        batch = draws[start : start + 16]
        assert [sum(index in part for index in batch) for part in parts] == counts
        assert all(any(index in part for index in half) for half in (batch[:8], batch[8:]) for part in parts[1:])
    for part in parts:
        taken = [index for index in draws if index in part]
        epochs = [
            taken[first : first + len(part)] for first in range(0, len(taken) // len(part) * len(part), len(part))
        ]
        assert all(sorted(epoch) == part for epoch in epochs)
        assert len({tuple(epoch) for epoch in epochs}) > 1


def test_a_batch_holds_one_of_each_part_however_small():
    assert apportion([1000, 10, 1], 4) == [2, 1, 1]
    assert apportion([5, 5], 3) in ([2, 1], [1, 2])
    assert apportion([401, 247, 103], 751) == [401, 247, 103]


def test_mixed_batches_are_the_same_over_processes_and_resume():
    dataset = Unequal(60)
    whole = take(loader(dataset, batch_size=6, mixed=True), 12)
    for batch in whole:
        kinds = {(int(name) == 1) + 2 * (int(name) % 10 == 0) for name in batch.ids}
        assert kinds == {0, 1, 2}
    assert same(whole[7:], take(loader(dataset, batch_size=6, mixed=True, start=7, workers=2), 5))
    shares = [take(loader(dataset, batch_size=2, mixed=True, rank=rank, world=3), 12) for rank in range(3)]
    for batch, parts in zip(whole, zip(*shares, strict=True), strict=True):
        assert batch.ids == [name for part in parts for name in part.ids]
    assert same(take(loader(Numbers(7), mixed=True), 3), take(loader(Numbers(7)), 3))  # one set of labels


def test_more_sets_of_labels_than_samples_in_a_batch():
    with pytest.raises(DataError, match=r"3 different sets of tasks, more than fit into a batch of 2: raise"):
        loader(Unequal(60), batch_size=2, mixed=True)


def test_batches_are_full_when_there_are_fewer_samples():
    ids = Counter(chain.from_iterable(batch.ids for batch in take(loader(Numbers(3)), 6)))
    assert ids == {"0": 8, "1": 8, "2": 8}


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_loader_goes_on_where_the_first_one_was(workers):
    whole = take(loader(Numbers(7)), 9)
    assert same(whole[5:], take(loader(Numbers(7), start=5, workers=workers), 4))
    assert not same(whole[:4], take(loader(Numbers(7), seed=1), 4))
    assert len({float(batch.images[0, 0, 0, 0]) % 1 for batch in whole}) == 9  # no noise is drawn twice


def test_processes_share_the_batches_of_one():
    one = take(loader(Numbers(7), batch_size=6), 5)
    shares = [take(loader(Numbers(7), batch_size=2, rank=rank, world=3), 5) for rank in range(3)]
    for whole, parts in zip(one, zip(*shares, strict=True), strict=True):
        assert whole.ids == [name for part in parts for name in part.ids]
        assert torch.equal(whole.images, torch.cat([part.images for part in parts]))


def test_micro_batches_are_one_large_batch_cut():
    large = take(loader(Numbers(7), batch_size=6), 2)
    small = take(loader(Numbers(7), batch_size=2), 6)
    assert torch.equal(torch.cat([b.images for b in large]), torch.cat([b.images for b in small]))


def test_draws_are_disjoint_slices():
    draws = [take(Draws(2, start=3, rank=rank, world=2), 2) for rank in range(2)]
    assert draws == [[[12, 13], [16, 17]], [[14, 15], [18, 19]]]


@pytest.mark.parametrize("workers", [0, 1])
def test_global_randomness_is_neither_used_nor_changed(workers):
    def state():
        return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002

    torch.manual_seed(0)
    before = state()
    first = take(loader(Numbers(7), workers=workers), 3)
    list(evaluation_loader(Numbers(7), plain, batch_size=4, workers=workers))
    assert state() == before
    torch.manual_seed(1)
    assert same(first, take(loader(Numbers(7), workers=workers), 3))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_file_stops_with_its_own_line(workers):
    batches = loader(Numbers(7, broken=frozenset({3})), workers=workers)
    with pytest.raises(DataError) as caught:
        take(batches, 2)
    assert str(caught.value) == "row 3 is broken"
    with pytest.raises(DataError) as caught:
        list(evaluation_loader(Numbers(7, broken=frozenset({3})), plain, batch_size=4, workers=workers))
    assert str(caught.value) == "row 3 is broken"


@pytest.mark.parametrize("workers", [0, 2])
def test_broken_files_are_passed_over_and_told_once(caplog, workers):
    broken = frozenset({3, 5})
    with caplog.at_level(logging.WARNING):
        batches = take(loader(Numbers(7, broken), on_error="skip", workers=workers), 12)
    assert all(len(batch) == 4 for batch in batches)
    ids = Counter(chain.from_iterable(batch.ids for batch in batches))
    assert set(ids) == {"0", "1", "2", "4", "6"}
    assert sorted(record.message for record in caplog.records) == [
        "passed over: row 3 is broken",
        "passed over: row 5 is broken",
    ]


@pytest.mark.parametrize("workers", [0, 2])
def test_broken_files_are_left_out_of_a_pass_and_told_of(caplog, workers):
    with caplog.at_level(logging.WARNING):
        passes = evaluation_loader(
            Numbers(7, frozenset({0, 1, 5})), plain, batch_size=2, workers=workers, on_error="skip"
        )
        batches = list(passes)
    assert [batch.ids for batch in batches] == [["2", "3"], ["4"], ["6"]]
    assert [record.message for record in caplog.records] == [f"passed over: row {row} is broken" for row in (0, 1, 5)]


def test_the_next_draw_takes_the_place_of_a_broken_one():
    stream = Stream(7, 0)
    broken = frozenset({stream.index(2), stream.index(3)})
    skipping = take(loader(Numbers(7, broken), on_error="skip"), 1)[0]
    whole = take(loader(Numbers(7)), 1)[0]
    expected = [stream.index(draw) for draw in (0, 1, 4, 4)]
    assert skipping.ids == [str(index) for index in expected]
    noise = whole.images[:, 0, 0, 0] - torch.tensor([float(name) for name in whole.ids])
    torch.testing.assert_close(skipping.images[:, 0, 0, 0], torch.tensor(expected) + noise)
    ranks = [take(loader(Numbers(7, broken), batch_size=2, rank=r, world=2, on_error="skip"), 1)[0].ids for r in (0, 1)]
    assert ranks == [skipping.ids[:2], skipping.ids[2:]]


def test_nothing_but_broken_files_stops():
    batches = loader(Numbers(3, broken=frozenset(range(3))), on_error="skip")
    with pytest.raises(DataError, match=r"no sample after another can be read, the last: row \d is broken"):
        next(batches)


def test_nothing_to_train_on():
    with pytest.raises(DataError, match="nothing to train on"):
        loader(Numbers(0))


@pytest.mark.parametrize("workers", [0, 1])
def test_images_of_several_sizes_say_what_to_set(workers):
    batches = loader(Numbers(7, large=frozenset({1})), workers=workers)
    with pytest.raises(DataError, match=r"a batch needs images of one size, found .*: set data\.size"):
        take(batches, 2)


def test_faults_of_the_code_keep_their_traceback():
    def wrong(sample, generator):
        raise KeyError("a fault of the transform")

    with pytest.raises(KeyError):
        next(loader(Numbers(7), transform=wrong))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(("count", "world"), [(7, 1), (7, 3), (2, 3), (0, 1)])
def test_evaluation_has_every_sample_once_in_order(workers, count, world):
    ids = []
    for rank in range(world):
        batches = evaluation_loader(Numbers(count), plain, batch_size=3, rank=rank, world=world, workers=workers)
        passes = [[name for batch in batches for name in batch.ids] for _ in range(2)]
        assert passes[0] == passes[1]
        ids += passes[0]
    assert ids == Numbers(count).ids


def test_evaluation_batches_are_of_one_size():
    dataset = Numbers(8, large=frozenset({2, 3, 7}))
    batches = list(evaluation_loader(dataset, jittered, batch_size=4))
    assert [batch.ids for batch in batches] == [["0", "1"], ["2", "3"], ["4", "5", "6"], ["7"]]
    again = list(evaluation_loader(dataset, jittered, batch_size=8))
    assert torch.equal(again[0].images, batches[0].images)


def test_slices_differ_by_at_most_one():
    sizes = [sum(map(len, consecutive(10, 2, rank, 4))) for rank in range(4)]
    assert sum(sizes) == 10
    assert max(sizes) - min(sizes) <= 1


def test_workers_end_properly_though_a_thread_fetches_their_batches():
    before = multiprocessing.active_children()
    batches = loader(Numbers(8), workers=1)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(next, batches).result()
    (worker,) = (child for child in multiprocessing.active_children() if child not in before)
    batches.close()
    worker.join(timeout=10)
    assert worker.exitcode == 0


@pytest.mark.slow
def test_a_program_that_still_holds_its_loader_ends():
    program = """
from crosstask.data.loading.loader import training_loader
from crosstask.rooms.dataset import RoomsDataset
batches = training_loader(RoomsDataset(4, {}, size=(16, 24)), lambda s, g: s, batch_size=2, seed=0, workers=2)
next(batches)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
