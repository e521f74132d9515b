"""A run that is killed before or after any of its renames goes on as if it had not been."""

from __future__ import annotations

import os
from itertools import count

import pytest

from benchmarks.campaign.kills import call
from benchmarks.campaign.seen import different, files, leftovers
from tests.tiny import write_recipe, write_tiny

KILLED = 77


def killed_at(number: int, after: bool):
    """Ends the process at this rename, just before or just after it; for a process that was forked for it."""
    rename, renames = os.replace, count()

    def replace(*paths):
        due = next(renames) == number
        if due and not after:
            os._exit(KILLED)
        rename(*paths)
        if due:
            os._exit(KILLED)

    os.replace = replace


@pytest.mark.slow
def test_whichever_rename_it_was(tmp_path):
    recipe = write_recipe(tmp_path, write_tiny(tmp_path), "evaluate_every: 2, checkpoint_every: 1, ema: 0.5")
    typed = ["train", str(recipe), "--out", "run", "--quiet", "--resume", "auto", "--training.iterations", "3"]
    whole = tmp_path / "whole"
    whole.mkdir()
    assert call(typed, whole) == 0
    expected = files(whole)
    for number in count():
        for after in (False, True):
            folder = tmp_path / f"{number}{after}"
            folder.mkdir()
            code = call(typed, folder, prepare=lambda number=number, after=after: killed_at(number, after))
            if code == 0:  # it has no such rename
                assert number > 10
                return
            assert code == KILLED
            assert call(typed, folder) == 0, (folder / "said.txt").read_text()
            assert different(expected, files(folder)) == [], (number, after)
            assert leftovers(folder) == []
