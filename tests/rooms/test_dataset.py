"""Rooms as a data set and as files."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from crosstask.data.loading.dataset import TableDataset
from crosstask.data.sample import collate
from crosstask.data.table.table import read_table
from crosstask.errors import RecipeError
from crosstask.rooms import CLASSES, MEASURES, OBJECTS, TYPES, RoomsDataset, export_rooms, make_room
from crosstask.tasks import KINDS

SIZE = (32, 48)


def every_task():
    options = {
        "segmentation": {"classes": list(CLASSES)},
        "tags": {"classes": list(OBJECTS)},
        "category": {"classes": list(TYPES)},
        "scalars": {"names": list(MEASURES)},
        "disparity": {"unit": 1e-4},
    }
    return {f"my {kind}": task(f"my {kind}", **options.get(kind, {})) for kind, task in KINDS.items()}


def digest(room):
    parts = (room.image, room.semantic, room.instances, room.depth, room.normals, room.saliency, room.tags)
    return hashlib.sha256(b"".join(part.numpy().tobytes() for part in parts)).hexdigest()


def test_targets_of_every_kind_are_valid():
    tasks = every_task()
    rooms = RoomsDataset(6, tasks, size=SIZE)
    batch = collate([rooms[index] for index in range(6)])
    assert batch.images.shape == (6, 3, *SIZE)
    assert batch.regions.shape == (6, *SIZE)
    assert batch.intrinsics.isfinite().all()
    for index in range(6):
        for name, task in tasks.items():
            target = rooms[index].targets[name]
            assert type(target) is task.target_type
            assert tuple(target.shape) == task.shape(SIZE)
            assert task.known(target).all()
            task.check(target)


def test_targets_agree_with_each_other():
    for index in range(8):
        room = make_room(2, index, (64, 96))
        seen = [OBJECTS.index(CLASSES[i]) for i in room.semantic.unique().tolist() if CLASSES[i] in OBJECTS]
        assert room.tags.nonzero().flatten().tolist() == seen
        for instance in room.instances.unique().tolist():
            assert len(room.semantic[room.instances == instance].unique()) == 1
        salient = room.instances[room.saliency[0] == 1].unique()
        assert len(salient) <= 1
        fx, fy, cx, cy = room.intrinsics.tolist()
        v, u = torch.meshgrid(torch.arange(64.0), torch.arange(96.0), indexing="ij")
        rays = torch.stack([(u - cx) / fx, -(v - cy) / fy, -torch.ones(64, 96)])
        offset = room.depth[0] * (rays * room.normals).sum(0)
        for face in range(6):
            plane = offset[room.instances == face]
            if len(plane):
                torch.testing.assert_close(plane, plane.mean().expand_as(plane), rtol=2e-5, atol=2e-5)


def test_rooms_depend_on_seed_and_index_alone():
    rooms = RoomsDataset(5, {}, size=SIZE, seed=3)
    forward = [digest(rooms.room(index)) for index in range(5)]
    torch.manual_seed(99)
    assert [digest(rooms.room(index)) for index in reversed(range(5))] == forward[::-1]
    assert digest(RoomsDataset(2, {}, size=SIZE, seed=3, start=3).room(0)) == forward[3]
    assert len({*forward, *(digest(RoomsDataset(5, {}, size=SIZE, seed=4).room(i)) for i in range(5))}) == 10


def test_another_process_draws_the_same_rooms():
    code = (
        f"import sys; sys.path[:0] = [{str(Path(__file__).parents[2])!r}, {str(Path(__file__).parent)!r}];"
        "from test_dataset import digest, make_room, SIZE; print(digest(make_room(3, 1, SIZE)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == digest(make_room(3, 1, SIZE))


def test_classes_are_matched_by_name():
    tasks = {
        "parts": KINDS["segmentation"]("parts", classes=["sofa", "wall", "floor"]),
        "kind": KINDS["category"]("kind", classes=list(reversed(TYPES))),
        "things": KINDS["tags"]("things", classes=["lamp", "ball"]),
        "extent": KINDS["scalars"]("extent", names=["length"]),
        "all": KINDS["segmentation"]("all", classes=len(CLASSES)),
    }
    rooms = RoomsDataset(4, tasks, size=SIZE, seed=1)
    for index in range(4):
        room, targets = rooms.room(index), rooms[index].targets
        assert torch.equal(targets["parts"] == 2, room.semantic == CLASSES.index("floor"))
        assert torch.equal(targets["parts"] == 0, room.semantic == CLASSES.index("sofa"))
        assert torch.equal(targets["parts"] >= 0, targets["parts"].as_subclass(torch.Tensor) != -1)
        assert torch.equal(targets["all"].as_subclass(torch.Tensor), room.semantic)
        assert int(targets["kind"]) == len(TYPES) - 1 - int(room.kind)
        assert targets["things"].tolist() == [room.tags[OBJECTS.index(name)].item() for name in ("lamp", "ball")]
        assert targets["extent"].item() == pytest.approx(room.scene.extent[2])


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (
            KINDS["segmentation"]("s", classes=["wal", "floor"]),
            "tasks.s: rooms have no class 'wal': did you mean 'wall'",
        ),
        (KINDS["tags"]("t", classes=["wall"]), "tasks.t: rooms have no object 'wall'"),
        (KINDS["category"]("c", classes=["lounge"]), "tasks.c: rooms have 5 types, name all: lounge, dining"),
        (KINDS["segmentation"]("s", classes=7), "tasks.s: rooms have no class '0'"),
    ],
)
def test_classes_that_rooms_do_not_have(task, message):
    with pytest.raises(RecipeError) as error:
        RoomsDataset(1, {task.name: task})
    assert message in str(error.value)


def test_labels_can_be_dropped():
    tasks = every_task()
    rooms = RoomsDataset(3, tasks, size=SIZE, start=10)
    assert rooms.labelled().all()
    assert rooms.ids == ["room-0-000010", "room-0-000011", "room-0-000012"]
    mask = torch.zeros(3, len(tasks), dtype=torch.bool)
    mask[1, 2] = True
    fewer = rooms.keep(mask)
    assert torch.equal(fewer.labelled(), mask)
    assert rooms.labelled().all()
    for index in range(3):
        for number, (name, task) in enumerate(tasks.items()):
            assert bool(task.known(fewer[index].targets[name]).any()) == bool(mask[index, number])
    assert torch.equal(fewer[1].image, rooms[1].image)
    assert not fewer[1].hidden
    hidden = RoomsDataset(3, tasks, size=SIZE, start=10, hidden=True).keep(mask)[1].hidden
    for number, (name, task) in enumerate(tasks.items()):
        if mask[1, number]:
            assert not task.known(hidden[name]).any()
        else:
            assert torch.equal(hidden[name].nan_to_num(7), rooms[1].targets[name].nan_to_num(7))
    with pytest.raises(IndexError):
        rooms[3]


def test_files_hold_the_same_rooms(tmp_path):
    tasks = every_task()
    train, test = (RoomsDataset(3, tasks, size=SIZE, start=start) for start in (0, 3))
    mask = torch.ones(3, len(tasks), dtype=torch.bool)
    mask[0, 1:] = False
    export_rooms({"train": train.keep(mask), "test": test}, tmp_path / "some rooms")
    table = read_table(tmp_path / "some rooms" / "table.csv")
    read = TableDataset(table, tasks, "train", regions=True)
    assert read.ids == train.ids
    assert torch.equal(read.labelled(), mask)
    assert TableDataset(table, tasks, "test").labelled().all()
    tolerance = {"depth": 6e-4, "disparity": 6e-5, "normals": 0.01, "scalars": 1e-5}
    for index in range(3):
        wanted, found = train.keep(mask)[index], read[index]
        torch.testing.assert_close(found.image, wanted.image, rtol=0, atol=0.5 / 255 + 1e-6)
        torch.testing.assert_close(found.intrinsics, wanted.intrinsics)
        assert torch.equal(found.regions, wanted.regions)
        for name, task in tasks.items():
            torch.testing.assert_close(
                found.targets[name].as_subclass(torch.Tensor),
                wanted.targets[name].as_subclass(torch.Tensor),
                rtol=0,
                atol=tolerance.get(task.kind, 0),
                equal_nan=True,
            )


def test_it_can_be_sent_to_a_loading_worker_that_is_not_forked():
    tasks = {
        "semantic": KINDS["segmentation"]("semantic", classes=list(CLASSES)),
        "depth": KINDS["depth"]("depth"),
        "disparity": KINDS["disparity"]("disparity"),
        "tags": KINDS["tags"]("tags", classes=list(OBJECTS)),
        "kind": KINDS["category"]("kind", classes=list(TYPES)),
    }
    rooms = RoomsDataset(2, tasks, size=(16, 24))
    again = pickle.loads(pickle.dumps(rooms))
    for name in tasks:
        assert torch.equal(again[1].targets[name], rooms[1].targets[name])
