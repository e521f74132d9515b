"""Packed tables: the bytes, the cells and the batches of the table itself."""

from __future__ import annotations

import itertools
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from crosstask.cli import main
from crosstask.data.check.check import check
from crosstask.data.decode.files import load_image
from crosstask.data.loading.dataset import TableDataset
from crosstask.data.loading.loader import training_loader
from crosstask.data.shards.pack import pack
from crosstask.data.table.table import read_table, write_table
from crosstask.data.transforms.chains import augmentation
from crosstask.errors import DataError, UserError
from crosstask.experiment import Experiment
from crosstask.recipe import Recipe
from crosstask.tasks import Category, Depth, Segmentation, Tagging
from crosstask.training.checkpoint import load_state
from crosstask.training.run import Run
from tests.tiny import write_recipe, write_tiny

TASKS = {
    "semantic": Segmentation("semantic", classes=3),
    "depth": Depth("depth"),
    "tags": Tagging("tags", classes=["cat", "sofa"]),
    "place": Category("place", classes=["indoor", "outdoor"]),
}


@pytest.fixture
def table(tmp_path) -> Path:
    path = write_tiny(tmp_path / "set")
    source = read_table(path)
    rows = [dict(row) for row in source.rows]
    rows[1]["depth"] = rows[2]["semantic"] = ""
    np.save(tmp_path / "set" / "depth" / "000.npy", np.ones((32, 48), np.float32))
    rows[0]["depth"] = "depth/000.npy"
    return write_table(replace(source, rows=rows)).path


def test_members_are_the_files_and_cells_are_theirs(table, tmp_path):
    done = pack(table, tmp_path / "shards", shard_bytes=20_000)
    assert done.shards > 2
    before, after = read_table(table), read_table(tmp_path / "shards")
    files = before.file_columns()
    assert after.file_columns() == files
    for index, (row, packed) in enumerate(zip(before.rows, after.rows, strict=True)):
        assert {key: cell for key, cell in row.items() if key not in files and cell} == {
            key: cell for key, cell in packed.items() if key not in files and cell
        }
        for column in files:
            assert bool(row[column]) == bool(packed.get(column))
            if row[column]:
                name, where, member = packed[column].split("/")
                offset, size = map(int, where.split("+"))
                content = (tmp_path / "shards" / name).read_bytes()[offset : offset + size]
                assert content == before.resolve(index, column).read_bytes()
                with tarfile.open(tmp_path / "shards" / name) as tar:
                    assert tar.extractfile(member).read() == content


def test_webdataset_reads_the_shards(table, tmp_path):
    webdataset = pytest.importorskip(
        "webdataset", reason="webdataset is not installed: pip install 'crosstask[shards]'"
    )
    pack(table, tmp_path / "shards", shard_bytes=20_000)
    samples = []
    for shard in sorted((tmp_path / "shards").glob("*.tar")):
        with open(shard, "rb") as stream:
            members = webdataset.tariterators.tar_file_expander([{"url": str(shard), "stream": stream}])
            samples += list(webdataset.tariterators.group_by_keys(members))
    source = read_table(table)
    assert [json.loads(sample["json"])["id"] for sample in samples] == source.ids
    assert samples[4]["image.png"] == source.resolve(4, "image").read_bytes()
    assert "depth.png" not in samples[1]
    assert samples[0]["depth.npy"] == source.resolve(0, "depth").read_bytes()
    assert json.loads(samples[0]["json"])["place"] == source.rows[0]["place"]


def batches(path: Path, start: int = 0, rank: int = 0, world: int = 1, workers: int = 0):
    dataset = TableDataset(read_table(path), TASKS, "train")
    transform = augmentation((24, 32), zoom=(1.0, 1.5), flip=True, colour=0.2)
    loader = training_loader(
        dataset, transform, batch_size=2, seed=3, start=start, rank=rank, world=world, workers=workers
    )
    return list(itertools.islice(loader, 5))


def same(first, second) -> bool:
    tensors = zip(first.targets.values(), second.targets.values(), strict=True)
    return (
        first.ids == second.ids
        and torch.equal(first.images, second.images)
        and all(torch.equal(one.nan_to_num(-9), other.nan_to_num(-9)) for one, other in tensors)
    )


def test_batches_are_bit_equal_from_any_batch_on_and_over_ranks(table, tmp_path):
    pack(table, tmp_path / "shards", shard_bytes=20_000)
    for options in ({}, {"start": 7}, {"rank": 1, "world": 3}):
        for mine, theirs in zip(batches(table, **options), batches(tmp_path / "shards", **options), strict=True):
            assert same(mine, theirs)


def test_an_interrupted_packing_goes_on(table, tmp_path, monkeypatch):
    whole = pack(table, tmp_path / "whole", shard_bytes=20_000)

    def stop(done: int, total: int) -> None:
        if done > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(table, tmp_path / "shards", shard_bytes=20_000, progress=stop)
    assert not (tmp_path / "shards" / "table.jsonl").exists()
    done = pack(table, tmp_path / "shards", shard_bytes=20_000)
    assert 0 < done.kept < done.shards == whole.shards
    for path in (tmp_path / "whole").glob("[!.]*"):
        assert (tmp_path / "shards" / path.name).read_bytes() == path.read_bytes()


def test_faults_are_one_line(table, tmp_path):
    pack(table, tmp_path / "shards", shard_bytes=20_000)
    with pytest.raises(UserError, match="shards of another table"):
        pack(table, tmp_path / "shards", shard_bytes=30_000)
    shard = tmp_path / "shards" / "000001.tar"
    shard.write_bytes(shard.read_bytes()[:600])
    packed = read_table(tmp_path / "shards")
    index = next(index for index, row in enumerate(packed.rows) if row["image"].startswith("000001.tar"))
    with pytest.raises(DataError, match=r"000001\.tar ends before byte .*pack it again"):
        load_image(packed.resolve(index, "image"))
    shard.unlink()
    with pytest.raises(DataError, match=r"000001\.tar/.*no such file"):
        load_image(packed.resolve(index, "image"))
    read_table(table).resolve(5, "image").unlink()
    with pytest.raises(DataError, match=r"row '005', column image: .*005\.png"):
        pack(table, tmp_path / "other")
    assert not list((tmp_path / "other").glob("*.tar"))


def test_a_command_packs_and_others_read_it(table, tmp_path, capsys):
    assert main(["pack", str(table), "--out", str(tmp_path / "shards"), "--quiet"]) == 0
    assert "1 shards (0 were there already)" in capsys.readouterr().out
    first, second = check(read_table(table)).plain(), check(read_table(tmp_path / "shards")).plain()
    assert first["classes"] == second["classes"]
    assert first["depths"] == second["depths"]
    assert [each["severity"] for each in first["findings"]] == [each["severity"] for each in second["findings"]]
    assert main(["regions", str(tmp_path / "shards"), "--by", "grid", "--workers", "0"]) == 0
    assert len(read_table(tmp_path / "shards" / "table_regions.jsonl")) == 8


@pytest.mark.slow
def test_training_on_shards_is_training_on_the_table(tmp_path):
    table = write_tiny(tmp_path / "set")
    pack(table, tmp_path / "shards", shard_bytes=20_000)
    states = []
    for name, given in (("a", table), ("b", tmp_path / "shards")):
        (tmp_path / name).mkdir()
        recipe = Recipe.load(write_recipe(tmp_path / name, given))
        assert Experiment(recipe, tmp_path / name / "run", quiet=True).fit().status == "finished"
        states.append(load_state(Run(tmp_path / name / "run").checkpoints.find("last") / "state.pt")["learner"])
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
