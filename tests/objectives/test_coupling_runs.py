"""The coupling recipes as they are run: mixed batches, micro-batches, interruption."""

from __future__ import annotations

import json
from itertools import islice

import pytest
import torch
from safetensors.torch import load_file

from crosstask.data.adapters import ADAPTERS, convert
from crosstask.errors import UserError
from crosstask.experiment import Experiment
from crosstask.objectives.coupling.distribution_matching import DistributionMatching
from crosstask.recipe import Recipe
from crosstask.training.run import Run
from tests.data.adapters import fake_attributes

ROOMS = [
    "--data.rooms.train=12", "--data.rooms.validation=2", "--data.rooms.test=2", "--data.size=[32,48]",
    "--data.workers=0", "--network.encoder_options.width=4", "--training.batch_size=4", "--training.iterations=4",
    "--training.log_every=1", "--training.evaluate_every=4", "--training.accelerator=cpu", "--training.warmup=0",
]  # fmt: skip
PAIR = "{classes: room, attributes: objects, relatedness: rooms}"


def recipe(*flags: str) -> Recipe:
    return Recipe.load("coupling_rooms", [*ROOMS, f"--objectives.hard_coannotation={PAIR}", *flags])


def weights(run: str) -> dict[str, torch.Tensor]:
    return load_file(Run(run).checkpoints.find("last") / "network.safetensors")


def test_every_batch_has_both_labels_and_every_term_counts(tmp_path):
    experiment = Experiment(recipe(), tmp_path / "run", quiet=True)
    for batch in islice(experiment.plan.training_batches(0, 0, 1), 3):
        known = torch.stack((batch.targets["room"] >= 0, ~batch.targets["objects"].isnan().any(1)), 1)
        assert known.sum(1).tolist() == [1] * 4  # disjoint
        assert known.any(0).all()
    experiment.fit()
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    for record in records:
        if record["kind"] == "train":
            counts = record["counts"]
            assert counts["distribution_matching/to_classes"] == counts["distribution_matching/to_attributes"] == 4
            assert counts["supervised/room"] > 0
            assert counts["soft_coannotation/classes"] == 4 - counts["supervised/room"]
            assert counts["soft_coannotation/attributes"] == 13 * counts["supervised/room"]
            assert counts["hard_coannotation/attributes"] > 0


@pytest.mark.slow
def test_an_interrupted_run_ends_with_the_same_bits(tmp_path, monkeypatch):
    flags = ("--training.accumulate=2", "--training.checkpoint_every=2")
    Experiment(recipe(*flags), tmp_path / "whole", quiet=True).fit()

    def power_cut(objective, network, iteration):
        if iteration == 3:
            raise KeyError("power cut")

    with monkeypatch.context() as cut:
        cut.setattr(DistributionMatching, "after_step", power_cut)
        with pytest.raises(KeyError, match="power cut"):
            Experiment(recipe(*flags), tmp_path / "cut", quiet=True).fit()
    Experiment.resume(tmp_path / "cut", quiet=True).fit()
    whole, other = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(value, other[key]) for key, value in whole.items())


def test_the_recipe_for_affect_trains_on_expressions_and_action_units(tmp_path):
    fake_attributes.write(tmp_path)
    options = {"images": str(tmp_path / "faces"), "split": "split", "category": "expression"}
    adapter = ADAPTERS["attributes"](str(tmp_path / "annotations.csv"), **options, tags=["AU1", "AU2", "AU25"])
    convert(adapter, tmp_path / "faces.csv", workers=1)
    flags = [f"--data.table={tmp_path / 'faces.csv'}", "--tasks.tags.classes=[AU1, AU2, AU25]", "--data.size=[32,32]",
             "--data.evaluation_size=[32,32]", "--data.validation_fraction=0", "--data.workers=0",
             "--training.iterations=2", "--training.batch_size=4", "--training.accelerator=cpu",
             "--network.pretrained=false"]  # fmt: skip
    assert Experiment(Recipe.load("coupling_affect", flags), tmp_path / "run", quiet=True).fit().iteration == 2


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--objectives.distribution_matching.relatedness=du2014_basic", "no row for the class 'lounge'"),
        (
            "--objectives.soft_coannotation.temperature=0",
            "objectives.soft_coannotation.temperature: found 0: give more than 0",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(flag, message):
    def build() -> None:
        broken = recipe(flag)
        tasks = broken.tasks()
        broken.learner(tasks, broken.network(tasks))

    with pytest.raises(UserError, match=message):
        build()
