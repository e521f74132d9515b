"""One pass, a fixed number of floats per image, resumed where it was left."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch

from crosstask.claims import claimed
from crosstask.data.sample import Batch
from crosstask.errors import UserError
from crosstask.evaluation.by_row import LOCK, by_row


class _Many:
    """A data set of ids alone."""

    def __init__(self, count: int) -> None:
        self.ids = [str(index) for index in range(count)]

    def __len__(self) -> int:
        return len(self.ids)


def _batches(size: int, seen: list[str]):
    def batches(dataset):
        for start in range(0, len(dataset.ids), size):
            ids = dataset.ids[start : start + size]
            seen.extend(ids)
            yield Batch(torch.zeros(len(ids), 3, 1, 1), {}, ids, None, torch.zeros(len(ids), 4), {})

    return batches


def _measure(batch: Batch) -> torch.Tensor:
    return torch.tensor([[float(name), float(name) ** 2] for name in batch.ids])


def test_a_hundred_thousand_images_are_looked_at_once_and_cost_a_few_floats_each(tmp_path):
    dataset, seen = _Many(100_000), []
    tracemalloc.start()
    table = by_row(dataset, _batches(1000, seen), _measure, 2, tmp_path, ["w"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen == dataset.ids
    assert np.array_equal(table[:, 0], np.arange(100_000, dtype=np.float32))
    assert table.nbytes == 8 * 100_000
    assert peak < 100_000 * 8 + 30_000_000  # the table, the ids that `seen` holds and are hashed, one batch


def test_goes_on_where_it_was_interrupted_and_begins_anew_for_other_weights(tmp_path):
    dataset, seen = _Many(50), []

    def broken(batch):
        if "33" in batch.ids:
            raise KeyboardInterrupt
        return _measure(batch)

    with pytest.raises(KeyboardInterrupt):
        by_row(dataset, _batches(4, seen), broken, 2, tmp_path, ["w"], chunk=10)
    seen.clear()
    table = by_row(dataset, _batches(4, seen), _measure, 2, tmp_path, ["w"], chunk=10)
    assert seen[0] == "30"
    assert np.array_equal(table[:, 0], np.arange(50, dtype=np.float32))
    seen.clear()
    again = by_row(dataset, _batches(4, seen), _measure, 2, tmp_path, ["w"], chunk=10)
    assert not seen
    assert np.array_equal(again, table)
    by_row(dataset, _batches(4, seen), _measure, 2, tmp_path, ["other"], chunk=10)
    assert len(seen) == 50


def test_a_damaged_chunk_is_made_again(tmp_path):
    dataset, seen = _Many(20), []
    by_row(dataset, _batches(4, []), _measure, 2, tmp_path, ["w"], chunk=10)
    (tmp_path / "000000010.npy").write_bytes(b"nothing")
    table = by_row(dataset, _batches(4, seen), _measure, 2, tmp_path, ["w"], chunk=10)
    assert seen[0] == "10"
    assert table[19, 1] == 361


def test_one_process_at_a_time_writes_there(tmp_path):
    with claimed(tmp_path / LOCK), pytest.raises(UserError, match="another process writes there: wait for it"):
        by_row(_Many(3), _batches(4, []), _measure, 2, tmp_path, ["w"])
