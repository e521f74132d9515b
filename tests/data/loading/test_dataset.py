"""Rows to samples: blank is unknown, everything else is what the files hold, and faults name row, column and file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from crosstask.data.loading.dataset import TableDataset
from crosstask.data.sample import Sample, collate
from crosstask.data.table.table import Table, read_table, write_table
from crosstask.errors import DataError, RecipeError
from crosstask.tasks.base import Task
from crosstask.tasks.category import Category
from crosstask.tasks.depth import Depth
from crosstask.tasks.normals import Normals
from crosstask.tasks.scalars import Regression
from crosstask.tasks.segmentation import Segmentation
from crosstask.tasks.tags import Tagging
from tests.shared import shared

SIZE = (4, 6)


def tasks_of(*tasks: Task) -> dict[str, Task]:
    return {task.name: task for task in tasks}


DENSE = tasks_of(Segmentation("semantic", classes=3), Depth("depth"), Normals("normals"))
LABELS = {
    "semantic": np.arange(24, dtype=np.uint8).reshape(SIZE) % 3,
    "depth": np.arange(1, 25, dtype=np.uint16).reshape(SIZE) * 100,
    "normals": np.broadcast_to(np.array([128, 128, 255], np.uint8), (*SIZE, 3)),
}


class Folder:
    """A folder that is filled with files and read as a table of one or more rows."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.rows: list[dict[str, str]] = []

    def store(self, name: str, values: np.ndarray) -> str:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".npy"):
            np.save(path, values)
        else:
            Image.fromarray(np.ascontiguousarray(values)).save(path)
        return name

    def row(self, number: int, **cells: str) -> None:
        image = np.full((*SIZE, 3), number, np.uint8)
        self.rows.append({"image": self.store(f"rgb/{number}.png", image), **cells})

    @property
    def table(self) -> Table:
        columns = tuple(dict.fromkeys(column for row in self.rows for column in row))
        return Table(self.root / "t.csv", columns, self.rows)


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def patchwork(folder) -> Folder:
    for number, name in enumerate(LABELS):
        folder.row(number, split="train", **{name: folder.store(f"{name}/{number}.png", LABELS[name])})
    folder.row(3, split="test", **{name: folder.store(f"{name}/3.png", values) for name, values in LABELS.items()})
    return folder


