"""Weights from pip packages: the very tensors of the file under timm's names, checked by hash, no hub asked."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from crosstask.errors import RecipeError
from crosstask.networks import MultiTaskNetwork, packaged
from crosstask.networks.timm_encoder import TimmEncoder
from crosstask.tasks import KINDS
from tests.shared import shared

NAME = "tf_efficientnet_lite0"
needs_weights = pytest.mark.skipif(
    importlib.util.find_spec(packaged.PACKAGES[NAME].module) is None, reason="needs the extra 'weights'"
)
TASKS = {"depth": KINDS["depth"]("depth")}


@needs_weights
@pytest.mark.parametrize("name", packaged.PACKAGES)
def test_every_package_fits_the_encoder_it_is_named_for(name):
    weights = packaged.packaged_weights(name)
    assert weights is not None
    timm.create_model(name).load_state_dict(weights)


@needs_weights
def test_pretrained_means_the_tensors_of_the_package_and_their_normalisation():
    network = MultiTaskNetwork(TASKS, encoder=NAME, pretrained=True)
    weights = packaged.packaged_weights(NAME)
    body = network.encoder.body.state_dict()
    assert all(torch.equal(body[name], weights[name]) for name in body)
    assert network.mean.flatten().tolist() == network.std.flatten().tolist() == [0.5, 0.5, 0.5]


@needs_weights
def test_the_names_are_right_a_horse_is_a_sorrel():
    folder = shared("data/horses/test/rgb")
    model = timm.create_model(NAME).eval()
    model.load_state_dict(packaged.packaged_weights(NAME))
    pictures = [Image.open(path).convert("RGB").resize((224, 224)) for path in sorted(folder.glob("*.jpg"))[:8]]
    images = torch.stack([torch.from_numpy(np.array(picture)) for picture in pictures]) / 255
    with torch.inference_mode():
        classes = model((images.permute(0, 3, 1, 2) - 0.5) / 0.5).argmax(1)
    assert (classes == 339).sum() >= 6  # sorrel


@needs_weights
def test_a_file_that_was_changed_is_refused(monkeypatch):
    changed = packaged.PACKAGES[NAME]._replace(sha256="0" * 64)
    monkeypatch.setitem(packaged.PACKAGES, NAME, changed)
    with pytest.raises(RecipeError, match="another SHA-256"):
        TimmEncoder(NAME, pretrained=True)


def test_without_the_package_the_remedy_is_named(monkeypatch):
    missing = packaged.PACKAGES[NAME]._replace(module="no_such_package")
    monkeypatch.setitem(packaged.PACKAGES, NAME, missing)

    def no_hub(*_, **arguments):
        if arguments.get("pretrained"):
            raise OSError("no route to the hub")
        raise AssertionError

    monkeypatch.setattr(timm, "create_model", no_hub)
    with pytest.raises(RecipeError, match=r"pip install 'crosstask\[weights\]'"):
        TimmEncoder(NAME, pretrained=True)
