"""What a run takes from another: the whole encoder, classes by their names, and it says so."""

from __future__ import annotations

import pytest
import torch

from crosstask.errors import UserError
from crosstask.experiment import Experiment
from crosstask.networks import MultiTaskNetwork
from crosstask.recipe import Recipe
from crosstask.tasks import KINDS
from crosstask.training.checkpoint import load_weights
from crosstask.training.run import Run
from crosstask.training.start import start_from
from tests.tiny import write_recipe, write_tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("start")
    recipe = write_recipe(folder, write_tiny(folder))
    Experiment(Recipe.load(recipe, ["--training.iterations", "2"]), folder / "first", quiet=True).fit()
    return folder


@pytest.fixture(scope="module")
def before(folder):
    return load_weights(Run(folder / "first").checkpoints.find("best") / "network.safetensors")


def fresh(classes=("floor", "wall", "box"), tags=("cat", "sofa"), width=4, **options) -> tuple[MultiTaskNetwork, dict]:
    tasks = {
        "semantic": KINDS["segmentation"]("semantic", classes=list(classes)),
        "depth": KINDS["depth"]("depth"),
        "normals": KINDS["normals"]("normals"),
        "tags": KINDS["tags"]("tags", classes=list(tags)),
        "place": KINDS["category"]("place", classes=["indoor", "outdoor"]),
    }
    return MultiTaskNetwork(tasks, encoder_options={"width": width}, **options), tasks


def test_a_run_begins_with_the_weights_of_another(folder, before, capsys):
    recipe = Recipe.load(folder / "recipe.yaml", ["--training.iterations", "1", "--training.lr", "1e-30",
                         "--training.start_from", str(folder / "first")])  # fmt: skip
    Experiment(recipe, folder / "second").fit()
    found = load_weights(Run(folder / "second").checkpoints.find() / "network.safetensors")
    assert all(
        torch.equal(found[name], value)
        for name, value in before.items()
        if "running" not in name and "batches" not in name
    )
    assert (
        f"start from {folder / 'first'}: {len(before)} tensors taken; new: nothing; left out: nothing"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("decoder", ["multiscale", "finest", "deeplabv3plus", "affinity", "task_expert"])
def test_rows_go_to_the_classes_of_their_names(folder, before, tmp_path, decoder):
    network, tasks = fresh(decoder=decoder)
    run = Run(tmp_path / "run")
    run.create({"recipe.yaml": (folder / "first" / "recipe.yaml").read_bytes()})
    run.checkpoints.save(1, network.state_dict(), {"iteration": 1})
    other, tasks = fresh(("box", "lamp", "floor", "wall"), ("sofa", "cat"), decoder=decoder)
    was = {name: value.clone() for name, value in other.state_dict().items()}
    taken = start_from(other, tasks, run.path)
    assert taken.matched == {"semantic": ["box", "floor", "wall"], "tags": ["sofa", "cat"]}
    images = torch.rand(2, 3, 32, 48)
    network.eval(), other.eval()
    old, new = network(images), other(images)
    assert torch.allclose(new["semantic"][:, [2, 3, 0]], old["semantic"], atol=1e-6)
    assert torch.allclose(new["tags"][:, [1, 0]], old["tags"], atol=1e-6)
    rows = [name for name, value in was.items() if "heads.task_semantic" in name and value.shape[:1] == (4,)][-1]
    assert torch.equal(other.state_dict()[rows][1], was[rows][1])  # a new class keeps its own
    assert "of semantic the classes box, floor, wall" in taken.summary()


def test_a_file_of_weights(folder, before):
    network, tasks = fresh(tags=("cat", "sofa", "lamp"))
    taken = start_from(network, tasks, Run(folder / "first").checkpoints.find("best") / "network.safetensors")
    assert set(taken.new) == {"pooled.heads.task_tags.weight", "pooled.heads.task_tags.bias"}
    assert torch.equal(
        network.state_dict()["decoder.heads.task_semantic.predict.weight"],
        before["decoder.heads.task_semantic.predict.weight"],
    )


def test_another_encoder_is_refused_whole(folder):
    network, tasks = fresh(width=5)
    with pytest.raises(UserError, match=r"training\.start_from: .*first holds another encoder: \d+ of the \d+ tensors"):
        start_from(network, tasks, folder / "first")
    with pytest.raises(UserError, match="nowhere is not a run"):
        start_from(network, tasks, folder / "nowhere")


def test_a_smaller_encoder_does_not_take_a_part_of_a_larger_one(tmp_path):
    tasks = {"depth": KINDS["depth"]("depth")}
    large = MultiTaskNetwork(tasks, encoder="resnet34")
    torch.save(large.state_dict(), tmp_path / "large.pth")
    with pytest.raises(UserError, match=r"holds another encoder: \d+ of the \d+ tensors of this one are among its"):
        start_from(MultiTaskNetwork(tasks, encoder="resnet18"), tasks, tmp_path / "large.pth")
