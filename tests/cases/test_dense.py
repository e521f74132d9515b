"""Label files as people have them: the right value in memory, or one line from check and from train."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from crosstask.cli import main
from crosstask.data.decode.files import load_label
from crosstask.data.sample import collate
from crosstask.errors import DataError, RecipeError
from crosstask.evaluation.evaluate import evaluate
from crosstask.evaluation.results import Results
from crosstask.tasks import Segmentation
from tests.cases.situations import before_training, checked, said, splits, targets


def rows_of(*columns: str, count: int = 12, suffix: str = "png") -> list[tuple[str, ...]]:
    return [
        tuple(f"{column}/{i:02}.{'png' if column == 'rgb' else suffix}" for column in columns) for i in range(count)
    ]


LEVELS = {
    "good": (None, None),
    "ids02": ("levels 0, 2 alone", {"scale": 2}),
    "u16_255": ("levels 0, 255 alone", {"scale": 255}),
    "u8_128": ("levels 0, 128 alone", {"scale": 128}),
    "voc38": ("levels 0, 38 alone", {"remap": {0: 0, 38: 1}}),
    "trimap": ("levels 1, 2, 3 alone", {"remap": {1: 0, 2: 1}}),
    "rgba": ("alpha channel holds 0 to 255", None),
    "la": ("alpha channel holds 0 to 255", None),
}


@pytest.mark.parametrize("kind", LEVELS)
def test_04_saliency_levels(situation, kind):
    """The scale of masks is what the files say, declared, or refused: never 0.004 to 0.012."""
    case = situation("04_saliency_levels")
    case.table("t.csv", ["image", "saliency"], rows_of("rgb", kind))
    words, convention = LEVELS[kind]
    recipe = case.recipe()
    if words is None:
        truth = {f"{i:02}": np.asarray(Image.open(f"good/{i:02}.png")) > 0 for i in range(12)}
        for name, found in targets(recipe, "saliency").items():
            np.testing.assert_array_equal(np.array(found)[0], truth[name])
        assert not checked(recipe).errors
        return
    with pytest.raises(DataError, match=words):
        before_training(recipe)
    assert words in said(checked(recipe), "error")
    if convention:
        recipe = case.recipe(saliency={"kind": "saliency", **convention})
        values = np.array(list(targets(recipe, "saliency").values()))
        assert set(np.unique(values[~np.isnan(values)])) == {0, 1}
        assert bool(np.isnan(values).any()) == (kind == "trimap")
        assert not checked(recipe).errors
        assert "0 to 1" in str(before_training(recipe))


def test_04_saliency_levels_of_files_on_two_scales(situation):
    case = situation("04_saliency_levels")
    for i in range(6):
        mask = np.asarray(Image.open(f"good/{i:02}.png"))
        Image.fromarray((mask // 255).astype(np.uint8)).save(f"good/{i:02}.png")
    case.table("t.csv", ["image", "saliency"], rows_of("rgb", "good"))
    assert "different scales (6 as parts of" in said(checked(case.recipe()), "error")
    with pytest.raises(DataError, match="different scales"):
        before_training(case.recipe())


def test_05_binary255(situation):
    """0 and 255 with two classes: the figure must not become unknown without a word."""
    case = situation("05_binary255")
    case.table("t.csv", ["image", "lesion"], rows_of("rgb", "mask"))
    recipe = case.recipe()
    with pytest.raises(DataError, match=r"hold 'background' alone.*255 makes 19.1% of the pixels unknown.*255: 1"):
        before_training(recipe)
    told = said(checked(recipe), "error")
    assert "remap: {0: 0, 255: 1} if it is 'lesion'" in told
    recipe = case.recipe(lesion={"kind": "segmentation", "classes": ["background", "lesion"], "remap": {0: 0, 255: 1}})
    assert np.mean(list(targets(recipe, "lesion").values())) == pytest.approx(196 / 1024)
    assert not checked(recipe).errors
    assert "2 of 2 classes occur" in str(before_training(recipe))


DEPTHS = {
    "u16": ("png", r"holds 65535, the largest.*invalid: \[65535\]", {"invalid": [65535]}, (1.5, 3.0)),
    "fcm": ("npy", None, {"unit": 0.01}, (0.3, 0.6)),
    "fmm": ("npy", None, {"unit": 0.001}, (0.3, 0.6)),
    "neg": ("npy", r"negative \(stored -1\).*invalid: \[-1\]", {"invalid": [-1]}, (0.3, 0.6)),
    "inf": ("npy", r"infinite.*invalid: \['inf'\]", {"invalid": ["inf"]}, (0.3, 0.6)),
}


@pytest.mark.parametrize("kind", DEPTHS)
def test_08_depth_units(situation, kind):
    case = situation("08_depth_units")
    suffix, words, convention, (near, far) = DEPTHS[kind]
    case.table("t.csv", ["image", "depth"], rows_of("rgb", kind, suffix=suffix))
    plain = case.recipe(depth={"kind": "depth", "typical": 2.0})
    if words:
        with pytest.raises(DataError, match=words):
            before_training(plain)
        assert words.split(".*")[0].replace("\\", "") in said(checked(plain), "error")
    recipe = case.recipe(depth={"kind": "depth", "typical": 2.0, **convention})
    values = np.array(list(targets(recipe, "depth").values()))
    np.testing.assert_allclose(np.unique(values[~np.isnan(values)]), [near, far], rtol=1e-6)
    holes = 0 if kind in ("fcm", "fmm") else 6 / 32
    assert np.isnan(values).mean() == holes
    account = checked(recipe).accounts[""]["depth"]
    assert account.known == values.size - np.isnan(values).sum()
    assert account.unknown.total() == np.isnan(values).sum()
    assert "looks like" not in said(checked(recipe))
    assert f"{near:g} to {far:g} m" in str(before_training(recipe))


def test_08_depth_units_that_are_forgotten_are_told(situation):
    case = situation("08_depth_units")
    case.table("t.csv", ["image", "depth"], rows_of("rgb", "fmm", suffix="npy"))
    recipe = case.recipe(depth={"kind": "depth"})
    assert "set unit: 0.001" in said(checked(recipe), "warning")
    assert any("set unit: 0.001" in warning for warning in before_training(recipe).warnings)


def test_08_a_mark_that_never_occurs_is_told(situation):
    case = situation("08_depth_units")
    case.table("t.csv", ["image", "depth"], rows_of("rgb", "fcm", suffix="npy"))
    recipe = case.recipe(depth={"kind": "depth", "unit": 0.01, "invalid": [-1]})
    assert "invalid: -1 has no effect, no label holds it" in said(checked(recipe), "error")


@pytest.mark.parametrize(("image", "label"), [("rgb", "up"), ("rgb", "raw"), ("rgb", "tagged"), ("rgb3", "raw3")])
def test_10_exif(situation, image, label):
    """A photo that EXIF turns: its label follows, however it was drawn."""
    case = situation("10_exif")
    case.table("t.csv", ["image", "mask"], [(f"{image}/{i}.jpg", f"{label}/{i}.png") for i in range(4)])
    recipe = case.recipe({"table": "t.csv"}, mask={"kind": "segmentation", "classes": ["no", "yes"]})
    dataset = splits(recipe).train
    for sample in (dataset[i] for i in range(len(dataset))):
        red = (sample.image[0] > 0.6) & (sample.image[1] < 0.5)
        assert (red == (sample.targets["mask"] == 1)).float().mean() > 0.98
    assert not checked(recipe).errors


def test_10_exif_where_the_size_does_not_say(situation):
    """Turned upside down and without a tag: told, and an option."""
    case = situation("10_exif")
    for i in range(4):
        Image.open(f"raw3/{i}.png").copy().save(f"raw3/{i}.png", exif=b"")
    case.table("t.csv", ["image", "mask"], [(f"rgb3/{i}.jpg", f"raw3/{i}.png") for i in range(4)])
    mask = {"kind": "segmentation", "classes": ["no", "yes"]}
    told = said(checked(case.recipe({"table": "t.csv"}, mask=mask)), "warning")
    assert "4 images are turned by EXIF so that their labels fit both ways" in told
    recipe = case.recipe({"table": "t.csv"}, mask={**mask, "orientation": "stored"})
    sample = splits(recipe).train[0]
    assert ((sample.image[0] > 0.6) & (sample.image[1] < 0.5) == (sample.targets["mask"] == 1)).float().mean() > 0.98
    assert "turned by EXIF" not in said(checked(recipe))


FORMATS = {
    "depth.exr": "is an OpenEXR file; pictures .* are read",
    "depth.h5": "is an HDF5 file; pictures .* are read",
    "two.npz": r"holds 2 arrays \(depth.npy, mask.npy\)",
    "obj.npy": "store numbers, not objects",
    "onehot_hwc.npy": r"one-hot along axis 2, store array.argmax\(2\)",
    "onehot_chw.npy": r"one-hot along axis 0, store array.argmax\(0\)",
    "rgbcoded.png": "give the colour of each class with colours",
    "prob.npy": "whole numbers, not probabilities",
    "jpeg.jpg": "is a JPEG, which changes class ids",
}


@pytest.mark.parametrize("name", FORMATS)
def test_13_label_formats_that_are_refused(situation, name):
    case = situation("13_label_formats")
    case.table("t.csv", ["image", "mask"], [("rgb/0.png", f"l/{name}")])
    recipe = case.recipe({"table": "t.csv"}, mask={"kind": "segmentation", "classes": 4})
    with pytest.raises(DataError, match=FORMATS[name]) as caught:
        before_training(recipe)
    assert "\n" not in str(caught.value)
    assert len(checked(recipe).errors) == 1


def test_13_label_formats_that_are_read(situation):
    case = situation("13_label_formats")
    ids = np.repeat(np.arange(4), 8)[None].repeat(32, 0)
    colours = [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    for name, options, expected in (
        ("twobit.png", {"classes": 4}, ids),
        ("rgbcoded.png", {"classes": 4, "colours": colours}, ids),
        ("rgbcoded.png", {"classes": 4, "colours": [*colours[:3], None]}, np.where(ids == 3, -1, ids)),
        ("int8.npy", {"classes": 3}, ids - 1),
        ("nyu.png", {"classes": 40, "offset": 1}, ids + 36),
        ("nyu0.png", {"classes": 40, "offset": 1}, np.where(np.arange(32)[:, None] < 4, -1, ids + 36)),
    ):
        case.table("t.csv", ["image", "mask"], [("rgb/0.png", f"l/{name}")])
        recipe = case.recipe({"table": "t.csv"}, mask={"kind": "segmentation", **options})
        np.testing.assert_array_equal(targets(recipe, "mask")["0"], expected, err_msg=name)
        assert not checked(recipe).errors
        account = checked(recipe).accounts[""]["mask"]
        assert account.unknown.total() == (expected < 0).sum()
    assert load_label(Path("l/depth.pfm")).tolist() == np.full((32, 32), 2.5).tolist()


def test_13_label_formats_ids_from_one_get_a_remedy_that_does_no_harm(situation):
    case = situation("13_label_formats")
    case.table("t.csv", ["image", "mask"], [("rgb/0.png", "l/nyu.png")])
    recipe = case.recipe({"table": "t.csv"}, mask={"kind": "segmentation", "classes": 40})
    with pytest.raises(DataError, match="set offset: 1 if ids begin at 1") as caught:
        before_training(recipe)
    assert "ignore: 40" not in str(caught.value)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("palette", [False, True])
def test_pictures_of_few_bits_keep_their_ids(tmp_path, bits, palette):
    ids = np.arange(32, dtype=np.uint8).reshape(4, 8) % min(2**bits, 16)
    picture = Image.fromarray(ids, "P" if palette else "L")
    if palette:
        picture.putpalette([255, 0, 0] * 256)
        picture.save(tmp_path / "a.png", bits=bits)
    elif bits == 1:
        Image.fromarray(ids.astype(bool)).save(tmp_path / "a.png")
    elif bits == 8:
        picture.save(tmp_path / "a.png")
    else:
        pytest.skip("Pillow writes no grey pictures of 2 or 4 bits; 13_label_formats holds one")
    np.testing.assert_array_equal(load_label(tmp_path / "a.png"), ids)


class Near(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"depth": torch.full_like(images[:, :1], 1.5)}


@pytest.mark.parametrize("mask", ["mask01", "mask255"])
def test_18_valid_mask(situation, mask):
    """What a mask leaves out is neither trained on nor measured, whether it says 1 or 255."""
    case = situation("18_valid_mask")
    recipe = case.recipe({"table": f"{mask}.csv"})
    dataset = splits(recipe).train
    batch = collate([dataset[i] for i in range(4)])
    assert batch.weights["depth"].unique().tolist() == [0, 1]
    task = recipe.tasks()["depth"]
    assert task.count(batch.targets["depth"], batch.weights["depth"]) == 4 * 22 * 32
    results = evaluate(Near(), [batch], {"depth": task})
    assert results.tasks["depth"].known == 4 * 22 * 32
    assert results.tasks["depth"].score < 1.5
    account = checked(recipe).accounts[""]["depth"]
    assert (account.low, account.high) == (1.5, 3.0)
    assert "1.5 to 3 m" in str(before_training(recipe))


def test_18_valid_mask_that_some_rows_lack_is_told(situation):
    told = said(checked(situation("18_valid_mask").recipe({"table": "mixed.csv"})), "warning")
    assert "depth.weight: blank in 6 of 12 labelled rows" in told


B = {"path": "B/B.csv", "depth": {"unit": 0.00390625}}


def test_19_two_tables(situation):
    """Each table says how its own labels are stored."""
    case = situation("19_two_tables")
    told = said(checked(case.recipe()), "warning")
    assert "tables differ in the median" in told
    recipe = case.recipe({"table": ["A/A.csv", B]})
    for split in ("train", "test"):
        found = targets(recipe, "depth", split)
        assert len(found) == (8 if split == "train" else 4)
        for name, values in found.items():
            assert np.unique(values).tolist() == [2.0, 8.0], name
    assert not said(checked(recipe), "warning", "error").strip()
    assert "2 to 8 m" in str(before_training(recipe))


def test_19_two_tables_as_a_person_trains_and_measures_with_them(situation, capsys):
    case = situation("19_two_tables")
    (case.folder / "recipe.yaml").write_text(case.recipe({"table": ["A/A.csv", B]}).to_yaml())
    short = ["--quiet", "--training.iterations", "2", "--network.encoder_options", "{width: 4}"]
    assert main(["train", "recipe.yaml", "--out", "run", *short]) == 0
    for more, file in (([], "results_test"), (["--table", "B/B.csv", "--split", "test"], "results_test_B")):
        assert main(["eval", "run", "--quiet", *more]) == 0
        results = Results.load(f"run/{file}.json")
        assert 1 < results.tasks["depth"].score < 8.1
        assert results.images == (2 if more else 4)
    assert "error" not in capsys.readouterr().err


def test_19_two_tables_with_other_ids(situation):
    case = situation("19_two_tables")
    for name, ids in (("A", (0, 1)), ("B", (1, 0))):
        rows = []
        for i in range(6):
            depth = np.asarray(Image.open(f"{name}/depth/{name}{i}.png"))
            Image.fromarray(np.where(depth == depth.min(), *ids[::-1]).astype(np.uint8)).save(f"{name}/{name}{i}.png")
            rows.append((f"rgb/{name}{i}.png", f"{name}{i}.png"))
        with open(f"{name}/{name}.csv", "w", newline="") as file:
            csv.writer(file).writerows([("image", "semantic"), *rows])
    semantic = {"kind": "segmentation", "classes": ["road", "car"]}
    tables = ["A/A.csv", {"path": "B/B.csv", "semantic": {"remap": {0: 1, 1: 0}}}]
    found = targets(case.recipe({"table": tables}, semantic=semantic), "semantic")
    dataset = splits(case.recipe({"table": tables}, semantic=semantic)).train
    for index, name in enumerate(dataset.ids):
        figure = dataset[index].image[0] > 0.6
        np.testing.assert_array_equal(np.array(found[name]) == 1, figure)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"path": "B/B.csv", "dept": {"unit": 1}}, r"data.table\[1\].dept: there is no task 'dept'"),
        ({"path": "B/B.csv", "depth": {"maximum": 1}}, r"data.table\[1\].depth.maximum: does not say how labels"),
        ({"path": "B/B.csv", "depth": {"unit": -1}}, r"data.table\[1\].depth.unit: found -1: give more than 0"),
        ({"path": "B/B.csv", "depth": {"unit": "cm"}}, r"data.table\[1\].depth.unit: expected a number"),
        ({"depth": {"unit": 1}}, r"data.table\[1\]: expected a path"),
    ],
)
def test_19_two_tables_with_conventions_that_do_not_exist(situation, entry, words):
    recipe = situation("19_two_tables").recipe({"table": ["A/A.csv", entry]})
    with pytest.raises(RecipeError, match=words):
        splits(recipe)


def test_options_of_conventions_that_contradict_are_refused():
    for options in (
        {"colours": [[0, 0, 0], [1, 1, 1]], "ignore": 3},
        {"remap": {1: 0}, "offset": 1},
        {"colours": [[0, 0, 0], [0, 0, 0]]},
        {"ignore": 1},
        {"offset": -1},
    ):
        with pytest.raises(ValueError, match=r"leave out|twice|ignore is 1|offset is -1"):
            Segmentation("s", classes=2, **options)
