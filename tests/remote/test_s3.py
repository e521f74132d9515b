"""A table in a bucket of a real S3 server trains as the same table on a disk."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
import torch

from crosstask.cli import main
from crosstask.data.table.table import read_table, write_table
from crosstask.experiment import Experiment
from crosstask.recipe import Recipe
from crosstask.training.checkpoint import load_state
from crosstask.training.run import Run
from tests.tiny import write_recipe, write_tiny

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of the server's libraries
]


@pytest.fixture(scope="module")
def bucket():
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed: pip install 'crosstask[dev]'")
    server = pytest.importorskip("moto.server", reason="moto is not installed: pip install 'crosstask[dev]'")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    address = f"http://{host}:{port}"
    before = dict(os.environ)
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "hidden", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address,
    }  # fmt: skip
    client = boto3.client("s3", endpoint_url=address)
    client.create_bucket(Bucket="set")
    yield client
    running.stop()
    os.environ.clear()
    os.environ.update(before)


def moved(table, client):
    """The table with its files in the bucket."""
    files = table.file_columns()
    rows = []
    for index, row in enumerate(table.rows):
        row = dict(row)
        for column in files:
            if row.get(column):
                client.upload_file(str(table.resolve(index, column)), "set", row[column])
                row[column] = f"s3://set/{row[column]}"
        rows.append(row)
    return replace(table, rows=rows)


def trained(folder, table, workers):
    recipe = Recipe.load(write_recipe(folder, table), [f"--data.workers={workers}", "--training.iterations=3"])
    experiment = Experiment(recipe, folder / "run", quiet=True)
    assert experiment.fit().status == "finished"
    return load_state(Run(folder / "run").checkpoints.find("last") / "state.pt")


def test_training_is_bit_equal(bucket, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CROSSTASK_CACHE", str(tmp_path / "cache"))
    local = read_table(write_tiny(tmp_path / "local"))
    there = write_table(moved(local, bucket), tmp_path / "remote" / "data.csv").path
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = trained(tmp_path / "a", local.path, 0), trained(tmp_path / "b", there, 2)
    weights, others = first["learner"], second["learner"]
    assert weights
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert main(["check", str(there), "--workers", "0", "--json"]) == main(
        ["check", str(local.path), "--workers", "0", "--json"]
    )
    assert main(["regions", str(there), "--by", "grid", "--workers", "2"]) == 0
    assert main(["regions", str(local.path), "--by", "grid", "--workers", "0"]) == 0
    made = sorted(path.read_bytes() for path in there.parent.rglob("regions/**/*.png"))
    assert made == sorted(path.read_bytes() for path in local.folder.rglob("regions/**/*.png"))
    capsys.readouterr()

    key = next(row["image"] for row in read_table(there).rows).removeprefix("s3://set/")
    bucket.delete_object(Bucket="set", Key=key)
    monkeypatch.setenv("CROSSTASK_CACHE", str(tmp_path / "empty"))
    assert main(["check", str(there), "--workers", "0"]) == 2
    said = " ".join(capsys.readouterr().out.split())
    assert "no such file: check the URL" in said
    assert "hidden" not in said