def complaint(make: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        make()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_blank_cells_are_unknown_and_others_are_the_files(patchwork):
    dataset = TableDataset(patchwork.table, DENSE, "train")
    assert len(dataset) == 3
    assert dataset.ids == ["0", "1", "2"]
    assert torch.equal(dataset.labelled(), torch.eye(3, dtype=torch.bool))
    for index, given in enumerate(DENSE):
        sample = dataset[index]
        assert sample.id == str(index)
        assert sample.size == SIZE
        assert (sample.image == index / 255).all()
        assert list(sample.targets) == list(DENSE)
        assert sample.regions is None
        assert sample.intrinsics.isnan().all()
        for name, target in sample.targets.items():
            assert type(target) is DENSE[name].target_type
            assert target.shape == DENSE[name].shape(SIZE)
            assert target.dtype == DENSE[name].unknown(SIZE).dtype
            assert bool(target.known().any()) == (name == given)
    assert dataset[0].targets["semantic"].tolist() == LABELS["semantic"].tolist()
    torch.testing.assert_close(dataset[1].targets["depth"][0].numpy(), LABELS["depth"] / np.float32(1000))
    assert (dataset[2].targets["normals"][2] > 0.99).all()


def test_splits_and_ignored_columns(patchwork):
    assert TableDataset(patchwork.table, DENSE, "test").labelled().all()
    only_depth = {"depth": DENSE["depth"]}
    dataset = TableDataset(patchwork.table, only_depth)
    assert dataset.labelled()[:, 0].tolist() == [False, True, False, True]
    assert list(dataset[3].targets) == ["depth"]


def test_keep_drops_labels_and_leaves_the_rest(patchwork):
    dataset = TableDataset(patchwork.table, DENSE, "test")
    fewer = dataset.keep(torch.tensor([[True, False, True]]))
    assert fewer.labelled().tolist() == [[True, False, True]]
    assert fewer.keep(torch.tensor([[False, True, True]])).labelled().tolist() == [[False, False, True]]
    assert dataset.labelled().all()
    assert not fewer[0].targets["depth"].known().any()
    assert fewer[0].targets["semantic"].known().all()
    dataset.labelled().zero_()
    assert dataset.labelled().all()


def test_dropped_labels_can_be_kept_at_hand_for_measuring(patchwork):
    dataset = TableDataset(patchwork.table, DENSE, hidden=True).keep(torch.tensor([[False, True, True]]))
    sample, whole = dataset[3], TableDataset(patchwork.table, DENSE)[3]
    for name, task in DENSE.items():
        seen, back = (sample.targets, sample.hidden) if name != "semantic" else (sample.hidden, sample.targets)
        assert torch.equal(seen[name], whole.targets[name])
        assert not task.known(back[name]).any()
    assert not any(task.known(dataset[0].hidden[name]).any() for name, task in list(DENSE.items())[1:])
    batch = collate([sample, dataset[0]])
    assert batch.hidden["semantic"].shape == (2, *SIZE)
    assert torch.equal(batch.to("cpu").hidden["semantic"], batch.hidden["semantic"])
    assert not whole.hidden
    assert not collate([whole]).hidden


def test_dropped_labels_are_not_opened(folder):
    folder.row(0, depth="missing.png", **{"depth.weight": "missing.png"})
    dataset = TableDataset(folder.table, {"depth": DENSE["depth"]})
    assert not dataset.keep(torch.tensor([[False]]))[0].targets["depth"].known().any()


def test_image_level_cells(folder):
    tasks = tasks_of(
        Tagging("tags", classes=["cat", "sofa", "lamp"]),
        Category("room", classes=["hall", "attic"]),
        Regression("va", names=2),
    )
    folder.row(0, tags="lamp;cat", room="attic", va="0.5;")
    folder.row(1, tags="-", room="0", va="-0.25;1")
    folder.row(2)
    first, second, third = (sample.targets for sample in map(TableDataset(folder.table, tasks).__getitem__, range(3)))
    assert first["tags"].tolist() == [1, 0, 1]
    assert second["tags"].tolist() == [0, 0, 0]
    assert (first["room"].item(), second["room"].item(), third["room"].item()) == (1, 0, -1)
    torch.testing.assert_close(first["va"].as_subclass(torch.Tensor), torch.tensor([0.5, torch.nan]), equal_nan=True)
    assert third["tags"].isnan().all()
    assert third["va"].isnan().all()


def test_intrinsics(folder):
    folder.row(0, fx="500.5", fy="501", cx="3", cy="")
    folder.row(1, fx="wide")
    dataset = TableDataset(folder.table, {})
    torch.testing.assert_close(dataset[0].intrinsics, torch.tensor([500.5, 501, 3, torch.nan]), equal_nan=True)
    assert "row '1', column fx: 'wide' is not a number" in complaint(lambda: dataset[1])


def test_weights(folder):
    tasks = {"depth": DENSE["depth"], "tags": Tagging("tags", classes=2)}
    depth = folder.store("d.png", LABELS["depth"])
    folder.row(0, depth=depth, tags="0", **{"depth.weight": "0.5", "tags.weight": "0.25"})
    folder.row(
        1, depth=depth, **{"depth.weight": folder.store("w.png", np.full(SIZE, 51, np.uint8)), "tags.weight": "1"}
    )
    folder.row(2, depth=depth, **{"depth.weight": folder.store("w.npy", np.full(SIZE, 2.5))})
    folder.row(3)
    samples = [TableDataset(folder.table, tasks)[index] for index in range(4)]
    assert samples[0].weights["depth"].shape == SIZE
    assert [float(sample.weights["depth"].mean()) for sample in samples[:3]] == pytest.approx([0.5, 0.2, 2.5])
    assert float(samples[0].weights["tags"]) == 0.25
    assert list(samples[1].weights) == ["depth"]  # no label, no weight
    batch = collate(samples)
    assert batch.weights["depth"].shape == (4, *SIZE)
    assert batch.weights["tags"].tolist() == [0.25, 1, 1, 1]


@pytest.mark.parametrize("weight", ["-1", "nan", "inf", "small.png", "nan.npy", "missing.png"])
def test_bad_weights(folder, weight):
    folder.store("small.png", np.zeros((2, 3), np.uint8))
    folder.store("nan.npy", np.full(SIZE, np.nan))
    folder.row(0, depth=folder.store("d.png", LABELS["depth"]), **{"depth.weight": weight})
    message = complaint(lambda: TableDataset(folder.table, {"depth": DENSE["depth"]})[0])
    assert "row '0', column depth.weight" in message
    assert weight in message


def test_regions(folder):
    ids = np.arange(24, dtype=np.uint16).reshape(SIZE)
    folder.row(0, regions=folder.store("r.png", ids))
    folder.row(1)
    folder.row(2, regions=folder.store("small.png", ids[:2]))
    dataset = TableDataset(folder.table, {}, regions=True)
    regions = dataset[0].regions
    assert regions is not None
    assert regions.tolist() == (ids.astype(int) - 1).tolist()
    assert dataset[1].regions is None
    assert collate([dataset[0], dataset[1]]).regions[1].eq(-1).all()
    assert TableDataset(folder.table, {})[0].regions is None
    assert "row '2', column regions: small.png is 2x6 (height x width) but the image" in complaint(lambda: dataset[2])


def test_missing_columns(patchwork):
    tasks = tasks_of(Segmentation("semantc", classes=3))
    assert "no column 'semantc'" in complaint(lambda: TableDataset(patchwork.table, tasks))
    assert "did you mean 'semantic'?" in complaint(lambda: TableDataset(patchwork.table, tasks))
    assert "crosstask regions" in complaint(lambda: TableDataset(patchwork.table, DENSE, regions=True))
    assert "no row of split 'tran': did you mean 'train'?" in complaint(
        lambda: TableDataset(patchwork.table, DENSE, "tran")
    )
    with pytest.raises(RecipeError, match="'split' is a column with another meaning"):
        TableDataset(patchwork.table, tasks_of(Depth("split")))


def test_unicode_and_spaces_in_paths(tmp_path):
    folder = Folder(tmp_path / "mein Ordner" / "画像")
    folder.root.mkdir(parents=True)
    folder.rows.append(
        {
            "image": folder.store("ä b,c.png", np.zeros((*SIZE, 3), np.uint8)),
            "depth": folder.store("d 1.png", LABELS["depth"]),
        }
    )
    table = write_table(folder.table)
    dataset = TableDataset(read_table(table.path), {"depth": DENSE["depth"]})
    assert dataset[0].id == "ä b,c"
    assert dataset[0].targets["depth"].known().all()


def broken(suffix: str, keep: float) -> Callable[[Folder], str]:
    def store(folder: Folder) -> str:
        noise = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
        path = folder.root / folder.store(f"cut{suffix}", noise)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * keep)])
        return path.name

    return store


