"""Labels that a network made are trained on and never measured on, nor taken for given ones by a protocol."""

import pytest

from crosstask.data.options import DataOptions
from crosstask.data.sample import collate
from crosstask.data.table.table import Table, read_table, write_table
from crosstask.splits import load_splits
from crosstask.tasks import Depth, Tagging
from tests.tiny import write_tiny

TASKS = {"depth": Depth("depth"), "tags": Tagging("tags", classes=["cat", "sofa"])}


@pytest.fixture
def path(tmp_path):
    table = read_table(write_tiny(tmp_path))
    columns = (*table.columns, "depth.source", "depth.weight")
    for index, row in enumerate(table.rows):
        if index in (0, 3):  # a training and a test row
            row |= {"depth.source": "net", "depth.weight": "0.5"}
    return write_table(Table(table.path, columns, table.rows)).path


def test_no_split_to_measure_on_has_them(path):
    splits = load_splits(DataOptions(str(path), validation_fraction=0.5), TASKS)
    assert not splits.test[0].targets["depth"].known().any()
    assert splits.test[1].targets["depth"].known().all()
    assert splits.test[0].targets["tags"].known().all()
    for dataset in (splits.validation, splits.test):
        assert not any(dataset[index].made for index in range(len(dataset)))


def test_they_are_trained_on_and_known_for_what_they_are(path):
    splits = load_splits(DataOptions(str(path), validation_fraction=0), TASKS)
    samples = [splits.train[index] for index in range(2)]
    batch = collate(samples)
    assert samples[0].targets["depth"].known().all()
    assert {name: made.tolist() for name, made in batch.made.items()} == {"depth": [True, False]}
    assert splits.train.given()[:, 0].tolist() == [False, True, True, True, True, True]


def test_protocols_choose_among_given_labels_and_keep_the_others(path):
    splits = load_splits(DataOptions(str(path), labels="one", validation_fraction=0), TASKS)
    assert splits.train.labelled()[0].all()  # the made one beside its one given label
    assert (splits.train.given().sum(1) == 1).all()
