"""Tables and shards at URLs."""

from __future__ import annotations

import fsspec
import pytest
import torch

from crosstask.data.loading.dataset import TableDataset
from crosstask.data.shards.pack import pack
from crosstask.data.table.sources import load_tables
from crosstask.data.table.table import read_table, write_table
from crosstask.errors import DataError
from crosstask.experiment import Experiment
from crosstask.recipe import Recipe
from crosstask.remote import cache, fetch, url_of
from crosstask.training.checkpoint import load_state
from crosstask.training.run import Run
from tests.data.shards.test_pack import TASKS
from tests.tiny import write_recipe, write_tiny


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("CROSSTASK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fetch, "WAIT", 0.001)
    monkeypatch.setattr(cache, "GRACE", 0.0)


@pytest.fixture
def store(tmp_path):
    """A store that only this process knows, with a table and its shards in it."""
    table = write_tiny(tmp_path / "set")
    pack(table, tmp_path / "shards", shard_bytes=20_000)
    system = fsspec.filesystem("memory")
    for folder in ("set", "shards"):
        for path in (tmp_path / folder).rglob("*"):
            if path.is_file():
                system.pipe(f"/{path.relative_to(tmp_path).as_posix()}", path.read_bytes())
    yield system, table
    system.rm("/set", recursive=True)
    system.rm("/shards", recursive=True)


@pytest.mark.parametrize("url", ["memory://set/data.csv", "memory://shards", "memory://shards/table.jsonl"])
def test_samples_are_those_of_the_table_on_disk(store, url):
    here, there = TableDataset(read_table(store[1]), TASKS), TableDataset(load_tables(url), TASKS)
    assert there.ids == here.ids
    for index in range(len(here)):
        first, second = here[index], there[index]
        assert torch.equal(first.image, second.image)
        for name in TASKS:
            torch.testing.assert_close(first.targets[name], second.targets[name], equal_nan=True, rtol=0, atol=0)


def test_of_a_shard_only_what_is_read_is_fetched(store, tmp_path):
    table = read_table("memory://shards")
    path = fetch.present(table.resolve(0, "image"))
    assert path.stat().st_size < 20_000
    assert url_of(path) == table.rows[0]["image"]
    assert not any(path.is_file() for path in (tmp_path / "cache").rglob("*.tar"))


def test_a_table_that_grows_is_read_as_it_is_now(store):
    system, table = store
    assert len(read_table("memory://set/data.csv")) == 8
    lines = table.read_text().splitlines(keepends=True)
    system.pipe("/set/data.csv", "".join(lines[:5]).encode())
    assert len(read_table("memory://set/data.csv")) == 4


def test_training_is_bit_equal_and_the_rows_of_the_run_name_the_store(store, tmp_path):
    states = []
    for number, table in enumerate((store[1], "memory://shards")):
        folder = tmp_path / str(number)
        folder.mkdir()
        recipe = Recipe.load(write_recipe(folder, table))
        assert Experiment(recipe, folder / "run", quiet=True).fit().status == "finished"
        states.append(load_state(Run(folder / "run").checkpoints.find("last") / "state.pt")["learner"])
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    rows = read_table(tmp_path / "1" / "run" / "labels.csv").rows
    assert all(row["image"].startswith("memory://shards/0") for row in rows)
    assert Experiment.resume(tmp_path / "1" / "run", True).fit().status == "finished"


def test_what_cannot_be_is_one_line(store):
    table = read_table("memory://set/data.csv")
    with pytest.raises(DataError, match=r"memory://set/data.csv: a table is not written to a URL"):
        write_table(table)
    with pytest.raises(DataError, match=r"memory://set/none.csv: cannot be fetched: there is no such file"):
        read_table("memory://set/none.csv")
    store[0].pipe("/shards/000000.tar", b"short")
    with pytest.raises(DataError, match="upload or pack it again"):
        fetch.present(read_table("memory://shards").resolve(0, "image"))
