import json
import os
import shutil
import signal

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from crosstask.data.decode.files import load_image, load_label
from crosstask.data.loading.dataset import TableDataset
from crosstask.data.table.table import read_table
from crosstask.engine import Engine
from crosstask.errors import DataError, RunError, UserError
from crosstask.evaluation.boundary import DrawnToEdges
from crosstask.evaluation.inference import Inference
from crosstask.evaluation.predict import predict
from crosstask.tasks import KINDS
from tests.evaluation.toys import Pixelwise, every_kind

TASKS = every_kind()
NETWORK = Pixelwise(TASKS)
SIZES = {"a": (12, 17), "b": (40, 9), "deep/ü x": (1, 1), "big": (90, 700)}


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name, size in SIZES.items():
        path = tmp_path / "images" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
    return tmp_path / "images"


def expected(path):
    predictions = NETWORK(load_image(path).as_subclass(torch.Tensor)[None])
    return {name: task.decide(predictions[name])[0].detach() for name, task in TASKS.items()}


def test_files_hold_the_predictions(folder, tmp_path):
    out = tmp_path / "out"
    steps = []
    done = predict(NETWORK, TASKS, [folder], out, progress=lambda *step: steps.append(step))
    assert done.exit_code == 0
    assert sorted(done.done) == sorted(SIZES)
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    tolerance = {"depth": 5.1e-4, "disparity": 0.51, "normals": 0.01, "saliency": 0.003}
    cells = {row["id"]: row for row in read_table(out / "table.csv").rows}
    for name, size in SIZES.items():
        values = expected(folder / f"{name}.png")
        for key, task in TASKS.items():
            if not task.dense:
                continue
            assert cells[name][key] in (
                f"{key}/{name}.png",
                f"{key}/{name}.npy",
            )  # floats where integers cannot hold it
            found = task.parse(load_label(out / cells[name][key]))
            assert found.shape == task.shape(size)
            torch.testing.assert_close(
                found.as_subclass(torch.Tensor), values[key], rtol=0, atol=tolerance.get(key, 0), check_dtype=False
            )
    with Image.open(out / "depth/a.png") as stored:
        assert stored.mode.startswith("I;16")


def test_image_level_predictions_are_json_lines(folder, tmp_path):
    predict(NETWORK, TASKS, [folder / "a.png", folder / "b.png"], tmp_path / "out", pictures=False)
    lines = [json.loads(line) for line in (tmp_path / "out/predictions.jsonl").read_text("utf-8").splitlines()]
    assert [line["id"] for line in lines] == ["a", "b"]
    values = expected(folder / "a.png")
    assert lines[0]["tags"]["probabilities"]["dog"] == pytest.approx(values["tags"][1].item(), abs=1e-5)
    assert lines[0]["category"]["index"] == int(values["category"])
    assert lines[0]["scalars"]["values"]["arousal"] == pytest.approx(values["scalars"][1].item(), rel=1e-4)
    assert not (tmp_path / "out/pictures").exists()


def test_the_table_makes_labels_of_predictions(folder, tmp_path):
    out = tmp_path / "out"
    predict(NETWORK, TASKS, [folder], out)
    data = TableDataset(read_table(out / "table.csv"), TASKS)
    assert sorted(data.ids) == sorted(SIZES)
    assert data.labelled().all()
    for index, name in enumerate(data.ids):
        sample, values = data[index], expected(folder / f"{name}.png")
        assert torch.equal(sample.image, load_image(folder / f"{name}.png"))
        assert torch.equal(sample.targets["semantic"].as_subclass(torch.Tensor), values["semantic"])
        assert torch.equal(sample.targets["tags"].as_subclass(torch.Tensor), (values["tags"] > 0.5).float())
        assert int(sample.targets["category"]) == int(values["category"])
        assert sample.targets["scalars"].tolist() == pytest.approx(values["scalars"].tolist(), rel=1e-4)