def filled(name: str, values: np.ndarray) -> Callable[[Folder], str]:
    return lambda folder: folder.store(name, values)


def changed(task: str, value: float) -> np.ndarray:
    values = LABELS[task].astype(np.float32)
    values[0, 0] = value
    return values


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("image", lambda _: "none.png", "no such file"),
        ("image", broken(".jpg", 0.5), "truncated"),
        ("image", broken(".png", 0.5), ""),
        ("image", broken(".npy", 0.5), "truncated"),
        ("image", broken(".png", 0.0), "the file is empty"),
        ("image", filled("nan.npy", np.full((*SIZE, 3), np.nan)), "NaN"),
        ("depth", lambda _: "none.png", "no such file"),
        ("depth", broken(".png", 0.5), ""),
        ("depth", broken(".npy", 0.5), "truncated"),
        ("depth", filled("small.png", LABELS["depth"][:2]), "2x6 (height x width) but the image rgb/0.png is 4x6"),
        ("depth", filled("negative.npy", changed("depth", -1)), "negative"),
        ("depth", filled("infinite.npy", changed("depth", np.inf)), "infinite"),
        ("depth", filled("far.npy", changed("depth", 5000)), "more than 1000"),
        (
            "depth",
            filled("colours.png", np.random.default_rng(0).integers(0, 9, (*SIZE, 3), dtype=np.uint8)),
            "colours",
        ),
        ("semantic", filled("big.png", changed("semantic", 7).astype(np.uint8)), "class id 7"),
        ("semantic", filled("below.npy", changed("semantic", -3).astype(np.int32)), "class id -3"),
        ("semantic", filled("half.npy", changed("semantic", 0.5)), "fractions"),
        ("semantic", filled("turned.png", LABELS["semantic"].T), "6x4"),
        ("normals", filled("grey.png", LABELS["semantic"]), "three values per pixel"),
        ("normals", filled("long.npy", np.full((*SIZE, 3), 3.0)), "length"),
        ("normals", filled("infinite.npy", np.full((*SIZE, 3), np.inf)), "infinite"),
    ],
)
def test_bad_files_name_row_column_and_file(folder, column, cell, words):
    name = cell(folder)
    folder.row(0)
    folder.rows[0] |= {"id": "the row", **dict.fromkeys(DENSE, ""), column: name}
    message = complaint(lambda: TableDataset(folder.table, DENSE)[0])
    assert f"{folder.root / 't.csv'}, row 'the row', column {column}: " in message
    assert name in message
    assert words in message


