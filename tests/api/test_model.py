import io
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

import crosstask
from crosstask.cli import main
from crosstask.data.decode.files import load_label
from crosstask.data.table.table import read_table
from crosstask.errors import DataError, UserError
from crosstask.evaluation.predict import predict
from crosstask.tasks import Task


@pytest.fixture(scope="module")
def model(place):
    return crosstask.load(place / "runs/mine")


def forms(path):
    picture = Image.open(path).convert("RGB")
    array = np.array(picture)
    tensor = torch.from_numpy(array).permute(2, 0, 1)
    return {
        "path": path,
        "text": str(path),
        "PIL": picture,
        "array": array,
        "floats": array / 255.0,
        "tensor": tensor,
        "float tensor": tensor / 255.0,
        "channels first": array.transpose(2, 0, 1).copy(),
    }


@pytest.mark.parametrize("form", ["text", "PIL", "array", "floats", "tensor", "float tensor", "channels first"])
def test_every_form_of_an_image_gives_what_the_file_gives(model, place, form):
    given = forms(place / "image/002.png")
    expected, found = model.predict(given["path"]), model.predict(given[form])
    for name in model.tasks:
        torch.testing.assert_close(found[name].raw, expected[name].raw)


def test_values_are_those_the_command_writes(model, place, tmp_path):
    predict(model._predictor(None, (1.0,), False), model.tasks, [place / "image"], tmp_path / "out")
    answer = model.predict(place / "image/001.png")
    stored = np.array(Image.open(tmp_path / "out/semantic/001.png"))
    assert (answer["semantic"].numpy() == stored).all()
    (cell,) = [row["depth"] for row in read_table(tmp_path / "out/table.csv").rows if row["id"] == "001"]
    depth = model.tasks["depth"].parse(load_label(tmp_path / "out" / cell)).numpy()
    assert np.abs(answer["depth"].numpy() - depth).max() <= 0.00051
    lines = map(json.loads, (tmp_path / "out/predictions.jsonl").read_text().splitlines())
    said = next(line for line in lines if line["id"] == "001")
    assert answer["tags"].named == said["tags"]["probabilities"]
    chosen = max(answer["place"].named, key=answer["place"].named.get)
    assert chosen == said["place"]["cell"]


def test_a_photo_larger_than_the_training_size_gives_what_the_command_writes(model, place, tmp_path):
    with Image.open(place / "image/001.png") as small:
        small.convert("RGB").resize((small.width * 3, small.height * 3), Image.Resampling.BICUBIC).save(
            tmp_path / "big.png"
        )
    assert (
        main(
            ["predict", str(place / "runs/mine"), str(tmp_path / "big.png"), "--out", str(tmp_path / "out"), "--quiet"]
        )
        == 0
    )
    answer = model.predict(tmp_path / "big.png")
    stored = np.array(Image.open(tmp_path / "out/semantic/big.png"))
    assert stored.shape == answer["semantic"].numpy().shape
    assert (answer["semantic"].numpy() == stored).all()
    (cell,) = [row["depth"] for row in read_table(tmp_path / "out/table.csv").rows]
    depth = model.tasks["depth"].parse(load_label(tmp_path / "out" / cell)).numpy()
    assert np.abs(answer["depth"].numpy() - depth).max() <= 0.00051


def test_values_have_units_confidence_and_pictures(model, place):
    answer = model.predict(place / "photo.jpg")
    assert list(answer) == ["semantic", "depth", "normals", "tags", "place"]
    assert answer["depth"].unit == "m"
    assert answer["semantic"].confidence.shape == (32, 48)
    assert answer["tags"].confidence.shape == (2,)
    assert answer["place"].confidence.shape == ()
    assert answer["depth"].confidence is None
    probabilities = answer["semantic"].natural
    torch.testing.assert_close(probabilities.sum(0), torch.ones(32, 48))
    torch.testing.assert_close(probabilities.max(0).values, answer["semantic"].confidence)
    assert math.isclose(sum(answer["semantic"].named.values()), 1, abs_tol=1e-5)
    assert math.isclose(sum(answer["place"].named.values()), 1, abs_tol=1e-5)
    for value in answer.values():
        assert isinstance(value.task, Task)
        assert value.picture().size == (48, 32)
        assert value.task.name in repr(answer)
    assert answer.sheet().width >= 6 * 48
    assert answer._repr_png_().startswith(b"\x89PNG")


