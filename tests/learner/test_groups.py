"""Parts of the network with learning rates of their own, frozen parts, frozen norms."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from crosstask.errors import RecipeError
from crosstask.experiment import Experiment
from crosstask.learner.groups import Group, parts
from crosstask.recipe import Recipe
from crosstask.recipe.written import parse_overrides
from crosstask.training.optimisers import build_optimiser, parameter_groups, rates
from tests.tiny import write_recipe, write_tiny

FROZEN = {"frozen": True}


def build(training: dict, **sections):
    tasks = {
        "semantic": {"kind": "segmentation", "classes": 3},
        "depth": {"kind": "depth"},
        "a.b": {"kind": "tags", "classes": ["x"]},
    }
    recipe = Recipe.of({
        "tasks": tasks,
        "network": {"encoder": "small", "encoder_options": {"width": 4}, "decoder": "deeplabv3plus",
                    "decoder_options": {"width": 8, "detail": 4}, **sections.pop("network", {})},
        "objectives": {"supervised": {}, "pairwise": {}}, "training": {"lr": 0.5, **training},
    })  # fmt: skip
    tasks = recipe.tasks()
    return recipe.learner(tasks, recipe.network(tasks)), recipe.training


def by_parameter(learner, options) -> dict[str, tuple[float, float, str, int]]:
    names = {id(parameter): name for name, parameter in learner.named_parameters()}
    return {
        names[id(parameter)]: (own.lr, own.weight_decay, own.schedule, own.cycles)
        for own, parameters in parameter_groups(learner, options)
        for parameter in parameters
    }


def test_each_parameter_has_the_rate_of_the_smallest_part_that_names_it():
    learner, options = build({
        "weight_decay": 0.2, "schedule": "cosine", "cycles": 2,
        "groups": {"encoder": {"lr_factor": 0.1}, "encoder.stages.1": {"lr": 3.0, "weight_decay": 0.0},
                   "heads.depth": {"lr_factor": 10.0}, "objectives": {"lr": 7.0},
                   "film": {"lr": 1e-3, "schedule": "step"}},
    })  # fmt: skip
    found = by_parameter(learner, options)
    assert set(found) == {name for name, _ in learner.named_parameters()}
    for name, parameter in learner.named_parameters():
        expected = 0.5
        if name.startswith("network.encoder."):
            expected = 3.0 if name.startswith("network.encoder.stages.1.") else 0.05
        if name.startswith("network.decoder.heads.task_depth."):
            expected = 5.0
        if name.startswith("objectives."):
            expected = 1e-3 if name.endswith(("gamma", "beta")) else 7.0
        lr, decay, schedule, cycles = found[name]
        assert lr == pytest.approx(expected), name
        decayed = parameter.ndim > 1 and "encoder.stages.1." not in name
        assert decay == (0.2 if decayed else 0.0), name
        assert (schedule, cycles) == ("step" if name.endswith(("gamma", "beta")) else "cosine", 2)
    for group, (own, parameters) in zip(
        build_optimiser(learner, options).param_groups, parameter_groups(learner, options), strict=True
    ):
        assert (group["lr"], group["weight_decay"]) == (own.lr, own.weight_decay)
        assert [id(p) for p in group["params"]] == [id(p) for p in parameters]
    assert sum(each["parameters"] for each in rates(learner, options)) == sum(p.numel() for p in learner.parameters())


def test_without_groups_there_are_matrices_and_vectors():
    learner, options = build({})
    assert [(own.weight_decay, {p.ndim > 1 for p in params}) for own, params in parameter_groups(learner, options)] == [
        (1e-4, {True}), (0.0, {False}),
    ]  # fmt: skip


def test_what_is_frozen_neither_learns_nor_counts():
    torch.manual_seed(0)
    learner, options = build({"groups": {"encoder.stem": {"frozen": True}, "encoder.stages.0": {"frozen": True},
                                         "encoder": {"frozen_norms": True}}})  # fmt: skip
    encoder, decoder = learner.network.encoder, learner.network.decoder
    before = {name: value.clone() for name, value in learner.state_dict().items()}
    learner.eval(), learner.train()
    optimiser = build_optimiser(learner, options)
    for _ in range(2):
        optimiser.zero_grad()
        predictions = learner.network(torch.rand(2, 3, 64, 64))
        sum(value.square().mean() for value in predictions.values()).backward()
        optimiser.step()
    after = learner.state_dict()
    norms = {
        f"network.encoder.{name}" for name, module in encoder.named_modules() if isinstance(module, nn.BatchNorm2d)
    }
    for name, value in after.items():
        frozen = name.startswith(("network.encoder.stem.", "network.encoder.stages.0."))
        frozen |= name.rsplit(".", 1)[0] in norms
        still = frozen or name.startswith("objectives.") or name in ("network.mean", "network.std")
        assert torch.equal(value, before[name]) == still, name
    assert not encoder.stem.training
    assert encoder.stages[1].training
    assert decoder.training


def test_parts_of_encoders_by_any_name():
    for encoder, stages, first in (
        ("resnet18", 4, "network.encoder.body.layer1.0.conv1.weight"),
        ("hrnet_w18_small_v2", 4, "network.encoder.body.layer1.0.conv1.weight"),
        ("convnext_atto", 4, "network.encoder.body.stages_0.blocks.0.conv_dw.weight"),
        ("vit_tiny_patch16_224", 12, "network.encoder.body.model.blocks.0.norm1.weight"),
    ):
        with torch.device("meta"):
            learner, _ = build({}, network={"encoder": encoder, "encoder_options": {}, "decoder": "multiscale",
                                         "decoder_options": {}})  # fmt: skip
        found = parts(learner)
        assert first in found["encoder.stages.0"], encoder
        assert [name for name in found if name.startswith("encoder.stages.")] == [
            f"encoder.stages.{i}" for i in range(stages)
        ]
        pieces = [found["encoder.stem"], *(found[f"encoder.stages.{index}"] for index in range(stages))]
        assert set().union(*pieces) == found["encoder"]
        assert sum(map(len, pieces)) == len(found["encoder"])
        assert found["heads.a.b"] == {"network.pooled.heads.task_a_b.weight", "network.pooled.heads.task_a_b.bias"}


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"encodr": {"lr": 1.0}}, "training.groups: 'encodr' is no part.*did you mean 'encoder'"),
        ({"heads.dept": {"lr": 1.0}}, "did you mean 'heads.depth'"),
        ({"encoder.stages.7": {"lr": 1.0}}, "did you mean 'encoder.stages"),
        ({"objectives.supervised": {"lr": 1.0}}, "'objectives.supervised' has no parameters"),
        ({"encoder": {}}, "nothing is said; give one of lr_factor, lr"),
        ({"encoder": {"lr": 1.0, "lr_factor": 2.0}}, r"^training\.groups\.encoder\.lr is 1.0 and .* give one of them"),
        ({"encoder": {"lr": 0.0}}, "lr must be more than 0, found 0.0 .to keep a part as it is: frozen: true"),
        ({"encoder": {"lrr": 0.1}}, "lrr"),
        ({"encoder": FROZEN, "encoder.stem": {"lr": 1.0}}, "stem: all of it is frozen elsewhere: set frozen: false"),
        ({"heads.a.b": {"frozen_norms": True}}, "heads.a.b.frozen_norms: it has no normalisation"),
        (dict.fromkeys(("encoder", "decoder", "heads", "objectives"), FROZEN), "everything is frozen"),
    ],
)  # fmt: skip
def test_a_wrong_group_is_one_clear_line(groups, message):
    with pytest.raises(RecipeError, match=message) as caught:
        build({"groups": groups})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("said", "kept"), [("lr", "lr_factor"), ("lr_factor", "lr")])
def test_a_flag_says_a_rate_in_the_other_way_than_the_recipe(said, kept):
    stood = {"training": {"groups": {"film": {kept: 2.0, "cycles": 7}}}}
    laid = parse_overrides([f"--training.groups.film.{said}", "0.5"], stood)
    assert laid == {"training": {"groups": {"film": {said: 0.5, "cycles": 7}}}}
    published = ["--training.groups", "{film: {lr: 1.0e-3}}", "--data.table", "none.csv"]
    film = Recipe.load("nyuv2_npy+pairwise_as_published", published).training.groups["film"]
    assert (film.lr, film.lr_factor, film.cycles) == (1e-3, None, 7)


def test_a_smaller_part_may_be_freed_again():
    learner, _ = build({"groups": {"encoder": {"frozen": True}, "encoder.stages.4": {"frozen": False, "lr": 1.0}}})
    trained = {
        name for name, p in learner.named_parameters() if p.requires_grad and name.startswith("network.encoder.")
    }
    assert trained == parts(learner)["encoder.stages.4"]
    assert Group(lr=2.0).over(Group(lr_factor=3.0, cycles=2)) == Group(lr=2.0, cycles=2)


def test_a_run_with_groups_resumes_exactly(tmp_path):
    groups = (
        "groups: {encoder: {lr_factor: 0.1, frozen_norms: true}, encoder.stem: {frozen: true}, "
        "heads: {lr: 0.01, schedule: step, cycles: 2}}"
    )
    recipe = write_recipe(tmp_path, write_tiny(tmp_path), groups)
    for name in ("whole", "parts"):
        overrides = ["--training.iterations", "4", "--training.evaluate_every", "2"]
        experiment = Experiment(Recipe.load(recipe, overrides), tmp_path / name, quiet=True)
        if name == "parts":
            with pytest.MonkeyPatch.context() as patch:
                steps = iter(range(1, 5))
                patch.setattr("crosstask.training.fit.any_rank", lambda fabric, flag, steps=steps: next(steps) == 2)
                assert experiment.fit().status == "interrupted"
            experiment = Experiment.resume(tmp_path / name, quiet=True)
        assert experiment.fit().iteration == 4
    first, second = (
        load_file(tmp_path / name / "checkpoints/000004/network.safetensors") for name in ("whole", "parts")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    told = json.loads((tmp_path / "whole" / "environment.json").read_text())["rates"]
    assert [each["lr"] for each in told] == pytest.approx([0.0, 1e-4, 1e-2])  # no layer but the encoder and the heads
