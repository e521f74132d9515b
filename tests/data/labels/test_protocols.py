"""Label protocols: subsets of the labels with the promised counts, the same for the same seed and ids."""

from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor

from crosstask.data.labels.protocols import assign, hold_out
from crosstask.errors import DataError, RecipeError

TASKS = ["semantic", "depth", "normals"]
PROTOCOLS = ["full", "one", "random", "fraction:0.3"]


def ids_of(count: int) -> list[str]:
    return [f"{number:05}" for number in range(count)]


def full(count: int, tasks: int = 3) -> Tensor:
    return torch.ones(count, tasks, dtype=torch.bool)


def patchy(count: int) -> Tensor:
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(0)) < torch.tensor([0.9, 0.8, 0.7])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_protocol_keeps_a_subset_that_follows_from_seed_and_ids(protocol):
    labelled, ids = patchy(200), ids_of(200)
    keep = assign(labelled, protocol, 3, ids, TASKS)
    assert keep.dtype == torch.bool
    assert keep.shape == labelled.shape
    assert not (keep & ~labelled).any()
    assert torch.equal(keep, assign(labelled, protocol, 3, ids, TASKS))
    order = torch.randperm(200, generator=torch.Generator().manual_seed(1))
    shuffled = assign(labelled[order], protocol, 3, [ids[i] for i in order], TASKS)
    assert torch.equal(keep[order], shuffled)
    if protocol != "full":
        assert not torch.equal(keep, assign(labelled, protocol, 4, ids, TASKS))
    assert torch.equal(assign(torch.zeros_like(labelled), protocol, 3, ids, TASKS), torch.zeros_like(labelled))


def test_global_randomness_is_left_alone():
    before = torch.get_rng_state()
    for protocol in PROTOCOLS:
        assign(full(20), protocol, 0, ids_of(20), TASKS)
    hold_out(ids_of(20), 0.1, 0)
    assert torch.equal(before, torch.get_rng_state())


def test_full_keeps_everything():
    assert torch.equal(assign(patchy(50), "full", 0, ids_of(50), TASKS), patchy(50))


@pytest.mark.parametrize("count", [795, 796, 2])
def test_one_is_balanced(count):
    keep = assign(full(count), "one", 0, ids_of(count), TASKS)
    assert (keep.sum(1) == 1).all()
    per_task = keep.sum(0)
    assert per_task.max() - per_task.min() <= 1


def test_one_is_random_from_sample_to_sample():
    """Each of the 9 ordered pairs of tasks of neighbouring samples is about equally frequent."""
    choice = assign(full(9000), "one", 0, ids_of(9000), TASKS).int().argmax(1)
    pairs = torch.bincount(choice[::2] * 3 + choice[1::2], minlength=9)
    assert (pairs - 500).abs().max() < 5 * 500**0.5


def test_one_balances_what_can_be_balanced():
    labelled = torch.zeros(90, 3, dtype=torch.bool)
    labelled[:, 0] = True
    labelled[:60, 1] = True
    labelled[:30, 2] = True
    keep = assign(labelled, "one", 0, ids_of(90), TASKS)
    assert keep.sum(0).tolist() == [30, 30, 30]
    keep = assign(patchy(1000), "one", 0, ids_of(1000), TASKS)
    assert torch.equal(keep.sum(1) == 1, patchy(1000).any(1))


def test_random_keeps_one_to_all_but_one():
    keep = assign(full(6000), "random", 0, ids_of(6000), TASKS)
    sizes = torch.bincount(keep.sum(1), minlength=4)
    assert sizes[0] == sizes[3] == 0
    assert abs(int(sizes[1]) - 3000) < 200
    subsets = torch.bincount((keep * torch.tensor([1, 2, 4])).sum(1), minlength=8)
    assert (subsets[[1, 2, 3, 4, 5, 6]] - 1000).abs().max() < 160
    only = full(10) & torch.tensor([False, True, False])
    assert torch.equal(assign(only, "random", 0, ids_of(10), TASKS), only)


def test_fractions_are_exact_nested_and_independent():
    labelled, ids = patchy(500), ids_of(500)
    counts = labelled.sum(0)
    last = torch.zeros_like(labelled)
    for share in (0.01, 0.1, 0.5, 0.9, 1):
        keep = assign(labelled, f"fraction:{share}", 0, ids, TASKS)
        assert keep.sum(0).tolist() == [max(round(share * count), 1) for count in counts.tolist()]
        assert not (last & ~keep).any()
        last = keep
    assert torch.equal(last, labelled)
    both = assign(full(4000), "fraction:0.5", 0, ids_of(4000), TASKS)
    assert abs(int((both[:, 0] & both[:, 1]).sum()) - 1000) < 150


def test_a_task_keeps_its_labels_when_others_join():
    labelled, ids = full(100, 2), ids_of(100)
    two = assign(labelled, "fraction:0.2", 0, ids, ["semantic", "depth"])
    three = assign(full(100), "fraction:0.2", 0, ids, ["normals", "semantic", "depth"])
    assert torch.equal(two, three[:, 1:])


def test_lists(tmp_path):
    path = tmp_path / "lists.json"
    path.write_text(
        json.dumps({"semantic": ["00000", "00002", "elsewhere"], "depth": ["00001"], "normals": [], "x": []})
    )
    labelled = full(4)
    labelled[2, 0] = False
    keep = assign(labelled, f"lists:{path}", 0, ids_of(4), TASKS)
    assert keep.nonzero().tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot read the lists"),
        ("[]", "holds no lists"),
        ('{"semantic": "00000"}', "holds no lists"),
        ('{"semantic": [], "depht": []}', "lists no task 'depth' (did you mean 'depht'?)"),
        ('{"semantic": ["0", "1"], "depth": [], "normals": []}', "task semantic: none of the 2 ids has a label"),
    ],
)
def test_bad_lists(tmp_path, content, words):
    path = tmp_path / "lists.json"
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        assign(full(4), f"lists:{path}", 0, ids_of(4), TASKS)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_lists(tmp_path):
    with pytest.raises(DataError, match=r"none\.json"):
        assign(full(4), f"lists:{tmp_path / 'none.json'}", 0, ids_of(4), TASKS)


@pytest.mark.parametrize(
    "protocol",
    ["", "on", "one:2", "fraction", "fraction:", "fraction:0", "fraction:1.5", "fraction:x", "fraction:nan", "lists"],
)
def test_bad_protocols(protocol):
    with pytest.raises(RecipeError, match="labels: ") as caught:
        assign(full(4), protocol, 0, ids_of(4), TASKS)
    assert repr(protocol) in str(caught.value)
    assert "fraction:" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_hold_out_follows_from_seed_and_ids():
    ids = ids_of(795)
    held = hold_out(ids, 0.1, 0)
    assert len(held) == 80
    assert held < set(ids)
    assert held == hold_out(ids[::-1], 0.1, 0)
    assert held != hold_out(ids, 0.1, 1)
    assert len(hold_out(["a", "b"], 0.01, 0)) == len(hold_out(["a", "b"], 0.99, 0)) == 1


@pytest.mark.parametrize(("count", "fraction"), [(10, 0), (10, 1), (10, -1), (1, 0.5), (0, 0.5)])
def test_impossible_hold_outs(count, fraction):
    with pytest.raises(RecipeError, match="cannot hold out"):
        hold_out(ids_of(count), fraction, 0)