def test_pictures_show_image_and_tasks_side_by_side(folder, tmp_path):
    tasks = {name: TASKS[name] for name in ("depth", "tags")}
    predict(Pixelwise(tasks), tasks, [folder / "big.png"], tmp_path / "out")
    height = round(90 * 512 / 700)
    with Image.open(tmp_path / "out/pictures/big.png") as sheet, Image.open(folder / "big.png") as image:
        assert sheet.mode == "RGB"
        assert sheet.size == (3 * 512 + 2 * 4, height + 18 + 20)  # captions above, the legend below
        shown = np.asarray(sheet, dtype=float)[18 : 18 + height, :512]
        small = np.asarray(image.resize((512, height), Image.Resampling.BILINEAR), dtype=float)
    assert np.abs(shown - small).mean() < 2


def test_broken_images_are_named_and_the_rest_is_finished(folder, tmp_path):
    (folder / "broken.jpg").write_bytes((folder / "a.png").read_bytes()[:60])
    (folder / "empty.png").write_bytes(b"")
    done = predict(NETWORK, TASKS, [folder], tmp_path / "out")
    assert done.exit_code == 1
    assert sorted(done.done) == sorted(SIZES)
    assert set(done.broken) == {"broken", "empty"}
    assert "broken.jpg" in done.broken["broken"]
    assert "\n" not in done.broken["broken"]
    assert len(read_table(tmp_path / "out/table.csv")) == len(SIZES)


def test_nothing_but_broken_images(folder, tmp_path):
    (folder / "empty.png").write_bytes(b"")
    done = predict(NETWORK, TASKS, [folder / "empty.png"], tmp_path / "out")
    assert done.done == []
    assert done.exit_code == 1


def test_predictions_that_are_not_finite_are_not_written(folder, tmp_path):
    class Broken(nn.Module):
        def forward(self, images):
            return {"depth": images[:, :1] / (images[:, :1].mean() - images[:, :1].mean())}

    done = predict(Broken(), {"depth": TASKS["depth"]}, [folder], tmp_path / "out")
    assert "NaN or infinity for depth" in done.broken["a"]
    assert not (tmp_path / "out/depth").exists()


def test_a_folder_that_is_not_empty_is_left_alone(folder, tmp_path):
    out = tmp_path / "out"
    predict(NETWORK, TASKS, [folder / "a.png"], out)
    before = (out / "table.csv").read_bytes()
    with pytest.raises(UserError, match="overwrite"):
        predict(NETWORK, TASKS, [folder / "b.png"], out)
    assert (out / "table.csv").read_bytes() == before
    predict(NETWORK, TASKS, [folder / "b.png"], out, overwrite=True)
    assert read_table(out / "table.csv").ids == ["b"]
    with pytest.raises(UserError, match="another folder"):
        predict(NETWORK, TASKS, [folder / "b.png"], folder / "a.png")


@pytest.mark.parametrize("name", ["pictures", "image"])
def test_task_names_the_output_needs(folder, tmp_path, name):
    with pytest.raises(UserError, match="another name"):
        predict(NETWORK, {name: TASKS["depth"]}, [folder], tmp_path / "out")


