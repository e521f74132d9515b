import socket

import pytest
import torch
from safetensors.torch import save_file

from crosstask.errors import RecipeError
from crosstask.networks import build_encoder
from crosstask.networks.weights import read_weights

NAME = "resnet10t"


@pytest.fixture(scope="module")
def state():
    import timm

    torch.manual_seed(0)
    return timm.create_model(NAME).state_dict()


def same(encoder, state):
    return torch.equal(encoder.body.layer1[0].conv1.weight, state["layer1.0.conv1.weight"])


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_of_a_local_file(tmp_path, state, suffix):
    path = tmp_path / f"with space{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}, "epoch": 3}, path)
    else:
        save_file(state, path)
    assert same(build_encoder(NAME, weights=str(path)), state)
    assert not same(build_encoder(NAME), state)


def test_weights_of_the_small_encoder(tmp_path):
    first = build_encoder("small", options={"width": 4})
    path = str(tmp_path / "small.safetensors")
    save_file(first.state_dict(), path)
    second = build_encoder("small", weights=path, options={"width": 4})
    torch.testing.assert_close(second.state_dict(), first.state_dict(), rtol=0, atol=0)
    with pytest.raises(RecipeError, match=r"does not fit encoder 'small' .*size mismatch"):
        build_encoder("small", weights=path, options={"width": 8})


def test_weights_of_another_encoder(tmp_path, state):
    path = str(tmp_path / "other.safetensors")
    save_file({f"x.{name}": value + 1 for name, value in state.items() if value.ndim == 4}, path)
    with pytest.raises(RecipeError, match=r"holds the weights of another encoder \(0 of \d+ tensors fit\)"):
        build_encoder("hrnet_w18_small", weights=path)


def test_no_code_of_a_weight_file_is_run(tmp_path):
    path = tmp_path / "code.pth"
    torch.save({"weight": torch.zeros(1), "code": _Touch(tmp_path / "touched")}, path)
    with pytest.raises(RecipeError, match="cannot be read as weights") as raised:
        read_weights(path)
    assert not (tmp_path / "touched").exists()
    assert "\n" not in str(raised.value)


class _Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return type(self.path).touch, (self.path,)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.pth", None, "there is no file .*missing.pth"),
        ("broken.safetensors", b"\0" * 20, "cannot be read as weights"),
        ("broken.pth", b"not a checkpoint", "cannot be read as weights"),
        ("empty.pth", b"", "cannot be read as weights"),
    ],
)
def test_broken_weight_files(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RecipeError, match=message):
        read_weights(tmp_path / name)


def test_a_file_without_tensors(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "none.pth")
    with pytest.raises(RecipeError, match="holds no named tensors"):
        read_weights(tmp_path / "none.pth")


def test_pretrained_weights_that_cannot_be_had(monkeypatch, tmp_path):
    def offline(*_, **__):
        raise OSError("the network is unreachable\nand more")

    monkeypatch.setattr(socket, "getaddrinfo", offline)
    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", offline)
    with pytest.raises(RecipeError, match=r"no weights for encoder 'resnet10t' could be had \(OSError: the") as raised:
        build_encoder(NAME, pretrained=True)
    assert "network.weights" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_pretrained_weights_that_can_be_had(monkeypatch, state):
    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", lambda *_, **__: dict(state))
    assert same(build_encoder(NAME, pretrained=True), state)


def test_a_tag_of_weights_nobody_has_trained():
    with pytest.raises(RecipeError, match=r"no weights for encoder 'resnet10t.none' could be had .*tag"):
        build_encoder("resnet10t.none", pretrained=True)
