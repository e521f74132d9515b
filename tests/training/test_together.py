"""What one process of a run says of the others."""

from __future__ import annotations

import pytest
from torch.distributed import TCPStore

from crosstask.training.together import _Watch


@pytest.mark.parametrize(("rank", "lines"), [(1, 1), (2, 0)])
def test_the_loss_of_the_store_is_said_once_and_by_one(rank, lines, monkeypatch, capfd):
    kept = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(kept.port))
    watch = _Watch(rank, 3)
    del kept  # as process 0 does where it is killed
    assert not watch.fail()
    assert not watch.fail()
    said = capfd.readouterr().err.splitlines()
    assert len([line for line in said if "process 0, which keeps the store, ended without a word" in line]) == lines


def test_who_leaves_talks_to_the_store_no_more(monkeypatch):
    kept = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(kept.port))
    watches = [_Watch(rank, 2) for rank in (1, 0)]
    for watch in watches:
        watch.start()
    for watch in watches:
        watch.leave()  # a thread within the store's code would abort a process that ends
        assert not watch.is_alive()
        assert not watch.answers.is_alive()
