from __future__ import annotations

import errno
import os
import pickle
import shutil

import pytest
import torch

from crosstask.errors import RunError, UserError
from crosstask.training import checkpoint
from crosstask.training.checkpoint import Checkpoints, load_state, load_weights


def save(checkpoints: Checkpoints, iteration: int, best: bool = False) -> None:
    checkpoints.save(iteration, {"w": torch.full((2,), float(iteration))}, {"iteration": iteration}, best)


def test_last_and_best_are_kept_and_others_removed(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for iteration, best in ((1, False), (2, True), (3, False), (4, False)):
        save(checkpoints, iteration, best)
    assert checkpoints.names() == ["000002", "000004"]
    assert load_state(checkpoints.find("last") / "state.pt") == {"iteration": 4}
    assert load_weights(checkpoints.find("best") / "network.safetensors")["w"].tolist() == [2.0, 2.0]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_no_checkpoint_is_one_clear_line(tmp_path):
    with pytest.raises(UserError, match=r"no best checkpoint in .*: train first"):
        Checkpoints(tmp_path).find("best")


@pytest.mark.parametrize("failing", ["save_file", "state"])
def test_a_full_disk_leaves_the_checkpoint_before(tmp_path, monkeypatch, failing):
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 1)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if failing == "state":
        monkeypatch.setattr(checkpoint.torch, "save", full)
    else:
        monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(RunError, match=r"No space left.*iteration 1 is intact.*--resume"):
        save(checkpoints, 2)
    assert checkpoints.names() == ["000001"]
    assert load_state(checkpoints.find("last") / "state.pt") == {"iteration": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000001", "last"]


def test_pickles_are_never_executed(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    for name in ("state.pt", "network.safetensors"):
        (tmp_path / name).write_bytes(pickle.dumps(Evil(), protocol=2))
    with pytest.raises(UserError, match="is not a checkpoint of tensors and plain values"):
        load_state(tmp_path / "state.pt")
    with pytest.raises(UserError, match="is not a safetensors file"):
        load_weights(tmp_path / "network.safetensors")
    assert not (tmp_path / "executed").exists()


def test_truncated_state_is_one_clear_line(tmp_path):
    torch.save({"a": torch.ones(100)}, tmp_path / "state.pt")
    whole = (tmp_path / "state.pt").read_bytes()
    (tmp_path / "state.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"state\.pt is not a checkpoint") as caught:
        load_state(tmp_path / "state.pt")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["", "nowhere", "../elsewhere"])
def test_a_damaged_pointer_costs_no_checkpoint(tmp_path, damage):
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 1, best=True)
    save(checkpoints, 2)
    (tmp_path / "last").write_text(damage)
    checkpoints.remove_stale()
    assert checkpoints.names() == ["000001", "000002"]


def test_what_a_killed_run_had_left_to_do_is_done(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 1)
    (tmp_path / "last").unlink()  # killed before the first pointer was there
    checkpoints.tidy()
    assert load_state(checkpoints.find("last") / "state.pt") == {"iteration": 1}
    save(checkpoints, 2)
    shutil.copytree(tmp_path / "000002", tmp_path / "000001")  # ... and before older ones were removed
    checkpoints.tidy()
    assert checkpoints.names() == ["000002"]
    Checkpoints(tmp_path / "none").tidy()
    assert not (tmp_path / "none").exists()
