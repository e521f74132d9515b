"""Encoders that lie on a hub: no network is asked but where training fetches weights."""

from __future__ import annotations

import json
import socket

import pytest
import timm
import torch

from crosstask.errors import RecipeError
from crosstask.networks.encoders import build_encoder

NAME = "hf-hub:somebody/tiny"


@pytest.fixture
def offline(monkeypatch):
    """Any use of the network is an error."""
    asked = []

    def refuse(*arguments, **named):
        asked.append(arguments)
        raise OSError("the network was asked")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return asked


@pytest.fixture
def cache(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_without_weights_to_fetch_no_hub_is_asked(offline, cache):
    with pytest.raises(RecipeError, match=r"network\.encoder: 'hf-hub:somebody/tiny' lies on a hub and was not stored"):
        build_encoder(NAME)
    assert not offline


def test_what_was_stored_before_is_taken_from_there(offline, cache, monkeypatch):
    folder = cache / "models--somebody--tiny" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (folder.parent.parent / "refs").mkdir()
    (folder.parent.parent / "refs" / "main").write_text("abc")
    config = {"architecture": "resnet10t", "num_classes": 10, "pretrained_cfg": {"mean": [0.1, 0.2, 0.3]}}
    (folder / "config.json").write_text(json.dumps(config))
    import huggingface_hub

    stored = huggingface_hub.try_to_load_from_cache("somebody/tiny", "config.json", cache_dir=cache)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: stored)
    encoder = build_encoder(NAME)
    assert not offline
    wanted = timm.create_model("resnet10t", features_only=True).state_dict()
    assert {name: value.shape for name, value in encoder.body.state_dict().items()} == {
        name: value.shape for name, value in wanted.items()
    }
    assert [round(each, 1) for each in encoder.mean] == [0.1, 0.2, 0.3]
    assert [each.shape[1] for each in encoder(torch.zeros(2, 3, 64, 64))] == encoder.channels


@pytest.mark.slow  # the hub is asked several times
def test_without_a_network_fetching_is_one_line(offline, cache):
    with pytest.raises(RecipeError) as caught:
        build_encoder(NAME, pretrained=True)
    assert str(caught.value).startswith(
        "network.pretrained: no weights for encoder 'hf-hub:somebody/tiny' could be had"
    )
    assert "\n" not in str(caught.value)
