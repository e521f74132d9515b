from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crosstask.cli import main
from crosstask.data.decode.files import load_image, load_label
from crosstask.data.table.table import Table, read_table

datasets = pytest.importorskip("datasets", reason="needs crosstask[huggingface]")


def made(count: int = 3):
    rng = np.random.default_rng(count)
    mask = np.arange(24, dtype=np.uint8).reshape(4, 6) % 3
    mask[0, 0] = 255
    kinds = datasets.ClassLabel(names=["cat", "dog"])
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": kinds,
            "flaws": datasets.Sequence(datasets.ClassLabel(names=["blur", "noise", "dark"])),
            "annotation": datasets.Image(),
            "age": datasets.Value("float32"),
            "pose": datasets.Sequence(datasets.Value("float32")),
            "indoor": datasets.Value("bool"),
            "caption": datasets.Value("string"),
        }
    )
    rows = {
        "image": [Image.fromarray(rng.integers(0, 255, (4, 6, 3)).astype(np.uint8)) for _ in range(count)],
        "label": [0, 1, -1][:count],
        "flaws": [[2, 0], [], None][:count],
        "annotation": [Image.fromarray(mask), None, Image.fromarray(mask)][:count],
        "age": [1.5, None, 2.0][:count],
        "pose": [[0.0, 1.0], [2.0, 3.0], None][:count],
        "indoor": [True, False, None][:count],
        "caption": ["a", "b", "c"][:count],
    }
    return datasets.Dataset.from_dict(rows, features=features), mask


def converted(root: Path, *more: str) -> Table:
    out = root.parent / "out.csv"
    assert main(["convert", "huggingface", str(root), "--out", str(out), "--quiet", "--overwrite", *more]) == 0
    return read_table(out)


def saved(folder: Path, form: str):
    """A set of two splits in a form, and what its masks hold."""
    first, mask = made()
    parts = {"train": first, "validation": made(2)[0]}
    if form == "disk":
        datasets.DatasetDict(parts).save_to_disk(folder)
    else:
        for name, part in parts.items():
            folder.mkdir(exist_ok=True)
            part.to_parquet(folder / f"{name}-00000-of-00001.parquet")
    return first, mask


@pytest.mark.parametrize("form", ["disk", "parquet"])
def test_features_become_tasks(form, tmp_path, capsys):
    first, mask = saved(tmp_path / "set", form)
    table = converted(tmp_path / "set")
    assert [row["split"] for row in table.rows] == ["train"] * 3 + ["val"] * 2
    columns = {name: [str(row[name]) for row in table.rows[:3]] for name in table.columns}
    assert columns["label"] == ["cat", "dog", ""]
    assert columns["flaws"] == ["blur;dark", "-", ""]
    assert columns["age"] == ["1.5", "", "2"]
    assert columns["pose"] == ["0;1", "2;3", ""]
    assert columns["indoor"] == ["indoor", "-", ""]
    assert [bool(cell) for cell in columns["annotation"]] == [True, False, True]
    assert (load_label(table.resolve(2, "annotation")) == mask).all()
    shown = (load_image(table.resolve(1, "image")).permute(1, 2, 0) * 255).round().numpy()
    assert (shown == np.asarray(first[1]["image"])).all()
    said = capsys.readouterr().out
    assert "left out: caption (string): --categories takes it for one" in said
    assert "names: [pose_0, pose_1]" in said
    assert "annotation: {kind: segmentation, classes: 3}" in said
    names = json.loads((tmp_path / "out_files" / "classes.json").read_text())
    assert names == {"label": ["cat", "dog"], "flaws": ["blur", "noise", "dark"], "indoor": ["indoor"]}


