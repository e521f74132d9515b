from __future__ import annotations

import numpy as np
import pytest
import torch

from crosstask.objectives.coupling.hard_coannotation import HardCoannotation
from tests.objectives.coupled import affect, places, random_predictions, step, unknown
from tests.shared import shared

PAIR = {"classes": "expression", "attributes": "units", "relatedness": "du2014_basic"}


def test_labels_made_equal_the_reference():
    with np.load(shared("fixtures/others/dm_reference.npz")) as given:
        classes, target, weight = (
            torch.from_numpy(given[key]) for key in ("y_expr", "hard_au_target", "hard_au_weight")
        )
        units, expected = (torch.from_numpy(given[key]) for key in ("hard_in_au", "hard_expr"))
    objective = HardCoannotation(affect(), None, **PAIR).double()
    nothing = unknown(affect(), len(classes))
    made = objective.made(step(random_predictions(affect(), len(classes)), {**nothing, "expression": classes}).batch)
    given = made.attributes == 1
    torch.testing.assert_close(given.double(), target)
    torch.testing.assert_close(made.weights.where(given, 0.0), weight, rtol=0, atol=1e-6)
    unlabelled = torch.full((len(units),), -1)
    made = objective.made(
        step(random_predictions(affect(), len(units)), {"expression": unlabelled, "units": units}).batch
    )
    assert made.classes.tolist() == expected.tolist()


def test_the_terms_are_the_tasks_own_losses_on_them():
    tasks = affect()
    predictions = random_predictions(tasks, 3)
    targets = unknown(tasks, 3)
    targets["expression"][0] = 4
    targets["units"][0, 4] = 0.0  # a true label, against which nothing is made
    targets["units"][1] = 0.0
    targets["units"][1, [9, 15, 4]] = 1.0  # AU6, AU12, AU25: happiness
    objective = HardCoannotation(tasks, None, **PAIR)
    now = step(predictions, targets)
    terms = objective(now)
    logits = predictions["units"][0].detach()
    expected = -(logits[[9, 15]].sigmoid().log()).sum()
    torch.testing.assert_close(terms["attributes"].total.detach(), expected)
    assert terms["attributes"].count == 2
    torch.testing.assert_close(
        terms["classes"].total.detach(), -predictions["expression"][1].detach().log_softmax(0)[4]
    )
    assert terms["classes"].count == 1
    assert {name: float(count) for name, count in objective.counts(now.batch).items()} == {
        "classes": 1,
        "attributes": 2,
    }


def test_nothing_to_make_is_an_exact_zero_with_a_graph():
    tasks = affect()
    predictions = random_predictions(tasks, 2)
    terms = HardCoannotation(tasks, None, **PAIR)(step(predictions, unknown(tasks, 2)))
    sum(term.mean() for term in terms.values()).backward()
    assert all((term.total, term.count) == (0, 0) for term in terms.values())
    assert not predictions["units"].grad.any()
    assert not predictions["expression"].grad.any()


def test_weak_relations_can_be_left_out():
    objective = HardCoannotation(affect(), None, **PAIR, related_from=0.6)
    assert objective.relatedness[4].nonzero()[:, 0].tolist() == [9, 15]  # AU12 and AU25, without AU6


def test_a_second_category_is_refused(tmp_path):
    (tmp_path / "r.csv").write_text("room,private,public\nbath,0.9,0.1\nden,0.5,0.5\nhall,0.5,0.5\n")
    with pytest.raises(ValueError, match="'use' is a category: hard co-annotation needs tags"):
        HardCoannotation(places(), None, "room", "use", str(tmp_path / "r.csv"))
