import io
import json
import zipfile

import pytest
import torch
from timm.layers import Conv2dSame
from torch import nn

from crosstask.errors import RunError, UserError
from crosstask.evaluation import export as module
from crosstask.evaluation.export import Natural, export
from crosstask.evaluation.exported import load_exported
from crosstask.networks.multitask import MultiTaskNetwork
from tests.evaluation.toys import Convolutional, every_kind, images

TASKS = every_kind()
FEW = {name: TASKS[name] for name in ("depth", "tags")}


@pytest.fixture(scope="module")
def network():
    net = Convolutional(TASKS)
    net(images(4, (32, 32)))  # statistics of the normalisation
    return net


@pytest.fixture(scope="module")
def program(network, tmp_path_factory):
    return export(network, TASKS, tmp_path_factory.mktemp("export") / "deep/network", size=(24, 32))


@pytest.fixture(scope="module")
def loaded(program):
    return load_exported(program.program)


@pytest.fixture
def small():
    return Convolutional(FEW)


def eager(network, pictures):
    with torch.no_grad():
        predictions = network.eval()(pictures)
        return {name: task.activate(predictions[name]) for name, task in network.tasks.items()}


@pytest.mark.parametrize("shape", [(2, 24, 32), (1, 24, 32), (5, 37, 21), (1, 64, 96)])
def test_the_program_computes_what_the_network_does(network, program, loaded, shape):
    pictures = images(shape[0], shape[1:])
    found, expected = loaded(pictures), eager(network, pictures)
    assert list(found) == list(TASKS)
    for name in TASKS:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-5)
    assert program.dynamic == ("batch", "height", "width")
    assert max(program.difference.values()) < 1e-4


def test_a_program_runs_on_the_device_it_is_loaded_for(program, loaded):
    pictures = images(2, (24, 32))
    found, expected = load_exported(program.program, "meta")(pictures.to("meta")), loaded(pictures)
    assert {name: (value.device.type, value.shape) for name, value in found.items()} == {
        name: ("meta", value.shape) for name, value in expected.items()
    }


def test_values_are_natural(loaded):
    found = loaded(images(1, (24, 32)))
    torch.testing.assert_close(found["semantic"].sum(1), torch.ones(1, 24, 32))
    torch.testing.assert_close(found["normals"].norm(dim=1), torch.ones(1, 24, 32), atol=1e-3, rtol=0)
    assert ((found["tags"] > 0) & (found["tags"] < 1)).all()


def test_names_classes_and_units_are_inside(loaded):
    said = loaded.metadata
    assert list(said["outputs"]) == list(TASKS)
    assert said["outputs"]["semantic"]["classes"] == ["wall", "floor", "chair", "lamp"]
    assert said["outputs"]["depth"]["unit"] == "m"
    assert said["outputs"]["tags"]["axes"] == ["batch", "channel"]
    assert "[0, 1]" in said["input"]["values"]
    assert said["input"]["dynamic"] == ["batch", "height", "width"]


def test_neither_files_nor_the_network_are_changed_unasked(small, tmp_path):
    path = tmp_path / "network.pt2"
    path.write_text("precious")
    with pytest.raises(UserError, match="there already"):
        export(small, FEW, path, size=(24, 32))
    assert path.read_text() == "precious"
    small.train()
    before = {name: value.clone() for name, value in small.state_dict().items()}
    export(small, FEW, path, size=(24, 32), overwrite=True)
    load_exported(path)
    assert small.training
    assert all(parameter.requires_grad for parameter in small.parameters())
    assert all(torch.equal(value, before[name]) for name, value in small.state_dict().items())


def test_a_network_of_one_size_is_exported_for_it(tmp_path):
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3 * 8 * 8, 3)

        def forward(self, pictures):
            return {"tags": self.linear(pictures.flatten(1))}

    written = export(Fixed(), {"tags": TASKS["tags"]}, tmp_path / "fixed", size=(8, 8))
    assert written.dynamic == ("batch",)
    assert load_exported(written.program)(images(7, (8, 8)))["tags"].shape == (7, 3)