def test_columns_are_chosen(tmp_path):
    saved(tmp_path / "set", "disk")
    table = converted(tmp_path / "set", "--categories", "caption", "--leave", "pose,age,flaws")
    assert set(table.columns) == {"id", "image", "split", "label", "annotation", "indoor", "caption"}
    assert [row["caption"] for row in table.rows[:3]] == ["a", "b", "c"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the library leaves a file open
def test_a_folder_of_images_with_metadata(tmp_path):
    root = tmp_path / "set"
    root.mkdir()
    for name in "ab":
        Image.new("RGB", (6, 4)).save(root / f"{name}.png")
    lines = ({"file_name": "a.png", "score": 0.25}, {"file_name": "b.png", "score": 0.75})
    (root / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    table = converted(root)
    assert [(Path(row["image"]).name, row["score"]) for row in table.rows] == [("a.png", "0.25"), ("b.png", "0.75")]
    assert all(table.resolve(row, "image").parent == root for row in range(2))


def encoded(array: np.ndarray, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, form)
    return file.getvalue()


def two_bits(ids: np.ndarray) -> bytes:
    """A grey PNG of 2 bits, which Pillow cannot write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    lines = (ids.reshape(len(ids), -1, 4) << [6, 4, 2, 0]).sum(-1).astype(np.uint8)
    head = struct.pack(">IIBBBBB", ids.shape[1], ids.shape[0], 2, 0, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + line.tobytes() for line in lines))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


IDS = np.arange(64, dtype=np.uint8).reshape(8, 8) // 16


def masked(folder: Path, *masks: bytes | None, **columns: list) -> Path:
    """A set of images with masks that are stored as these bytes, and further columns of text."""
    features = {"image": datasets.Image(), "mask": datasets.Image()}
    features |= {name: datasets.Value("string") for name in columns}
    photos = np.random.default_rng(0).integers(0, 255, (len(masks), 8, 8, 3)).astype(np.uint8)
    rows = {"image": [{"bytes": encoded(photo), "path": None} for photo in photos]}
    rows["mask"] = [mask if mask is None else {"bytes": mask, "path": None} for mask in masks]
    datasets.Dataset.from_dict(rows | columns, features=datasets.Features(features)).save_to_disk(folder)
    return folder


@pytest.mark.parametrize(
    "mask",
    [encoded(IDS), two_bits(IDS), encoded(np.stack([IDS] * 3, -1)), encoded(IDS, "TIFF")],
    ids=["png", "2 bits", "grey in three channels", "tiff"],
)
def test_masks_are_read_as_labels_are(mask, tmp_path, capsys):
    table = converted(masked(tmp_path / "set", mask, mask))
    assert "mask: {kind: segmentation, classes: 4}" in capsys.readouterr().out
    assert (load_label(table.resolve(1, "mask")) == IDS).all()
    assert main(["check", str(table.path), "--workers", "0"]) == 0
    assert "0 errors, 0 warnings" in capsys.readouterr().out
    assert main(["start", str(table.path), "--workers", "0", "--out", str(tmp_path / "m.yaml")]) == 0
    assert "classes: 4 " in (tmp_path / "m.yaml").read_text()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the library leaves a file open
def test_masks_that_are_files_are_not_copied(tmp_path):
    root = tmp_path / "set"
    root.mkdir()
    for name in ("a", "m"):
        (root / f"{name}.png").write_bytes(encoded(IDS))
    (root / "metadata.jsonl").write_text(json.dumps({"file_name": "a.png", "mask_file_name": "m.png"}))
    assert converted(root).resolve(0, "mask") == root / "m.png"


@pytest.mark.parametrize("more", [(), ("--masks", "mask")])
def test_lossy_masks_are_refused_as_they_are_stored(more, tmp_path, capsys):
    masked(tmp_path / "set", encoded(IDS * 40, "JPEG"), label=["cat"])
    out = tmp_path / "out.csv"
    code = main(["convert", "huggingface", str(tmp_path / "set"), "--out", str(out), "--quiet", *more])
    said = capsys.readouterr()
    assert "000000.jpg: is a JPEG, which changes class ids: take the lossless original" in (said.err or said.out)
    assert code == (2 if more else 0)
    assert more or read_table(out).columns == ("id", "image", "split", "label")


def test_colours_are_left_out_and_broken_pictures_refused(tmp_path, capsys):
    colours = np.zeros((8, 8, 4), np.uint8)
    colours[:4] = (9, 8, 7, 255)
    for number, picture in enumerate((colours, colours[..., :3])):
        table = converted(masked(tmp_path / str(number), encoded(IDS), encoded(picture), label=["cat", "dog"]))
        assert table.columns == ("id", "image", "split", "label")
        assert "left out: mask (" in capsys.readouterr().out
    masked(tmp_path / "cut", encoded(IDS)[:45], label=["cat"])
    assert main(["convert", "huggingface", str(tmp_path / "cut"), "--out", str(tmp_path / "cut.csv"), "--quiet"]) == 2
    assert "mend the file" in capsys.readouterr().err


def test_columns_of_blanks_have_no_classes(tmp_path, capsys):
    table = converted(masked(tmp_path / "set", None, label=[" "], breed=["tabby"]), "--categories", "breed")
    assert table.columns == ("id", "image", "split", "breed")
    said = capsys.readouterr().out
    assert all(f"left out: {name} (nothing but blanks)" in said for name in ("mask", "label"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--image", "label"), "--image label: no column of images"),
        (("--masks", "annotatoin"), "did you mean 'annotation'"),
        (("--leave", "label,flaws,annotation,age,pose,indoor"), "no column is a label that a task can use (caption"),
    ],
)
def test_what_cannot_be_is_told(more, message, tmp_path, capsys):
    made()[0].save_to_disk(tmp_path / "set")
    out = tmp_path / "out.csv"
    assert main(["convert", "huggingface", str(tmp_path / "set"), "--out", str(out), "--quiet", *more]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_name_that_cannot_be_had(tmp_path, monkeypatch, capsys):
    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("no network\nat all")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    out = tmp_path / "out.csv"
    assert main(["convert", "huggingface", "somebody/something", "--out", str(out), "--quiet"]) == 2
    said = capsys.readouterr().err
    assert "somebody/something: is no folder here, and cannot be had from the hub (ConnectionError: no network" in said
    assert said.count("\n") == 1


def test_the_extra_is_named_where_it_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    assert main(["convert", "huggingface", str(tmp_path), "--out", str(tmp_path / "o.csv"), "--quiet"]) == 2
    assert "pip install 'crosstask[huggingface]'" in capsys.readouterr().err