@pytest.mark.parametrize(
    ("task", "cell"),
    [
        (Tagging("it", classes=["cat", "sofa"]), "cat;sofe"),
        (Tagging("it", classes=["cat", "sofa"]), "2"),
        (Category("it", classes=["cat", "sofa"]), "dog"),
        (Regression("it", names=2), "1;2;3"),
        (Regression("it", names=2), "1;two"),
    ],
)
def test_bad_text_names_row_and_column(folder, task, cell):
    folder.row(0, it=cell)
    message = complaint(lambda: TableDataset(folder.table, {"it": task})[0])
    assert "row '0', column it: " in message


def test_zero_normals_are_unknown(folder):
    folder.row(0, normals=folder.store("zero.npy", np.zeros((*SIZE, 3))))
    assert not TableDataset(folder.table, {"normals": DENSE["normals"]})[0].targets["normals"].known().any()


def test_all_unknown_labels_are_allowed(folder):
    folder.row(0, semantic=folder.store("void.png", np.full(SIZE, 255, np.uint8)))
    dataset = TableDataset(folder.table, {"semantic": DENSE["semantic"]})
    assert dataset.labelled().all()
    assert not dataset[0].targets["semantic"].known().any()


def test_confined_tables_do_not_leave_their_folder(tmp_path):
    outside = Folder(tmp_path)
    outside.store("secret.png", LABELS["depth"])
    folder = Folder(tmp_path / "set")
    folder.row(0, depth="../secret.png")
    tasks = {"depth": DENSE["depth"]}
    assert TableDataset(folder.table, tasks)[0].targets["depth"].known().all()
    message = complaint(lambda: TableDataset(folder.table, tasks, confined=True)[0])
    assert "row '0', column depth: ../secret.png leads out of the table's folder" in message


def test_real_images():
    root = shared("data/nyuv2/train")
    name = sorted(path.stem for path in (root / "rgb").iterdir())[0]
    cells = {"semantic": f"semseg13/{name}.png", "depth": f"depth/{name}.png", "normals": f"normal/{name}.jpg"}
    table = Table(root / "t.csv", ("image", *cells), [{"image": f"rgb/{name}.jpg", **cells}])
    tasks = tasks_of(Segmentation("semantic", classes=13), Depth("depth"), Normals("normals", negate="yz"))
    sample = TableDataset(table, tasks, confined=True)[0]
    assert sample.size == (192, 256)
    assert sample.targets["depth"].known().all()
    assert 0.5 < float(sample.targets["depth"].min()) < float(sample.targets["depth"].max()) < 10.1
    assert float((sample.targets["normals"][2] > 0).float().mean()) > 0.95  # they look at the camera


@pytest.mark.parametrize("made", [False, True])
def test_labels_a_network_made_are_upright_whatever_is_said_of_given_ones(tmp_path, made):
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(tmp_path / "image.png", exif=exif)
    Image.fromarray(LABELS["semantic"]).save(tmp_path / "label.png")
    row = {"id": "a", "image": "image.png", "semantic": "label.png", "semantic.source": "round_1" if made else ""}
    table = write_table(Table(tmp_path / "data.csv", tuple(row), [row]))
    task = Segmentation("semantic", classes=3, orientation="stored")
    seen = TableDataset(table, tasks_of(task))[0].targets["semantic"].as_subclass(torch.Tensor).numpy()
    assert (seen == (LABELS["semantic"] if made else LABELS["semantic"][::-1, ::-1])).all()


def test_what_weighs_nothing_is_unknown_to_every_objective(folder):
    depth = folder.store("d.npy", np.full(SIZE, 2.0))
    weight = np.ones(SIZE, np.float32)
    weight[1] = 0
    folder.row(0, depth=depth, tags="0", **{"depth.weight": folder.store("w.npy", weight), "tags.weight": "0"})
    tasks = tasks_of(Depth("depth"), Tagging("tags", classes=["a", "b"]))
    sample = TableDataset(folder.table, tasks)[0]
    assert torch.equal(sample.targets["depth"].isnan()[0], torch.from_numpy(weight == 0))
    assert sample.targets["tags"].isnan().all()
    assert type(sample.targets["depth"]) is type(Depth("depth").unknown(SIZE))


@pytest.mark.parametrize("swapped", [False, True])
def test_a_batch_drops_no_label_and_no_view_that_only_some_samples_have(swapped):
    image, depth, tags = torch.zeros(3, 4, 6), torch.ones(1, 4, 6), torch.ones(2)
    few, both = Sample("a", image, {"depth": depth}), Sample("b", image, {"depth": depth, "tags": tags})
    seen, hidden = replace(few, view=few), replace(few, hidden={"tags": tags})
    for one, said in (
        (both, "targets of different tasks.*a of depth"),
        (seen, "a has a second view"),
        (hidden, "hidden of diff"),
    ):
        with pytest.raises(ValueError, match=said):
            collate([one, few] if swapped else [few, one])