def test_a_network_that_treats_one_image_differently_is_exported_for_one(tmp_path):
    class Choosy(nn.Module):
        def forward(self, pictures):
            return {"depth": pictures[:, :1] if len(pictures) == 1 else pictures[:, 1:2]}

    written = export(Choosy(), {"depth": TASKS["depth"]}, tmp_path / "network", size=(8, 8))
    assert written.dynamic == ("height", "width")
    assert load_exported(written.program)(images(1, (5, 9)))["depth"].shape == (1, 1, 5, 9)


def test_a_network_that_looks_at_values_cannot_be_exported(tmp_path):
    class Branching(nn.Module):
        def forward(self, pictures):
            return {"depth": pictures[:, :1] if pictures.mean() > 0.5 else -pictures[:, :1]}

    with pytest.raises(RunError, match="cannot be exported"):
        export(Branching(), {"depth": TASKS["depth"]}, tmp_path / "network", size=(8, 8))
    assert not (tmp_path / "network.pt2").exists()


def test_a_file_that_differs_is_reported(small, tmp_path, monkeypatch):
    class Other(Natural):
        def forward(self, pictures):
            return {name: value + 0.01 for name, value in super().forward(pictures).items()}

    monkeypatch.setattr(module, "load_exported", lambda _: Other(small.eval(), FEW))
    with pytest.raises(RunError, match=r"differs from the network by 0\.01 in depth"):
        export(small, FEW, tmp_path / "network", size=(16, 16))


