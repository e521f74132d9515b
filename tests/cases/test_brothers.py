"""Brothers of the given situations: each is read right, told of, or refused with the remedy; none is learned wrongly
without a word."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from crosstask.cli import main
from crosstask.data.check.check import check
from crosstask.data.decode.files import load_image, load_label
from crosstask.data.loading.dataset import TableDataset
from crosstask.data.table.sources import load_tables
from crosstask.data.table.table import read_table
from crosstask.errors import DataError
from crosstask.tasks import KINDS
from tests.cases.test_oddities import SIZE, depth, ids, normals, table, told

RNG = np.random.default_rng(1)
TAGS = {"kind": "tags", "classes": ["dog", "cat", "car"]}
CATEGORY = {"kind": "category", "classes": ["dog", "cat", "car"]}
NUMBER = {"kind": "scalars", "names": ["v"]}
CLASSES = {"kind": "segmentation", "classes": ["a", "b", "c"]}
COLOURS = np.array([[10, 10, 10], [200, 0, 0], [0, 200, 0]], np.uint8)


def value(path: str, options: dict[str, Any], row: int = 0) -> list:
    """The label of a row in memory."""
    rest = {key: each for key, each in options.items() if key != "kind"}
    dataset = TableDataset(load_tables(path), {"label": KINDS[options["kind"]]("label", **rest)})
    return dataset[row].targets["label"].tolist()


CELLS = {
    "marks of values": (
        ["2;1;0", "1;2;0", "0;1;2"] * 2,
        TAGS,
        "holds '2': the value of a tag is 0 .* unknown: \\[2\\]",
    ),
    "yes and no": (["yes;no;yes", "no;yes;no"] * 3, TAGS, "write 1 for a tag that is present and 0"),
    "a word for none": (["none", "dog", "cat"] * 2, TAGS, "write '-' for an image that is known to have no tag"),
    "commas": (["dog, cat", "car"] * 3, TAGS, "join several by ';', not by ','"),
    "percent": (["85%", "20%"] * 3, NUMBER, "'85%' is not a number: write 85 or 0.85"),
    "a decimal comma": (["1,5", "2,5"] * 3, NUMBER, "write 1.5"),
    "a minus of a word processor": (["\u22121.5", "2"] * 3, NUMBER, "write -1.5"),
    "errors of spreadsheets": (["1.5", "#DIV/0!", "2"] * 2, NUMBER, r"set unknown: \['#DIV/0!'\]"),
    "a word for unknown": (["dog", "unknown"] * 3, CATEGORY, r"set unknown: \['unknown'\]"),
    "times": (["12:30", "01:15"] * 3, NUMBER, "'12:30' is not a number"),
    "nested lists": (["[[1, 0, 1]]", "[[0, 1, 0]]"] * 3, TAGS, r"holds \[1, 0, 1\]"),
    "soft categories": (
        ["[0.2, 0.8, 0]", "dog"] * 3,
        CATEGORY,
        "one value for each of the 3 classes, of which one is 1",
    ),
    "two of one": (["[1, 1, 0]", "[0, 1, 0]"] * 3, CATEGORY, "of which one is 1 and the others 0"),
}


@pytest.mark.parametrize("name", CELLS)
def test_cells_are_refused_with_the_remedy(name, tmp_path):
    labels, options, message = CELLS[name]
    found = "\n".join(each for each in told(table(tmp_path, labels), options) if each.startswith("error"))
    assert re.search(message, found), found


@pytest.mark.parametrize(
    ("labels", "options", "expected"),
    [
        (["1;0;-1", "0;1;0"], {**TAGS, "unknown": [-1]}, "[1.0, 0.0, nan]"),
        (["dog; car", " cat ;dog"], TAGS, "[1.0, 0.0, 1.0]"),
        (["True;FALSE;true", "dog"], TAGS, "[1.0, 0.0, 1.0]"),
        (["1.0", "1"], CATEGORY, "1"),
        (["007", "010"], {"kind": "category", "classes": ["010", "007"]}, "1"),
        (["0", "1"], {"kind": "category", "classes": ["1", "0"]}, "1"),
        (["cafe\u0301", "x"], {"kind": "category", "classes": ["x", "caf\u00e9"]}, "1"),
        (["-1", "1"], {"kind": "category", "classes": [-1, 1]}, "0"),
    ],
)
def test_cells_are_read_right(labels, options, expected, tmp_path):
    assert str(value(table(tmp_path, labels), options)) == expected


GUESSES = {
    "codes": (["007", "010", "007"], ["007", "010"], ""),
    "marks": (["dog", "unknown", "cat", "?"], ["cat", "dog"], "'\\?', 'unknown' taken for no label"),
    "numbers with commas": (["1,5", "2,5", "3,1"], None, "write a decimal point"),
    "shares": (["85%", "20%", "31 %"], None, "no unit"),
    "several in one": (["dog|cat", "cat|car", "car"], ["car", "cat|car", "dog|cat"], "write them joined by ';'"),
    "a tag called none": (["none", "dog;cat"], ["cat", "dog", "none"], "known to have none is '-'"),
}


@pytest.mark.parametrize("name", GUESSES)
def test_what_is_guessed_without_a_recipe(name, tmp_path):
    labels, classes, message = GUESSES[name]
    path = table(tmp_path, labels * 2)
    found = check(load_tables(path))
    assert (found.tasks["label"].classes if "label" in found.tasks else None) == classes
    assert re.search(message, "\n".join(each.message for each in found.findings))


def saved(write: Callable[[Path, np.ndarray], object], ending: str, make: Callable[[], np.ndarray], count: int = 8):
    """Writes label files by hand; returns the path of the table and what they should hold."""

    def here(folder: Path) -> tuple[str, list[np.ndarray]]:
        made = [make() for _ in range(count)]
        for index, array in enumerate(made):
            write(folder / f"label{index}.{ending}", array)
        return table(folder, [f"label{index}.{ending}" for index in range(count)]), made

    return here


def paletted(order: list[int]) -> Callable[[Path, np.ndarray], None]:
    def write(path: Path, array: np.ndarray) -> None:
        image = Image.fromarray(np.argsort(order)[array].astype(np.uint8), "P")
        image.putpalette(COLOURS[order].tobytes())
        image.save(path)

    return write


def test_palettes_that_differ_are_refused_and_read_by_their_colours(tmp_path):
    orders = [[0, 1, 2], [2, 0, 1]]
    made = [ids() for _ in range(6)]
    for index, array in enumerate(made):
        paletted(orders[index % 2])(tmp_path / f"label{index}.png", array)
    path = table(tmp_path, [f"label{index}.png" for index in range(6)])
    assert any(each.startswith("error") and "palettes differ between files" in each for each in told(path, CLASSES))
    colours = {**CLASSES, "colours": COLOURS.tolist()}
    assert not [each for each in told(path, colours) if not each.startswith("info")]
    assert all(value(path, colours, row) == made[row].tolist() for row in range(6))


def test_palettes_that_agree_are_ids(tmp_path):
    path, made = saved(paletted([0, 1, 2]), "png", ids)(tmp_path)
    assert not [each for each in told(path, CLASSES) if not each.startswith("info")]
    assert value(path, CLASSES) == made[0].tolist()


@pytest.mark.parametrize("most", [100, 255, 4095, 65535])
def test_grey_maps_of_any_maximum_hold_their_numbers(most, tmp_path):
    """Pillow spreads them over 8 or 16 bits."""
    held = RNG.integers(0, most + 1, SIZE)
    content = held.astype(np.uint8 if most < 256 else ">u2").tobytes()
    (tmp_path / "a.pgm").write_bytes(b"P5\n%d %d\n%d\n" % (SIZE[1], SIZE[0], most) + content)
    assert (load_label(tmp_path / "a.pgm") == held).all()
    assert load_image(tmp_path / "a.pgm").max() == pytest.approx(held.max() / most, abs=0.01)


def from_one() -> np.ndarray:
    return ids() + 1


def smoothed(path: Path, array: np.ndarray) -> None:
    small = Image.fromarray(COLOURS[array]).resize((SIZE[1] // 2, SIZE[0] // 2), Image.Resampling.BILINEAR)
    small.resize(SIZE[::-1], Image.Resampling.BILINEAR).save(path)


def png(path: Path, array: np.ndarray) -> None:
    Image.fromarray(array).save(path)


def npy(path: Path, array: np.ndarray) -> None:
    np.save(path, array)


def blocks() -> np.ndarray:
    return np.repeat(np.repeat(RNG.integers(0, 3, (3, 4)), 4, 0), 4, 1).astype(np.uint8)


def ending_in(most: float, share: float) -> Callable[[], np.ndarray]:
    def make() -> np.ndarray:
        array = depth()
        array[RNG.random(SIZE) < share] = most
        return array.astype(np.uint16)

    return make


def coded_normals() -> np.ndarray:
    every = RNG.normal(size=(*SIZE, 3))
    return ((every / np.linalg.norm(every, axis=-1, keepdims=True) + 1) / 2).astype(np.float32)


def marked_normals() -> np.ndarray:
    coded = np.rint((normals(1) + 1) * 127.5).astype(np.uint8)
    coded[:2] = 255
    return coded


def swapped_normals() -> np.ndarray:
    return normals(1)[..., ::-1].copy()


def shares(most: int) -> Callable[[], np.ndarray]:
    return lambda: RNG.integers(0, most + 1, SIZE).astype(np.uint8)


MAPS: dict[str, tuple[Any, str, Callable[[], np.ndarray], dict[str, Any], str]] = {
    "ids from 1, a name to spare": (png, "png", from_one, {**CLASSES, "classes": [*"abcd"]}, "warning.*offset: 1"),
    "masks that were smoothed": (smoothed, "png", blocks, {**CLASSES, "colours": COLOURS.tolist()}, "smoothed?"),
    "a mark below the largest": (png, "png", ending_in(65534, 0.1), {"kind": "depth"}, "list 65534 under invalid"),
    "a round mark": (png, "png", ending_in(60000, 0.1), {"kind": "depth"}, "60 m exactly in 8 of 8"),
    "a far plane": (npy, "npy", lambda: ending_in(10000, 0.2)() / 10.0, {"kind": "depth"}, "list 1000 under invalid"),
    "depth made 0 to 1": (npy, "npy", lambda: _unit(), {"kind": "depth"}, "normalised one by one"),
    "centimetres of 16 bits": (png, "png", lambda: depth(100).astype(np.uint16), {"kind": "depth"}, "0.01 for cm"),
    "depth with the other sign": (npy, "npy", lambda: -depth(1), {"kind": "depth"}, "error.*with the other sign"),
    "normals as colours": (npy, "npy", coded_normals, {"kind": "normals"}, r"error.*lie in \[0, 1\].*2 \* v - 1"),
    "normals, white unknown": (png, "png", marked_normals, {"kind": "normals"}, "error.*most of them 255, 255, 255"),
    "normals as blue, green, red": (npy, "npy", swapped_normals, {"kind": "normals"}, "channels are in another order"),
    "saliency to 200": (png, "png", shares(200), {"kind": "saliency"}, "0.784 at most.*give it as scale"),
    "saliency of three levels": (png, "png", lambda: np.array([0, 128, 255], np.uint8)[ids()], {"kind": "saliency"},
                                 "ignore: 128"),
    "text": (lambda path, array: np.savetxt(path, array), "txt", ids, CLASSES, "of no kind that is known; pictures"),
    "a film": (lambda path, _: path.write_bytes(b"\0\0\0 ftypisom" + bytes(200)), "mp4", ids, CLASSES, "NumPy arrays"),
}  # fmt: skip


def _unit() -> np.ndarray:
    made = RNG.random(SIZE)
    return (made - made.min()) / (made.max() - made.min())


@pytest.mark.parametrize("name", MAPS)
def test_maps_are_told_of(name, tmp_path):
    write, ending, make, options, message = MAPS[name]
    path, _ = saved(write, ending, make)(tmp_path)
    found = [each for each in told(path, options) if not each.startswith("info")]
    assert any(re.search(message, each) for each in found), found


@pytest.mark.parametrize("halves", [(1000, 100), (1000, 10)])
def test_files_of_two_units_in_one_table(halves, tmp_path):
    labels = [depth(halves[index % 2]).astype(np.uint16) for index in range(8)]
    assert any("labels are of two kinds, 4 around" in each for each in told(table(tmp_path, labels), {"kind": "depth"}))


@pytest.mark.parametrize(
    ("camera", "message"),
    [(("0.8", "1.1", "0.5", "0.5"), "in millimetres or as shares"), (("1.2", "1.2", "8", "6"), "give it in pixels")],
)
def test_cameras_that_are_not_in_pixels(camera, message, tmp_path):
    columns = {name: [cell] * 6 for name, cell in zip(("fx", "fy", "cx", "cy"), camera, strict=True)}
    found = told(table(tmp_path, [depth().astype(np.uint16) for _ in range(6)], **columns), {"kind": "depth"})
    assert any(each.startswith("error fx") and message in each for each in found), found


def test_an_image_that_is_its_own_label(tmp_path):
    path = table(tmp_path, ["0.png", "1.png"])
    assert any("0.png is the image itself" in each for each in told(path, CLASSES))


def test_a_column_that_means_the_split(tmp_path):
    path = Path(table(tmp_path, ["dog", "cat"] * 3, subset=["train"] * 4 + ["test"] * 2))
    path.write_text("\n".join(",".join(line.split(",")[:3] + line.split(",")[4:]) for line in path.read_text().split()))
    assert any(each.startswith("warning subset: holds test, train, and all") for each in told(str(path), CATEGORY))


def test_the_same_image_in_two_splits(tmp_path):
    path = table(tmp_path, ["dog", "cat"] * 2, ["train", "train", "test", "test"])
    Image.open(tmp_path / "0.png").save(tmp_path / "3.png")
    assert any(each.startswith("error split: 1 images are in more than one split") for each in told(path, CATEGORY))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,label,,\na.png,dog,,\n", None),
        (",image,label\n0,a.png,dog\n", r"to_csv\(index=False\)"),
        ("Image,label\na.png,dog\n", "no column 'image'"),
        ("image,label\na.png,caf\xe9\n", "is not UTF-8: save the table as UTF-8"),
    ],
)
def test_tables_as_spreadsheets_and_pandas_write_them(text, message, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode("latin-1"))
    if message is None:
        assert read_table(path).rows[0]["label"] == "dog"
    else:
        with pytest.raises(DataError, match=message):
            read_table(path)


def test_files_of_cameras_that_write_their_endings_in_capitals(tmp_path, capsys):
    for folder, name in (("rgb", "a.jpg"), ("rgb", "B.JPG"), ("mask", "a.png"), ("mask", "B.PNG")):
        (tmp_path / folder).mkdir(exist_ok=True)
        Image.new("L", (8, 8)).save(tmp_path / folder / name)
    out = tmp_path / "t.csv"
    typed = ["table", str(tmp_path), "--out", str(out), "--image", "rgb/*.jpg", "--mask", "mask/*.png"]
    assert main(typed) == 0
    assert [(row["id"], row["mask"]) for row in read_table(out).rows] == [("B", "mask/B.PNG"), ("a", "mask/a.png")]


def test_patterns_that_take_labels_for_images(tmp_path, capsys):
    for name in ("a.png", "a_mask.png"):
        Image.new("L", (8, 8)).save(tmp_path / name)
    typed = ["table", str(tmp_path), "--out", str(tmp_path / "t.csv"), "--mask", "*_mask.png"]
    assert main([*typed, "--image", "*.png"]) == 2
    assert "a_mask.png (1 in all) is an image by --image *.png too" in capsys.readouterr().err
    assert main([*typed, "--image", "a.png"]) in (0, 2)


@pytest.mark.parametrize("size", [(16, 12), (160, 8), (12, 12)])
def test_eight_bits_are_eight_bits_in_pictures_of_any_size(size, tmp_path):
    Image.new("RGB", size, (7, 8, 9)).save(tmp_path / "a.png")
    assert load_label(tmp_path / "a.png").dtype == np.uint8
    assert load_label(tmp_path / "a.png")[0, 0].tolist() == [7, 8, 9]


@pytest.mark.parametrize("behind", [False, True])
def test_a_png_may_say_how_it_is_turned_behind_its_pixels(behind, tmp_path):
    from crosstask.data.decode.files import image_size, orientation

    tag = Image.Exif()
    tag[0x0112] = 6
    Image.new("L", (8, 4)).save(tmp_path / "a.png", exif=tag)
    raw = (tmp_path / "a.png").read_bytes()
    start = raw.index(b"eXIf") - 4
    length = int.from_bytes(raw[start : start + 4], "big") + 12
    chunk, rest = raw[start : start + length], raw[:start] + raw[start + length :]
    end = rest.index(b"IEND") - 4
    if behind:
        (tmp_path / "a.png").write_bytes(rest[:end] + chunk + rest[end:])
    assert orientation(tmp_path / "a.png") == 6
    assert image_size(tmp_path / "a.png") == (8, 4)
