"""A prediction as an answer: JSON, a ZIP of files, or one PNG."""

from __future__ import annotations

import json
from base64 import b64encode
from io import BytesIO
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np
from PIL import Image

from crosstask.api.prediction import Prediction, Value
from crosstask.data.decode.writing import label_suffix
from crosstask.evaluation.confidence import stored_weight
from crosstask.serve.asked import JSON, NPY, PNG, ZIP, Asked
from crosstask.serve.refusal import Refusal

_ENDINGS = {PNG: ".png", NPY: ".npy"}


def answer(prediction: Prediction, asked: Asked) -> tuple[str, bytes]:
    """The media type and the bytes of an answer.

    Raises:
        Refusal: 406, a PNG cannot hold the values of the task.
    """
    size = prediction.image.shape[-2:]
    said: dict[str, Any] = {"height": size[0], "width": size[1], "tasks": {}}
    files: dict[tuple[str, str], tuple[str, bytes]] = {}
    for name, value in prediction.items():
        said["tasks"][name] = entry(value)
        if value.task.dense and asked.maps != "none":
            files["map", name] = _map(value, asked)
        if value.task.dense and asked.confidence and value.confidence is not None:
            files["confidence_map", name] = PNG, _png(stored_weight(value.confidence))
    if asked.form in (PNG, NPY):
        kind, data = files["map", asked.tasks[0]]
        if kind != asked.form and not asked.npy:
            raise Refusal(406, "no_such_form", f"{asked.tasks[0]} does not fit into a PNG: ask for {kind} or {JSON}")
        return kind, data
    if asked.form == ZIP:
        return ZIP, _zip(said, files)
    for (what, name), (kind, data) in files.items():
        said["tasks"][name][what] = {"media_type": kind, "base64": b64encode(data).decode()}
    return JSON, _json(said)


def entry(value: Value) -> dict[str, Any]:
    """What there is to say of one task in words and numbers."""
    said: dict[str, Any] = {"kind": value.task.kind, "unit": value.unit or None, "named": value.named}
    if not value.task.dense:
        encoded: Any = value.task.encode(value.value)
        said["label"] = encoded["cell"]
    said["confidence"] = _confidence(value)
    return said


def _confidence(value: Value) -> float | dict[str, float] | None:
    """The mean over the pixels, one number by name of tag, that of the category; None where the kind does not say."""
    sure = value.confidence
    if sure is None:
        return None
    if value.task.dense or not sure.ndim:
        return round(float(sure.float().mean()), 6)
    return {name: round(share, 6) for name, share in zip(value.classes, sure.tolist(), strict=True)}


def _map(value: Value, asked: Asked) -> tuple[str, bytes]:
    array = np.asarray(value.picture()) if asked.maps == "pictures" else value.task.encode(value.value)
    assert isinstance(array, np.ndarray)
    if label_suffix(array) == ".png" and asked.form != NPY:
        return PNG, _png(array)
    file = BytesIO()
    np.save(file, array, allow_pickle=False)
    return NPY, file.getvalue()


def _png(array: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def _zip(said: dict[str, Any], files: dict[tuple[str, str], tuple[str, bytes]]) -> bytes:
    file = BytesIO()
    with ZipFile(file, "w", ZIP_STORED) as archive:  # PNGs are compressed already
        archive.writestr("prediction.json", _json(said))
        for (what, name), (kind, data) in files.items():
            archive.writestr(("" if what == "map" else "confidence/") + name + _ENDINGS[kind], data)
    return file.getvalue()


def _json(said: dict[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False, allow_nan=False).encode()