def test_onnx_computes_what_the_network_does(tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    tasks = {name: TASKS[name] for name in ("semantic", "depth", "normals", "tags")}
    network = Convolutional(tasks)
    written = export(network, tasks, tmp_path / "network", size=(24, 32), onnx=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["network.onnx", "network.pt2"]
    loaded = load_exported(written.onnx)
    assert loaded.metadata == load_exported(written.program).metadata
    for shape in [(2, 24, 32), (1, 37, 21), (4, 48, 48)]:
        pictures = images(shape[0], shape[1:])
        found, expected = loaded(pictures), eager(network, pictures)
        for name in tasks:
            torch.testing.assert_close(found[name], expected[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("typed", "name"), [("net.v1", "net.v1.pt2"), ("net.onnx", "net.pt2"), ("net", "net.pt2")])
def test_a_dot_in_the_name_is_no_ending(small, tmp_path, typed, name):
    assert export(small, FEW, tmp_path / typed, size=(24, 32)).program == tmp_path / name
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_onnx_without_the_extra(small, tmp_path, monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else object())
    with pytest.raises(UserError, match=r"onnxruntime: pip install 'crosstask\[export\]'"):
        export(small, FEW, tmp_path / "network", size=(24, 32), onnx=True)
    assert not list(tmp_path.iterdir())


def rewritten(path, target, change):
    """A copy of an archive whose files went through ``change(name, content) -> content``."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return target


class Malicious:
    def __reduce__(self):
        return (pytest.fail, ("something was executed",))


def pickled():
    buffer = io.BytesIO()
    torch.save((Malicious(),), buffer)
    return buffer.getvalue()


def test_pickles_are_never_loaded(program, tmp_path):
    def in_place_of_the_inputs(name, content):
        return pickled() if name.endswith("sample_inputs/model.pt") else content

    def as_a_weight(name, content):
        if name.endswith("model_weights_config.json"):
            config = json.loads(content)
            entry = next(iter(config["config"].values()))
            entry["use_pickle"] = True
            return json.dumps(config)
        return pickled() if name.endswith("weight_0") else content

    for change in (in_place_of_the_inputs, as_a_weight):
        with pytest.raises(UserError, match=r"network\.pt2: "):
            load_exported(rewritten(program.program, tmp_path / "network.pt2", change))


def test_archives_with_other_files_are_refused(program, tmp_path):
    copy = rewritten(program.program, tmp_path / "network.pt2", lambda _, content: content)
    load_exported(copy)
    with zipfile.ZipFile(copy, "a") as archive:
        archive.writestr("network/data/weights/model.pt", pickled())
    with pytest.raises(UserError, match="no plain tensor"):
        load_exported(copy)


@pytest.mark.parametrize("name", ["network.pt2", "network.onnx"])
def test_other_files_are_refused(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(UserError, match="no such file"):
        load_exported(path)
    for content in (b"", b"nonsense", pickled()):
        path.write_bytes(content)
        with pytest.raises(UserError, match="not an exported network"):
            load_exported(path)


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"did you mean '\.pt2'"):
        load_exported(tmp_path / "network.pt")


def test_someone_elses_program_is_refused(tmp_path):
    torch.export.save(torch.export.export(nn.Linear(2, 2), (torch.rand(1, 2),)), tmp_path / "network.pt2")
    with pytest.raises(UserError, match="not an exported network"):
        load_exported(tmp_path / "network.pt2")


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_a_batch_may_have_any_size_where_the_layout_depends_on_it(tmp_path, norm):
    class Attending(nn.Module):
        """Permutes before a norm, as ConvNeXt does, and reshapes to tokens, as a ViT of one size does."""

        def __init__(self):
            super().__init__()
            self.embed = nn.Conv2d(3, 8, 4, stride=4)
            self.position = nn.Parameter(torch.randn(1, 48, 8) if norm == "layer" else torch.zeros(1, 48, 8))
            self.norm = nn.LayerNorm(8)
            self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
            self.head = nn.Linear(8, 3)

        def forward(self, pictures):
            tokens = self.embed(pictures).flatten(2).transpose(1, 2) + self.position
            tokens = self.norm(tokens)
            tokens = tokens + self.attend(tokens, tokens, tokens, need_weights=False)[0]
            return {"tags": self.head(tokens.mean(1))}

    written = export(Attending(), {"tags": TASKS["tags"]}, tmp_path / "network", size=(24, 32))
    assert written.dynamic == ("batch",)
    assert written.least == (24, 32)
    program = load_exported(written.program)
    for batch in (1, 2, 5):
        assert program(images(batch, (24, 32)))["tags"].shape == (batch, 3)


def test_the_least_size_is_said(program, loaded, network):
    side = program.least[0]
    assert program.least == (side, side)
    assert loaded.metadata["input"]["least"] == [side, side]
    pictures = images(1, program.least)
    torch.testing.assert_close(loaded(pictures)["depth"], eager(network, pictures)["depth"], rtol=1e-4, atol=1e-5)


def test_half_precision(small, tmp_path):
    small(images(4, (32, 32)))
    written = export(small, FEW, tmp_path / "network", size=(24, 32), half=True)
    program = load_exported(written.program)
    assert program.metadata["weights"] == "float16"
    assert {each.dtype for each in program.parameters()} <= {torch.float16}
    pictures = images(2, (24, 32))
    found, expected = program(pictures), eager(small, pictures)
    assert found["depth"].dtype == torch.float32
    torch.testing.assert_close(found["depth"], expected["depth"], rtol=2e-2, atol=2e-2)
    with pytest.raises(RunError, match="--tolerance"):
        export(small, FEW, tmp_path / "strict", size=(24, 32), half=True, tolerance=1e-7)
    assert not (tmp_path / "strict.pt2").exists()


def test_the_version_of_the_operators_can_be_chosen(small, tmp_path):
    onnx = pytest.importorskip("onnx", reason="needs the extra 'export'")
    pytest.importorskip("onnxscript", reason="needs the extra 'export'")
    pytest.importorskip("onnxruntime", reason="needs the extra 'export'")
    written = export(small, FEW, tmp_path / "network", size=(24, 32), onnx=True, opset=19)
    versions = {each.domain: each.version for each in onnx.load(written.onnx).opset_import}
    assert versions[""] == 19


@pytest.mark.slow
def test_padding_to_same_is_of_any_size_where_images_are_padded_to_whole_strides(tmp_path):
    network = MultiTaskNetwork(FEW, encoder="tf_mobilenetv3_small_minimal_100").eval()
    assert any(isinstance(layer, Conv2dSame) for layer in network.modules())
    made = export(network, FEW, tmp_path / "any", size=(64, 96))
    assert made.dynamic == ("batch", "height", "width")
    pictures = images(1, (70, 131))
    with torch.no_grad():
        expected = {name: FEW[name].activate(raw) for name, raw in network(pictures).items()}
    for name, found in load_exported(made.program)(pictures).items():
        torch.testing.assert_close(found, expected[name], rtol=1e-4, atol=1e-5)


def test_what_no_file_of_any_size_can_hold_is_written_for_one(small, tmp_path):
    small.first = Conv2dSame(3, 8, 3, stride=2)
    made = export(small, FEW, tmp_path / "one", size=(24, 32))
    assert "height" not in made.dynamic
    assert load_exported(made.program)(images(1, (24, 32))).keys() == FEW.keys()