def test_the_image_of_the_caller_is_left_as_it_was(model):
    turned = Image.new("RGB", (8, 4))
    turned.getexif()[0x0112] = 6
    assert model.predict(turned)["depth"].value.shape == (1, 8, 4)
    assert turned.size == (8, 4)
    assert turned.getexif()[0x0112] == 6


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("nowhere.jpg", "nowhere.jpg: no such file"),
        (np.zeros((4, 4, 2), np.uint8), "1, 3 or 4 channels"),
        (np.zeros((0, 4, 3), np.uint8), r"0x4 \(height x width\) has no pixels"),
        (torch.zeros(3, 4, 0), "4x0"),
        (Image.new("RGB", (4, 0)), "0x4"),
        (np.full((4, 4, 3), 200.0), r"in \[0, 1\], found values from 200"),
        (torch.full((3, 4, 4), float("nan")), "16 pixels are NaN"),
        (torch.zeros(2, 3, 4, 4), r"shape \(2, 3, 4, 4\)"),
        (torch.zeros(3, 4, 4, dtype=torch.bool), "bool values"),
        (None, "found NoneType"),
    ],
)
def test_what_is_no_image_is_said_in_one_line(model, image, said):
    with pytest.raises(UserError, match=said) as error:
        model.predict(image)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_picture_that_is_cut_off_is_said_in_one_line(model, form):
    file = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(file, form)
    with pytest.raises(DataError, match="the image: image file is truncated"):
        model.predict(Image.open(io.BytesIO(file.getvalue()[:1500])))


def test_floats_of_any_width_are_read(model, place):
    image = torch.from_numpy(np.array(Image.open(place / "photo.jpg").convert("RGB"))) / 255
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        narrow = image.to(dtype)
        torch.testing.assert_close(model.predict(narrow)["depth"].raw, model.predict(narrow.float())["depth"].raw)


def test_a_task_a_tile_and_weights_that_are_not_there(model, place):
    with pytest.raises(UserError, match=r"no task 'deph'.*depth"):
        model.predict(place / "photo.jpg", ["deph"])
    with pytest.raises(UserError, match="tile is 0"):
        model.predict(place / "photo.jpg", tile=0)
    with pytest.raises(UserError, match="best or last, found 'newest'"):
        crosstask.load(place / "runs/mine", "newest")
    assert list(model.predict(place / "photo.jpg", "depth", flip=True)) == ["depth"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scales": 0}, "several numbers, .* say; found tile=None, scales=0"),
        ({"scales": "x"}, "found tile=None, scales='x'"),
        ({"tile": "16"}, "tile is '16': give a side in whole pixels"),
        ({"tile": 16.0}, r"tile is 16\.0: give a side in whole pixels"),
        ({"tile": True}, "tile is True: give a side in whole pixels"),
        ({"flip": "no"}, "flip is 'no': give True or False"),
    ],
)
def test_options_of_predict_that_cannot_be(model, place, options, said):
    with pytest.raises(UserError, match=said):
        model.predict(place / "photo.jpg", **options)


def test_sides_and_scales_may_be_of_numpy(model, place):
    photo = Image.open(place / "photo.jpg").convert("RGB").resize((96, 64))
    found = model.predict(photo, tile=np.int64(24), scales=np.array([1.0, 1.5]))
    expected = model.predict(photo, tile=24, scales=(1.0, 1.5))
    torch.testing.assert_close(found["depth"].raw, expected["depth"].raw)


def test_devices_are_those_the_command_knows(place):
    with pytest.raises(UserError, match=r"device 'gpu': cannot be used .*: give cpu, cuda, mps or auto"):
        crosstask.load(place / "runs/mine", device="gpu")
    assert crosstask.load(place / "runs/mine", device="auto").device.type in ("cpu", "cuda", "mps")
    assert crosstask.load(place / "runs/mine", device=torch.device("cpu")).device == torch.device("cpu")


def test_evaluate_measures_what_the_command_measures(model):
    results = model.evaluate()
    assert results.settings["split"] == "test"
    assert results.tasks["depth"].images == 2


def test_evaluate_takes_a_table_in_memory(model, place):
    whole = crosstask.read_table(place / "data.csv")
    few = crosstask.Table(place / "few.csv", whole.columns, whole.rows[-2:])
    assert model.evaluate("", few).tasks["depth"].images == model.evaluate("", place / "few.csv").tasks["depth"].images


def test_check_shows_itself(place):
    report = crosstask.check(place / "data.csv", place / "mine.yaml")
    assert report.errors == []
    assert "labelled rows" in repr(report)
    said = json.loads(json.dumps(report.plain()))
    assert said["labelled"]["train"]["depth"] == 6
    assert said["classes"]["semantic"]["test"].keys() == {"floor", "wall", "box"}
