"""Files appear whole or not at all, and what killed processes left is removed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from crosstask import writing
from crosstask.claims import claimed
from crosstask.writing import is_part, sweep, whole, whole_folder, write

PART = ".last.0123456789ab.part"


def test_the_old_content_stays_when_writing_fails(tmp_path, monkeypatch):
    write(tmp_path / "last", "old")

    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(writing.os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        write(tmp_path / "last", b"new")
    assert (tmp_path / "last").read_text() == "old"
    assert os.listdir(tmp_path) == ["last"]


def test_folders_are_made_and_a_file_is_replaced_at_once(tmp_path):
    write(tmp_path / "deep" / "a.bin", b"one")
    with whole(tmp_path / "deep" / "a.bin") as part:
        assert part.suffix == ".bin"
        part.write_bytes(b"two")
        assert (tmp_path / "deep" / "a.bin").read_bytes() == b"one"
    assert os.listdir(tmp_path / "deep") == ["a.bin"]
    assert (tmp_path / "deep" / "a.bin").read_bytes() == b"two"
    (tmp_path / "folder.bin").mkdir()
    with pytest.raises(OSError, match=r"folder\.bin"):
        write(tmp_path / "folder.bin", b"three")
    assert sorted(os.listdir(tmp_path)) == ["deep", "folder.bin"]


def test_a_folder_appears_with_all_its_files(tmp_path):
    with whole_folder(tmp_path / "000001") as part:
        (part / "state.pt").write_bytes(b"state")
        assert os.listdir(tmp_path) == [part.name]
    assert (tmp_path / "000001" / "state.pt").read_bytes() == b"state"
    with pytest.raises(KeyError), whole_folder(tmp_path / "000002") as part:
        raise KeyError
    assert os.listdir(tmp_path) == ["000001"]


def test_what_nobody_holds_is_removed_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / PART).write_text("left by a killed process")
    (tmp_path / ".checkpoint.0123456789ab.part").mkdir()
    (tmp_path / ".hidden").write_text("a user's")
    with whole(tmp_path / "other.txt") as held:
        monkeypatch.setattr(writing, "_swept", set())
        code = f"from pathlib import Path; from crosstask.writing import sweep; sweep(Path({str(tmp_path)!r}))"
        subprocess.run([sys.executable, "-c", code], check=True)
        assert sorted(os.listdir(tmp_path)) == sorted([".hidden", held.name])
    assert is_part(held.name)
    assert not is_part("other.txt")


def test_a_folder_is_looked_through_once(tmp_path):
    sweep(tmp_path)
    (tmp_path / PART).write_text("")
    sweep(tmp_path)
    assert os.listdir(tmp_path) == [PART]


def test_many_threads_write_to_one_folder(tmp_path):
    (tmp_path / PART).write_text("")
    threads = [threading.Thread(target=write, args=(tmp_path / str(n), str(n), False)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: (tmp_path / name).read_text() for name in os.listdir(tmp_path)} == {str(n): str(n) for n in range(16)}


def test_a_claim_is_one_at_a_time_and_ends_with_the_process(tmp_path):
    file = tmp_path / ".lock"
    with claimed(file) as first:
        with claimed(file) as second:
            assert (first, second) == (True, False)
        code = (
            "import sys; from pathlib import Path; from crosstask.claims import claimed\n"
            f"with claimed(Path({str(file)!r})) as mine: print(mine)"
        )
        assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout == b"False\n"
    assert not file.exists()
    killed = code.replace("print(mine)", "import os; os.fork() or __import__('time').sleep(9); os.kill(os.getpid(), 9)")
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", killed])
    assert process.wait() == -signal.SIGKILL  # while a child it had forked lives on
    assert Path(file).exists()
    with claimed(file) as mine:
        assert mine
    assert not file.exists()
