"""What a real client is told by a real server is what the network says in Python."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

import crosstask
from crosstask.evaluation.confidence import stored_weight
from tests.serve.conftest import httpx, picture


def array(data: bytes) -> np.ndarray:
    return np.load(BytesIO(data)) if data.startswith(b"\x93NUMPY") else np.array(Image.open(BytesIO(data)))


def agrees(answer: dict, data: bytes, model) -> bool:
    """Whether an answer is that of the network in Python to this picture."""
    expected = model.predict(Image.open(BytesIO(data)))
    for name, value in expected.items():
        said = answer["tasks"][name]
        if said["named"].keys() != value.named.keys() or any(
            abs(said["named"][key] - number) > 1e-5 for key, number in value.named.items()
        ):
            return False
        if value.task.dense:
            found, right = array(base64.b64decode(said["map"]["base64"])), value.task.encode(value.value)
            assert found.dtype == right.dtype
            near = 1e-4 if right.dtype.kind == "f" else 1
            if (np.abs(found.astype(float) - right) > near).mean() > 0.001:
                return False
    return set(answer["tasks"]) == set(expected)


def test_fifty_at_once_are_each_answered_with_their_own_picture(served, model):
    pictures = [picture(seed) for seed in range(50)]

    def ask(data: bytes) -> httpx.Response:
        with httpx.Client(base_url=served.url, timeout=60, trust_env=False) as client:  # a connection of its own
            return client.post("/predict", files={"image": ("../x.png", data, "image/png")})

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(ask, pictures))
    assert [answer.status_code for answer in answers] == [200] * 50
    assert all(agrees(answer.json(), data, model) for answer, data in zip(answers, pictures, strict=True))
    others = pictures[1:] + pictures[:1]
    assert not any(agrees(answer.json(), data, model) for answer, data in zip(answers, others, strict=True))


def test_the_body_may_be_the_picture_itself(served, model):
    data = picture(3, (40, 30), "JPEG")
    answer = served.client.post("/predict", content=data)
    assert answer.headers["content-type"] == "application/json"
    assert agrees(answer.json(), data, model)
    assert (answer.json()["height"], answer.json()["width"]) == (40, 30)


def test_words_units_and_confidences_are_said(served, model):
    data = picture(4)
    value = model.predict(Image.open(BytesIO(data)))
    said = served.client.post("/predict", content=data, params={"maps": "none"}).json()["tasks"]
    assert {name: task["unit"] for name, task in said.items()} == {
        "semantic": None, "depth": "m", "normals": "unit vector", "tags": "probability", "place": None
    }  # fmt: skip
    assert not any("map" in task for task in said.values())
    assert said["semantic"]["confidence"] == pytest.approx(float(value["semantic"].confidence.mean()), abs=1e-5)
    assert said["tags"]["confidence"] == pytest.approx(
        dict(zip(("cat", "sofa"), value["tags"].confidence.tolist(), strict=True)), abs=1e-5
    )
    assert said["place"]["label"] == max(said["place"]["named"], key=said["place"]["named"].get)
    assert said["depth"]["confidence"] is None


def test_one_dense_task_is_one_png(served, model):
    data = picture(5)
    expected = model.predict(Image.open(BytesIO(data)))
    answer = served.client.post("/predict?task=semantic", content=data)
    assert answer.headers["content-type"] == "image/png"
    assert (array(answer.content) != expected["semantic"].numpy()).mean() < 0.001
    answer = served.client.post("/predict?task=depth", content=data)  # a little trained: millimetres are too coarse
    assert answer.headers["content-type"] == "application/x-npy"
    assert np.abs(array(answer.content) - expected["depth"].numpy()[0]).max() < 1e-4
    answer = served.client.post("/predict?task=depth", content=data, headers={"Accept": "image/png"})
    assert answer.status_code == 406
    as_said = served.client.post("/predict?task=depth", content=data, headers={"Accept": "application/x-npy"})
    assert as_said.headers["content-type"] == "application/x-npy"
    assert as_said.content == served.client.post("/predict?task=depth", content=data).content
    classes = served.client.post("/predict?task=semantic", content=data, headers={"Accept": "application/x-npy"})
    assert (array(classes.content) == array(served.client.post("/predict?task=semantic", content=data).content)).all()
    no_png = served.client.post("/predict?task=semantic", content=data, headers={"Accept": "image/png;q=0, */*"})
    assert no_png.headers["content-type"] == "application/json"
    shown = served.client.post("/predict?task=depth&maps=pictures", content=data).content
    assert array(shown).shape == (32, 48, 3)
    as_json = served.client.post("/predict?task=depth", content=data, headers={"Accept": "application/json"})
    assert set(as_json.json()["tasks"]) == {"depth"}
    assert set(served.client.post("/predict?task=tags&task=place", content=data).json()["tasks"]) == {"tags", "place"}


def test_confidence_is_never_dropped_for_a_png(served):
    answer = served.client.post("/predict?task=semantic&confidence=true", content=picture(5))
    assert set(answer.json()["tasks"]["semantic"]) >= {"map", "confidence_map"}


def test_a_zip_holds_all_maps(served, model):
    data = picture(6)
    answer = served.client.post("/predict?confidence=true", content=data, headers={"Accept": "application/zip"})
    with ZipFile(BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == [
            "confidence/semantic.png", "depth.npy", "normals.png", "prediction.json", "semantic.png"
        ]  # fmt: skip
        assert set(json.loads(archive.read("prediction.json"))["tasks"]) == set(model.tasks)
        sure = model.predict(Image.open(BytesIO(data)))["semantic"].confidence
        found = array(archive.read("confidence/semantic.png")).astype(int)
        assert np.abs(found - stored_weight(sure)).max() <= 1


def test_what_the_network_is(served, run, model):
    said = served.client.get("/metadata").json()
    assert said["crosstask"] == crosstask.__version__
    assert said["run"] == "mine"
    assert str(run.parent) not in json.dumps(said)
    assert said["shown_at"] == list(model.run.recipe.data.shown_size)
    assert said["tasks"]["semantic"]["classes"] == ["floor", "wall", "box"]
    assert said["tasks"]["depth"]["unit"] == "m"
    assert said["limits"] == {"megabytes": 0.5, "pixels": 100_000, "seconds": 20, "queue": 64}
    assert len(said["weights"]["sha256"]) == 64
    assert "/predict" in served.client.get("/openapi.json").json()["paths"]


def test_it_is_healthy(served):
    answer = served.client.get("/health")
    assert answer.status_code == 200
    assert answer.json()["workers"]["of"] == 2
