from __future__ import annotations

import json
import math

import pytest
import torch
from torch import nn

from crosstask.cli import main
from crosstask.errors import UserError
from crosstask.evaluation.results import Results
from crosstask.evaluation.zero_shot import Basic, ZeroShot, zero_shot_scores
from crosstask.relatedness import read_relatedness
from crosstask.tasks import KINDS
from tests.tiny import write_recipe, write_tiny

COMPOUND = read_relatedness("du2014_compound")


class Painted(nn.Module):
    """The mean red of an image row is the probability of a tag."""

    def forward(self, images):
        return {"units": images[:, 0].mean(2).logit(1e-4)}


def test_compound_expressions_are_told_apart_by_their_units():
    units = KINDS["tags"]("units", classes=list(COMPOUND.attributes))
    rng = torch.Generator().manual_seed(0)
    truth = torch.randint(15, (3000,), generator=rng)
    shown = (torch.rand(3000, 17, generator=rng) < COMPOUND.values[truth]).float()
    images = shown[:, None, :, None].expand(-1, 3, -1, 2)
    right = {}
    for rule in ("likelihood", "indicator"):
        network = ZeroShot(Painted(), units, COMPOUND, "compound", rule)
        predictions = network(images)
        assert set(predictions) == {"units", "compound"}
        right[rule] = float((network.task.decide(predictions["compound"]) == truth).float().mean())
    assert right["likelihood"] > 0.85
    assert 0.7 < right["indicator"] < right["likelihood"]


def test_each_view_has_scores_of_its_own():
    class Seen(Painted):
        def views(self, images):
            return iter([self(images), self(1 - images)])

    units = KINDS["tags"]("units", classes=list(COMPOUND.attributes))
    images = torch.rand(2, 3, 17, 4)
    network = ZeroShot(Seen(), units, COMPOUND, "compound")
    views = list(network.views(images))
    assert [set(view) for view in views] == [{"units", "compound"}] * 2
    torch.testing.assert_close(views, [network(images), network(1 - images)])


def test_a_class_without_related_attributes_scores_0_by_the_indicator():
    table = torch.tensor([[0.0, 0.0], [1.0, 0.5]])
    scores = zero_shot_scores(torch.tensor([[0.2, 0.4]]), table, "indicator")
    torch.testing.assert_close(scores, torch.tensor([[0.0, (0.2 + 0.5 * 0.4) / 1.5]]))
    assert zero_shot_scores(torch.tensor([[0.2, 0.4]]), table, "likelihood").argmax() == 0


class Given(nn.Module):
    """The same predictions for every image."""

    def __init__(self, **predictions):
        super().__init__()
        self.predictions = {name: torch.tensor(values) for name, values in predictions.items()}

    def forward(self, images):
        return {name: values.expand(len(images), -1) for name, values in self.predictions.items()}


@pytest.mark.parametrize("rule", ["indicator", "likelihood"])
@pytest.mark.parametrize("added", [False, True])
def test_compound_classes_by_hand(rule, added):
    """From the units alone, and with the predictions of the basic classes they are made of."""
    units, basic = (
        list(COMPOUND.attributes),
        ["neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise"],
    )
    shown = {"AU1": 0.9, "AU2": 0.8, "AU5": 0.6, "AU12": 0.3, "AU25": 0.95, "AU26": 0.7}
    tags = [shown.get(unit, 0.05) for unit in units]
    seen = dict(zip(basic, [0.05, 0.02, 0.03, 0.15, 0.3, 0.05, 0.4], strict=True))
    network = Given(units=[math.log(p / (1 - p)) for p in tags], expression=[math.log(p) for p in seen.values()])
    tasks = [KINDS["tags"]("units", classes=units), KINDS["category"]("expression", classes=basic)]
    given = Basic(tasks[1], read_relatedness("du2014_parts")) if added else None
    found = ZeroShot(network, tasks[0], COMPOUND, "compound", rule, given)(torch.zeros(2, 3, 4, 4))["compound"]
    assert found.shape == (2, 15)
    rows = dict(zip(COMPOUND.classes, COMPOUND.values.tolist(), strict=True))
    scores = {}
    for name, row in rows.items():
        if rule == "indicator":
            scores[name] = sum(r * p for r, p in zip(row, tags, strict=True)) / sum(row)
        else:
            near = [min(max(r, 0.01), 0.99) for r in row]
            scores[name] = sum(p * math.log(r) + (1 - p) * math.log(1 - r) for r, p in zip(near, tags, strict=True))
    if added:
        if rule == "likelihood":
            whole = sum(math.exp(score) for score in scores.values())
            scores = {name: math.exp(score) / whole for name, score in scores.items()}
        scores["happily surprised"] += seen["happiness"] + seen["surprise"]
        scores["awed"] += seen["fear"] + seen["surprise"]
        scores["appalled"] += seen["disgust"] + seen["anger"]
        scores["sadly fearful"] += seen["sadness"] + seen["fear"]
    for name in ("happily surprised", "awed", "appalled", "sadly fearful"):
        assert float(found[1, COMPOUND.classes.index(name)]) == pytest.approx(scores[name], rel=1e-5), name