def test_a_disk_that_refuses(folder, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(RunError, match="No space left"):
        predict(NETWORK, TASKS, [folder], tmp_path / "out")


def test_an_interrupted_run_leaves_a_table_of_what_is_there(folder, tmp_path):
    def stop(done, _):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(NETWORK, TASKS, [folder], tmp_path / "out", progress=stop)
    table = read_table(tmp_path / "out/table.csv")
    assert len(table) == 2
    assert all(table.resolve(0, key).is_file() for key, task in TASKS.items() if task.dense)


def test_tiles_and_flips_write_the_same_files(folder, tmp_path):
    tasks = {"semantic": TASKS["semantic"]}
    network = Pixelwise(tasks)
    predict(network, tasks, [folder / "big.png"], tmp_path / "plain")
    predict(Inference(network, tasks, tile=64, flip=True), tasks, [folder / "big.png"], tmp_path / "tiled")
    plain, tiled = (load_label(tmp_path / kind / "semantic/big.png") for kind in ("plain", "tiled"))
    assert (plain == tiled).mean() > 0.999


def test_many_classes_and_autocast(folder, tmp_path):
    class Constant(nn.Module):
        def forward(self, images):
            logits = torch.zeros(len(images), 400, *images.shape[-2:])
            logits[:, 321] = 1
            return {"semantic": logits}

    tasks = {"semantic": KINDS["segmentation"]("semantic", classes=400, ignore=65535)}
    predict(Constant(), tasks, [folder / "a.png"], tmp_path / "out", autocast=torch.bfloat16)
    found = tasks["semantic"].parse(load_label(tmp_path / "out/semantic/a.png"))
    assert (found == 321).all()


def test_what_it_wrote_among_the_images_is_no_image(folder, tmp_path):
    out = folder / "out"
    for given in (folder, folder / "**" / "*.png"):
        for overwrite in (False, True):
            done = predict(NETWORK, TASKS, [given], out, overwrite=overwrite)
            assert len(done.done) == len(SIZES)
        shutil.rmtree(out)
    shutil.copytree(folder, tmp_path / "all" / "photos")
    for given in (tmp_path / "all" / "photos", tmp_path / "all" / "photos" / "**" / "*.png"):
        assert len(predict(NETWORK, TASKS, [given], tmp_path / "all", overwrite=True).done) == len(SIZES)


def test_what_follows_on_the_views_is_predicted_alike_with_confidence(folder, tmp_path):
    network = DrawnToEdges(Inference(NETWORK, TASKS, flip=True, scales=(1, 0.5)), TASKS, 2)
    for name, source in (("plain", None), ("sure", "one")):
        predict(network, TASKS, [folder / "b.png"], tmp_path / name, source=source)
    for path in (tmp_path / "plain").rglob("*.png"):
        assert path.read_bytes() == (tmp_path / "sure" / path.relative_to(tmp_path / "plain")).read_bytes()
    assert np.asarray(Image.open(tmp_path / "sure" / "depth.weight" / "b.png")).min() < 255


def test_confidence_is_written_as_weights_with_its_source(folder, tmp_path):
    network = Inference(NETWORK, TASKS, flip=True, scales=(1.0, 0.5))
    predict(network, TASKS, [folder / "a.png"], tmp_path / "out", source="one")
    table = read_table(tmp_path / "out" / "table.csv")
    assert {table.rows[0][f"{name}.source"] for name in TASKS} == {"one"}
    image = load_image(folder / "a.png").as_subclass(torch.Tensor)[None]
    views = list(network.views(image))
    assert len(views) == 4
    for name, task in TASKS.items():
        sure = task.fuse(torch.cat([task.activate(view[name]).detach() for view in views])).confidence
        if task.dense:
            stored = load_label(table.resolve(0, f"{name}.weight")) / 255
            np.testing.assert_allclose(stored, sure.numpy(), atol=0.51 / 255)
        else:
            assert float(table.rows[0][f"{name}.weight"]) == pytest.approx(float(sure.mean()), abs=1e-4)
    sample = TableDataset(table, TASKS)[0]  # an ordinary table
    assert sample.made == set(TASKS)
    assert sample.weights["depth"].shape == SIZES["a"]


def test_the_camera_of_an_image_stays_with_its_predictions(folder, tmp_path):
    given = tmp_path / "given.csv"
    given.write_text("id,image,fx,fy,cx,cy\none,images/a.png,20,21,8.5,6\ntwo,images/b.png,,,,\n", encoding="utf-8")
    out = tmp_path / "out"
    predict(NETWORK, TASKS, [given], out, pictures=False)
    rows = {row["id"]: row for row in read_table(out / "table.csv").rows}
    assert [rows["one"][column] for column in ("fx", "fy", "cx", "cy")] == ["20", "21", "8.5", "6"]
    assert rows["two"]["fx"] == ""
    assert load_label(out / rows["one"]["depth"]).shape == SIZES["a"]  # the size the camera is about
    predict(NETWORK, TASKS, [folder], tmp_path / "plain", pictures=False)
    assert "fx" not in read_table(tmp_path / "plain" / "table.csv").columns


@pytest.mark.parametrize(
    ("name", "start", "what"),
    [
        ("a.heic", b"\0\0\0\x18ftypheic", "a HEIC or AVIF file"),
        ("a.exr", b"\x76\x2f\x31\x01", "an OpenEXR file"),
        ("a.h5", b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    ],
)
def test_kinds_that_are_not_read_are_named_with_what_is(tmp_path, name, start, what):
    (tmp_path / name).write_bytes(start + b"\0" * 200)
    done = predict(NETWORK, TASKS, [tmp_path / name], tmp_path / "out", pictures=False)
    assert f"is {what}; pictures (PNG, JPEG" in done.broken[name.partition(".")[0]]
    with pytest.raises(DataError, match=what):
        load_label(tmp_path / name)
    with pytest.raises(UserError, match=f"no image found but 1 .{name.partition('.')[2]} files, which are not read"):
        predict(NETWORK, TASKS, [tmp_path], tmp_path / "other", pictures=False)


def contents(out):
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_processes_write_the_same_files(folder, tmp_path):
    (folder / "empty.png").write_bytes(b"")
    here = predict(NETWORK, TASKS, [folder], tmp_path / "here", source="one")
    there = predict(NETWORK, TASKS, [folder], tmp_path / "there", source="one", engine=Engine(workers=2))
    assert there == here
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert ".unfinished.jsonl" not in contents(tmp_path / "here")


def test_an_interrupted_call_is_continued_by_the_same_one(folder, tmp_path):
    out, seen = tmp_path / "out", []

    def stop(done, _):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(NETWORK, TASKS, [folder], out, key="one", progress=stop)
    with open(out / ".unfinished.jsonl", "a", encoding="utf-8") as file:
        file.write('{"key": "one", "id": ')  # cut off
    first, second = [row["id"] for row in read_table(out / "table.csv").rows]
    changed = folder / f"{second}.png"
    Image.fromarray(np.zeros((7, 5, 3), np.uint8)).save(changed)

    class Watched(nn.Module):
        def forward(self, images):
            seen.append(tuple(images.shape[-2:]))
            return NETWORK(images)

    with pytest.raises(UserError, match="unfinished predictions of other weights or options"):
        predict(NETWORK, TASKS, [folder], out, key="another")
    with pytest.raises(UserError, match="unfinished predictions"):
        predict(NETWORK, TASKS, [folder], out)
    done = predict(Watched(), TASKS, [folder], out, key="one")
    assert done.before == 1
    assert sorted(done.done) == sorted(SIZES)
    assert SIZES[first] not in seen
    assert (7, 5) in seen
    assert len(seen) == 3
    predict(NETWORK, TASKS, [folder], tmp_path / "whole")
    assert contents(out).items() >= contents(tmp_path / "whole").items()


def test_an_image_that_takes_down_its_process_costs_itself(folder, tmp_path):
    tasks = {"semantic": TASKS["semantic"]}
    done = predict(Deadly(), tasks, [folder], tmp_path / "out", engine=Engine(workers=2), pictures=False)
    assert sorted(done.done) == ["a", "b", "deep/ü x"]
    assert "its process killed by SIGKILL each time it was tried" in done.broken["big"]


class Deadly(nn.Module):
    """Ends the process that predicts the largest image."""

    def forward(self, images):
        if images.shape[-1] == SIZES["big"][1]:
            os.kill(os.getpid(), signal.SIGKILL)
        return NETWORK(images)
