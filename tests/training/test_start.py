from __future__ import annotations

import pytest
import torch

from crosstask.errors import UserError
from crosstask.experiment import Experiment
from crosstask.recipe import Recipe
from crosstask.training.checkpoint import load_weights
from crosstask.training.run import Run
from tests.tiny import write_recipe, write_tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("start")
    recipe = write_recipe(folder, write_tiny(folder))
    Experiment(Recipe.load(recipe, ["--training.iterations", "2"]), folder / "first", quiet=True).fit()
    return folder


def begun(folder, name, **sections):
    """The weights a run begins with: those it still has after a step with no learning rate to speak of."""
    raw = Recipe.load(folder / "recipe.yaml", ["--training.iterations", "1", "--training.lr", "1e-30"]).sections
    for section, changes in sections.items():
        raw[section] = {**raw[section], **changes}
    experiment = Experiment(Recipe.of(raw), folder / name, quiet=True)
    experiment.fit()
    return experiment.run.path, load_weights(experiment.run.checkpoints.find() / "network.safetensors")


def test_what_agrees_in_name_and_shape_is_taken(folder):
    before = load_weights(Run(folder / "first").checkpoints.find("best") / "network.safetensors")
    tags = {"kind": "tags", "classes": ["cat", "sofa", "lamp"]}
    path, found = begun(folder, "second", training={"start_from": str(folder / "first")}, tasks={"tags": tags})
    weights = {name for name in found if "running" not in name and "batches" not in name}
    other = {name for name in weights if name not in before or not torch.equal(found[name], before[name])}
    assert other == {name for name in weights if name.startswith("pooled.heads.task_tags")}
    assert Recipe.load(path / "recipe.yaml").training.start_from == str(folder / "first")


def test_nothing_in_common_and_no_run_are_errors(folder):
    network = {"encoder_options": {"width": 5}, "decoder_options": {"width": 7}}
    with pytest.raises(UserError, match=r"training\.start_from: no weight of .*first has the name and shape"):
        begun(folder, "third", training={"start_from": str(folder / "first")}, network=network)
    with pytest.raises(UserError, match="nowhere is not a run"):
        begun(folder, "fourth", training={"start_from": str(folder / "nowhere")})
