"""Batch work on a Ray of two nodes of this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crosstask.engine import Engine
from crosstask.errors import RecipeError, RunError
from tests.engine.made import Kept, die, refuse, square

ignored = pytest.mark.filterwarnings("ignore")  # of Ray's own


def test_without_ray_one_line_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RunError, match=r"pip install 'crosstask\[ray\]'"):
        next(Engine("ray").map(square, [1]))


def test_a_cluster_that_is_not_there_is_one_line():
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'crosstask[ray]'")
    with pytest.raises(RunError, match=r"no Ray cluster can be reached"):
        next(Engine("127.0.0.1:1").map(square, [1]))


def test_no_workers_elsewhere_is_refused():
    """It was done by nobody, without a word."""
    with pytest.raises(RecipeError, match="--workers is 0, which is this process alone, and --on 'auto'"):
        Engine("auto", 0)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'crosstask[ray]'")
    from crosstask.engine.cluster import _library

    ray = _library()
    from ray.cluster_utils import Cluster

    store = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=store)
    cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20)
    ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
    yield ray
    ray.shutdown()
    cluster.shutdown()


@pytest.mark.slow
@ignored
def test_values_order_and_errors_are_those_of_processes(cluster):
    assert len([node for node in cluster.nodes() if node["Alive"]]) == 2
    items = list(range(12))
    engine = Engine("auto")
    assert [each.value for each in engine.map(square, items, ordered=True)] == [item * item for item in items]
    with pytest.raises(RuntimeError, match="Odd: item 2 is odd"):
        list(engine.map(refuse, [1, 2, 3]))


@pytest.mark.slow
@ignored
def test_a_worker_killed_on_the_way_costs_nothing(cluster, tmp_path):
    work = Kept(tmp_path, frozenset({2, 5}))
    said: list[tuple[int, int]] = []
    found = list(Engine("auto").map(work, list(range(9)), progress=lambda *now: said.append(now)))
    assert sorted(each.value for each in found) == [item * item for item in range(9)]
    assert [len(work.times(item)) for item in range(9)] == [1, 1, 2, 1, 1, 2, 1, 1, 1]
    assert said[-1] == (9, 9)


@pytest.mark.slow
@ignored
def test_an_item_that_kills_every_worker_is_given_up(cluster):
    found = {each.item: each for each in Engine("auto").map(die, [0, 1, 2], attempts=2)}
    assert found[1].status == "died"
    assert "Ray: " in found[1].reason
    assert (found[0].value, found[2].value) == (0, 2)


@pytest.mark.slow
@ignored
def test_regions_are_bit_equal_to_those_of_one_process(cluster, tmp_path: Path):
    from crosstask.regions import Slic, make_regions
    from tests.regions.made import images, read_rgb

    jobs = images(tmp_path, 6)
    make_regions(jobs, Slic(segments=9), read_rgb, Engine(workers=0))
    elsewhere = [job._replace(target=tmp_path / "ray" / job.target.name) for job in jobs]
    first = make_regions(elsewhere[:4], Slic(segments=9), read_rgb, Engine("auto"))
    state = make_regions(elsewhere, Slic(segments=9), read_rgb, Engine("auto"))
    assert (first.made, state.made, state.kept) == (4, 2, 4)
    for job, other in zip(jobs, elsewhere, strict=True):
        assert job.target.read_bytes() == other.target.read_bytes()


@pytest.mark.slow
@ignored
def test_check_finds_the_same(cluster, tmp_path: Path):
    from crosstask.data.check.check import check
    from crosstask.data.table.table import read_table
    from tests.tiny import write_tiny

    table = read_table(write_tiny(tmp_path))
    assert check(table, engine=Engine("auto")).plain() == check(table).plain()


@pytest.mark.slow
@ignored
def test_predictions_are_the_same_files(cluster, tmp_path: Path):
    from crosstask.evaluation.predict import predict
    from tests.evaluation.toys import Pixelwise, every_kind
    from tests.regions.made import images

    tasks = every_kind()
    folder = images(tmp_path, 5)[0].source.parent
    predict(Pixelwise(tasks), tasks, [folder], tmp_path / "here")
    predict(Pixelwise(tasks), tasks, [folder], tmp_path / "there", engine=Engine("auto"))
    here, there = (
        {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
        for out in (tmp_path / "here", tmp_path / "there")
    )
    assert here == there
