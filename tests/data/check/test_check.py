import re
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from crosstask.data.check.check import check
from crosstask.data.check.frames import agreement, best_frame, pinhole_guess
from crosstask.data.check.report import Report
from crosstask.data.table.infer import infer_tasks
from crosstask.data.table.table import Table
from crosstask.engine import Engine
from crosstask.ops.geometry import normals_from_depth
from crosstask.tasks import Category, Depth, Normals, Segmentation, Tagging
from tests.shared import shared

SIZE = (48, 64)


def room() -> tuple[np.ndarray, np.ndarray]:
    """Depth in metres (H, W) and normals (3, H, W; x right, y up, z to the viewer) of a corner of a room."""
    fx, fy, cx, cy = pinhole_guess(SIZE).tolist()
    v, u = np.mgrid[: SIZE[0], : SIZE[1]]
    rays = np.stack(((u - cx) / fx, (v - cy) / fy, np.ones(SIZE)))
    planes = [((0, -1, 0), -0.6), ((1, 0, 0), -1.5), ((-0.6, 0, -0.8), -3.0)]  # floor, left wall, wall behind
    depths = np.stack([offset / np.einsum("c,chw->hw", normal, rays) for normal, offset in planes])
    depths[depths <= 0] = np.inf
    first = depths.argmin(0)
    normals = (
        np.array([normal for normal, _ in planes])[first].transpose(2, 0, 1) * np.array([1, -1, -1])[:, None, None]
    )
    return depths.min(0), normals


def encoded(normals: np.ndarray) -> np.ndarray:
    return np.rint((normals + 1) * 127.5).astype(np.uint8).transpose(1, 2, 0)


