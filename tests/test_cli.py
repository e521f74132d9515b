"""The command line by itself."""

from __future__ import annotations

import io
import sys

import pytest

from crosstask.cli import main


def test_a_terminal_that_knows_ascii_alone_gets_what_it_can_show(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stderr", stream)
    assert main(["eval", "läufe/eins"]) == 2
    stream.flush()
    assert b"l\\xe4ufe/eins" in stream.buffer.getvalue()


def test_no_line_is_endless(capsys):
    assert main(["check", "x" * 200 + ".csv", "--recipe", "y" * 3000]) == 2
    assert len(capsys.readouterr().err) < 500


def test_a_recipe_given_as_a_table_is_told(capsys):
    assert main(["check", "mine.yaml"]) == 2
    assert "mine.yaml is a recipe, no table: crosstask check --recipe mine.yaml" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")]
)
def test_too_little_memory_is_no_fault(capsys, monkeypatch, tmp_path, error):
    def fail(*_):
        raise error

    (tmp_path / "a.csv").write_text("image\na.png\n")
    monkeypatch.setattr("crosstask.data.table.sources.load_tables", fail)
    assert main(["check", str(tmp_path / "a.csv")]) == 1
    assert "not enough memory" in capsys.readouterr().err