def test_every_compound_class_is_made_of_two_basic_ones():
    parts = read_relatedness("du2014_parts")
    assert parts.classes == COMPOUND.classes
    assert set(parts.attributes) == set(read_relatedness("du2014_basic").classes)
    assert (parts.values.sum(1) == 2).all()


def test_the_three_whose_names_do_not_say_their_parts_share_those_of_the_most_alike():
    """What the parts of these three rest on, see docs/methods/coupling.md."""
    parts = read_relatedness("du2014_parts")
    unit = torch.nn.functional.normalize(COMPOUND.values, dim=1)
    named = [index for index, name in enumerate(COMPOUND.classes) if name not in ("appalled", "hatred", "awed")]
    for name in ("appalled", "hatred", "awed"):
        index = COMPOUND.classes.index(name)
        nearest = named[int((unit[named] @ unit[index]).argmax())]
        assert parts.values[index].equal(parts.values[nearest]), (name, COMPOUND.classes[nearest])


def test_what_takes_part_must_be_predicted():
    units = KINDS["tags"]("units", classes=list(COMPOUND.attributes))
    parts = read_relatedness("du2014_parts")
    basic = Basic(KINDS["category"]("expression", classes=["happiness", "surprise"]), parts)
    with pytest.raises(UserError, match="is no class of the task 'expression'"):
        ZeroShot(Painted(), units, COMPOUND, "compound", basic=basic)
    with pytest.raises(UserError, match="those of a category, but 'units' is of kind tags"):
        ZeroShot(Painted(), units, COMPOUND, "compound", basic=Basic(units, parts))


def test_the_attributes_must_be_tags_of_the_table():
    with pytest.raises(UserError, match="scored from tags, but 'units' is of kind category"):
        ZeroShot(Painted(), KINDS["category"]("units", classes=3), COMPOUND, "compound")
    with pytest.raises(UserError, match="no column for the attribute 'AU3'"):
        ZeroShot(Painted(), KINDS["tags"]("units", classes=["AU3"]), COMPOUND, "compound")


def test_the_commands_score_classes_nobody_annotated(tmp_path, capsys):
    table = write_tiny(tmp_path)
    recipe = write_recipe(tmp_path, table)
    assert main(["train", str(recipe), "--out", str(tmp_path / "run"), "--quiet"]) == 0
    (tmp_path / "r.csv").write_text("class,cat,sofa\nkitten,1,0\nlounge,0,1\n")
    rows = [line.split(",") for line in table.read_text().splitlines()]
    lines = [f"{image},{'kitten' if i % 2 else 'lounge'}" for i, (_, image, *_) in enumerate(rows[1:])]
    (tmp_path / "scenes.csv").write_text("\n".join(["image,scene", *lines]))
    option = ["--zero-shot", f"scene={tmp_path / 'r.csv'}", "--quiet"]
    assert main(["eval", str(tmp_path / "run"), *option, "--table", str(tmp_path / "scenes.csv"), "--split", ""]) == 0
    results = Results.load(tmp_path / "run" / "scene_all_scenes.json")
    assert set(results.tasks) == {"scene"}
    assert results.tasks["scene"].known == 8
    assert (
        main(["predict", str(tmp_path / "run"), str(tmp_path / "image"), "--out", str(tmp_path / "out"), *option]) == 0
    )
    said = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()]
    assert {each["scene"]["cell"] for each in said} <= {"kitten", "lounge"}
    for typed, message in (
        (["--zero-shot", "scene"], "write NAME=R"),
        (["--zero-shot", f"tags={tmp_path / 'r.csv'}"], "the run has a task of this name"),
        ([*option, "--zero-shot-from", "tag"], "--zero-shot-from tag: did you mean 'tags'"),
        (option, "give --table"),
        ([*option, "--zero-shot-basic", "mood"], "write TASK=PARTS, for example category=du2014_parts"),
        ([*option, "--zero-shot-basic", "mood=du2014_parts"], "the run has no task 'mood'"),
        (["--zero-shot-basic", "mood=du2014_parts"], "says nothing without --zero-shot"),
    ):
        assert main(["eval", str(tmp_path / "run"), *typed]) == 2
        assert message in capsys.readouterr().err