def save(path: Path, array: np.ndarray) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path.name


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Six images, half for training, with everything labelled and right."""
    draw = np.random.default_rng(0)
    depth, normals = room()
    rows = []
    for i in range(6):
        rows.append(
            {
                "image": save(tmp_path / f"i{i}.png", draw.integers(0, 256, (*SIZE, 3), dtype=np.uint8)),
                "split": "train" if i < 3 else "test",
                "semantic": save(tmp_path / f"s{i}.png", draw.choice(np.array([0, 1, 2, 255], np.uint8), SIZE)),
                "depth": save(tmp_path / f"d{i}.png", np.rint(depth * 1000).astype(np.uint16)),
                "normals": save(tmp_path / f"n{i}.png", encoded(normals)),
                "kind": "ab"[i % 2],
                "tags": ["cat;dog", "-", "dog", "cat", "", "dog"][i],
            }
        )
    return Table(tmp_path / "data.csv", tuple(rows[0]), rows)


def tasks() -> dict:
    found = [Segmentation("semantic", classes=["x", "y", "z"]), Depth("depth"), Normals("normals")]
    found += [Category("kind", classes=["a", "b"]), Tagging("tags", classes=["cat", "dog"])]
    return {task.name: task for task in found}


def told(report: Report, severity: str, where: str | None = None) -> list[str]:
    return [f.message for f in report.findings if f.severity == severity and where in (None, f.where)]


def test_nothing_is_wrong_with_what_is_right(table):
    report = check(table, tasks())
    assert told(report, "error") == told(report, "warning") == []
    assert report.errors == []
    assert report.rows == {"train": 3, "test": 3}
    assert report.coverage["train"] == {"semantic": 3, "depth": 3, "normals": 3, "kind": 3, "tags": 3}
    assert report.coverage["test"]["tags"] == 2
    assert report.classes["kind"]["train"].tolist() == [2, 1]
    assert report.classes["tags"]["train"].tolist() == [1, 2]
    pixels = np.concatenate([np.array(Image.open(table.folder / f"s{i}.png")).ravel() for i in range(3)])
    assert report.classes["semantic"]["train"].tolist() == np.bincount(pixels, minlength=256)[:3].tolist()
    depth = room()[0]
    assert report.depths["depth"] == pytest.approx((depth.min(), np.median(depth), depth.max()), abs=0.02)


def test_tasks_are_guessed(table):
    guessed, notes = infer_tasks(table)
    assert {name: task.kind for name, task in guessed.items()} == {
        "semantic": "segmentation",
        "depth": "depth",
        "normals": "normals",
        "kind": "category",
        "tags": "tags",
    }
    assert len(notes) == 5
    assert guessed["semantic"].channels == 3
    assert check(table).errors == []


@pytest.mark.parametrize("cell", ["gone/1.png", "gone\\1.PNG", "gone.npy"])
def test_label_files_that_are_all_missing_are_an_error(table, cell):
    rows = [{**row, "depth": cell} for row in table.rows]
    report = check(Table(table.path, table.columns, rows))
    assert len(report.errors) == 1
    assert repr(cell) in report.errors[0].message


def test_label_files_that_are_all_broken_are_an_error(table):
    (table.folder / "broken.png").write_bytes(b"no image")
    report = check(Table(table.path, table.columns, [{**row, "depth": "broken.png"} for row in table.rows]))
    assert len(report.errors) == 1
    assert "broken.png" in report.errors[0].message


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:120])


def missing(folder: Path) -> None:
    (folder / "s1.png").unlink()


def truncated(folder: Path) -> None:
    truncate(folder / "d2.png")


def broken_image(folder: Path) -> None:
    truncate(folder / "i4.png")


def other_size(folder: Path) -> None:
    save(folder / "s1.png", np.zeros((10, 20), np.uint8))


def out_of_range(folder: Path) -> None:
    save(folder / "s1.png", np.full(SIZE, 9, np.uint8))


def text_for_image(folder: Path) -> None:
    (folder / "n0.png").write_text("hello")


@pytest.mark.parametrize(
    ("damage", "column", "words"),
    [
        (missing, "semantic", "no such file"),
        (truncated, "depth", "d2.png"),
        (broken_image, "image", "i4.png"),
        (other_size, "semantic", r"10x20 \(height x width\) but the image is 48x64"),
        (out_of_range, "semantic", "9"),
        (text_for_image, "normals", "n0.png"),
    ],
)
def test_damage_is_an_error_that_names_row_and_column(table, damage, column, words):
    damage(table.folder)
    report = check(table, tasks())
    assert len(report.errors) == 1
    error = report.errors[0]
    assert error.where == column
    assert error.message.startswith("row '")
    assert f"column {column}" in error.message
    assert "\n" not in error.message
    assert re.search(words, error.message)


def test_equal_faults_are_told_once(table):
    for i in range(4):
        save(table.folder / f"s{i}.png", np.full(SIZE, 9, np.uint8))
    assert [message.endswith("(and 3 more rows like it)") for message in told(check(table, tasks()), "error")] == [True]


def test_labels_without_content(table):
    save(table.folder / "d0.png", np.zeros(SIZE, np.uint16))
    for row in table.rows:
        row["tags"] = ""
    for row in table.rows[:3]:
        row["kind"] = ""
    report = check(table, tasks() | {"dept": Depth("dept")})
    assert told(report, "warning", "depth")[0].endswith("nothing in it is known: blank the cell or mend it")
    assert told(report, "error", "tags") == ["no row has a label: fill the column or leave the task out"]
    assert "did you mean 'depth'" in told(report, "error", "dept")[0]
    assert "no row of split 'train'" in told(report, "warning", "kind")[0]


def test_classes_that_training_never_sees(table):
    for i in range(3):
        save(table.folder / f"s{i}.png", np.zeros(SIZE, np.uint8))
    report = check(table, tasks())
    assert told(report, "warning", "semantic") == ["never in the training labels but in others: y, z"]
    fourth = tasks() | {"semantic": Segmentation("semantic", classes=4)}
    assert any("never in any label: 3; 255 makes" in text for text in told(check(table, fourth), "warning", "semantic"))


def test_leaks_between_splits_and_copies_within_one(table):
    Image.open(table.folder / "i0.png").save(table.folder / "i4.png", compress_level=0)  # other bytes, same pixels
    (table.folder / "i2.png").write_bytes((table.folder / "i1.png").read_bytes())
    report = check(table, tasks())
    (leak,) = told(report, "error", "split")
    assert "row 'i0' of split 'train' and row 'i4' of split 'test'" in leak
    (copies,) = told(report, "warning", "image")
    assert "'i1' and 'i2'" in copies


@pytest.mark.parametrize(
    ("unit", "words"),
    [(1.0, "millimetres read as metres: set unit: 0.001"), (1e-6, "metres read as millimetres: set unit: 0.001")],
)
def test_units_of_depth_are_guessed(table, unit, words):
    report = check(table, {"depth": Depth("depth", unit=unit, maximum=1e5)})
    assert words in told(report, "warning", "depth")[0]


def test_depth_of_8_bits(table):
    for i in range(6):
        save(table.folder / f"d{i}.png", (room()[0] * 40).astype(np.uint8))
    assert "8-bit files" in told(check(table, {"depth": Depth("depth")}), "warning")[0]


@pytest.mark.parametrize("signs", list(product((1, -1), repeat=3)))
@pytest.mark.parametrize("already", ["", "yz"])
def test_negated_normals_are_named(table, signs, already):
    files = encoded(room()[1] * np.array(signs)[:, None, None])
    for i in range(6):
        save(table.folder / f"n{i}.png", files)
    needed = "".join(axis for axis, sign in zip("xyz", signs, strict=True) if sign < 0)
    report = check(table, {"depth": Depth("depth"), "normals": Normals("normals", negate=already)})
    warnings = told(report, "warning", "normals")
    if needed == already:
        assert warnings == []
    else:
        assert warnings[0].endswith(f"set negate: {needed or chr(34) * 2}")
        right = check(table, {"depth": Depth("depth"), "normals": Normals("normals", negate=needed)})
        assert told(right, "warning") == []


@pytest.mark.parametrize("axes", list(permutations(range(3)))[1:])
def test_swapped_axes_are_named(axes):
    depth, normals = room()
    derived = normals_from_depth(torch.from_numpy(depth)[None].float(), pinhole_guess(SIZE))
    stored = torch.empty(3, *SIZE)
    for k, axis in enumerate(axes):
        stored[axis] = torch.from_numpy(normals[k])
    frame = best_frame(agreement(stored, derived))
    assert frame.axes == "".join("xyz"[axis] for axis in axes)
    assert frame.negate == ""
    assert frame.cosine > 0.97


def test_progress_and_the_picture_of_a_report(table):
    steps = []
    report = check(table, tasks(), progress=lambda done, total: steps.append((done, total)))
    assert steps == [(i, 6) for i in range(1, 7)]
    truncated(table.folder)
    report = check(table, tasks())
    console = Console(width=140)
    with console.capture() as capture:
        console.print(report)
    text = capture.get()
    for words in ("train", "3 (100%)", "2 (67%)", "segmentation", "1 error, 0 warnings", "d2.png"):
        assert words in text


@pytest.mark.slow
def test_other_processes_find_the_same(table):
    truncated(table.folder)
    alone, together = check(table, tasks()), check(table, tasks(), engine=Engine(workers=2))
    assert alone.findings == together.findings
    assert alone.depths == together.depths


def test_real_normals_in_the_frame_of_the_pixels(tmp_path):
    """NYU-v2 here: normals of x right, y down, z forward, to be negated in y and z."""
    folder = shared("data/nyuv2/train")
    ids = sorted(path.stem for path in (folder / "rgb").iterdir())[:24:4]
    rows = [{"image": f"rgb/{i}.jpg", "depth": f"depth/{i}.png", "normals": f"normal/{i}.jpg"} for i in ids]
    table = Table(folder / "table.csv", ("image", "depth", "normals"), rows)
    report = check(table, {"depth": Depth("depth"), "normals": Normals("normals")})
    assert told(report, "warning", "normals")[0].endswith("set negate: yz")
    right = check(table, {"depth": Depth("depth"), "normals": Normals("normals", negate="yz")})
    assert told(right, "warning") == []
