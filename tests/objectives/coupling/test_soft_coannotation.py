from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from crosstask.objectives.coupling.soft_coannotation import SoftCoannotation
from tests.objectives.coupled import affect, places, random_predictions, step, unknown
from tests.shared import shared

PAIR = {"classes": "expression", "attributes": "units", "relatedness": "du2014_basic"}


def soft(tasks=None, **options) -> SoftCoannotation:
    return SoftCoannotation(tasks or affect(), None, **{**PAIR, **options})


@pytest.fixture(scope="module")
def reference():
    with np.load(shared("fixtures/others/dm_reference.npz")) as given:
        return {key: torch.from_numpy(given[key]) for key in given if given[key].dtype.kind in "fi"}


def labelled(reference):
    """Expressions on samples 0, 2, 4; units, not all of them, on the others."""
    units = reference["y_au"].where(reference["mask_au"] > 0, torch.nan)
    return {"expression": reference["y_expr"], "units": units}


@pytest.mark.parametrize(("table", "options"), [("w", {}), ("b", {"binary_from": 0.1})])
@pytest.mark.parametrize(("form", "name"), [("standard", "standard"), ("as_printed", "paper")])
def test_soft_classes_equal_the_reference(reference, table, options, form, name):
    logits = reference["expr_logits"].clone().requires_grad_()
    now = step({"expression": logits, "units": reference["au_logits"]}, labelled(reference))
    objective = soft(direction="to_classes", form=form, **options).double()
    found = objective.soft_classes(now.batch)
    rows = [1, 3, 5]
    torch.testing.assert_close(found.target[rows], reference[f"q_expr_{table}"][rows], rtol=0, atol=1e-6)
    term = objective(now)["classes"]
    assert term.count == 3
    term.mean().backward()
    assert float(term.mean().detach()) == pytest.approx(float(reference[f"sca_{table}_{name}"]), abs=1e-6)
    torch.testing.assert_close(logits.grad, reference[f"sca_{table}_{name}_g_expr"], rtol=0, atol=1e-6)


def test_a_neutral_class_can_be_left_out(reference):
    now = step({"expression": reference["expr_logits"], "units": reference["au_logits"]}, labelled(reference))
    objective = soft(neutral="leave_out").double()
    found = objective.soft_classes(now.batch)
    rows = [1, 3, 5]
    torch.testing.assert_close(found.target[rows], reference["q_expr_noneutral_w"][rows], rtol=0, atol=1e-6)
    logits = reference["expr_logits"][rows][:, 1:].log_softmax(1)  # compared over the other classes only
    expected = -(reference["q_expr_noneutral_w"][rows][:, 1:] * logits).sum()
    torch.testing.assert_close(objective(now)["classes"].total, expected, rtol=0, atol=1e-6)


def test_a_class_of_which_no_attribute_is_annotated_is_left_out():
    units = torch.full((1, 17), torch.nan)
    units[0, [9, 15]] = 1.0  # AU12 and AU25: nothing is known of what goes with anger, disgust and sadness
    targets = {"expression": torch.tensor([-1]), "units": units}
    found = soft().soft_classes(step(random_predictions(affect(), 1), targets).batch)
    assert found.use[0].tolist() == [True, False, False, True, True, False, True]
    assert found.target[0, [1, 2, 5]].eq(0).all()


def test_temperature_sharpens():
    targets = {"expression": torch.tensor([-1]), "units": torch.zeros(1, 17)}
    targets["units"][0, [4, 9, 15]] = 1.0  # all of happiness
    batch = step(random_predictions(affect(), 1), targets).batch
    warm, cold = soft().soft_classes(batch).target[0], soft(temperature=0.1).soft_classes(batch).target[0]
    assert warm.argmax() == cold.argmax() == 4
    assert warm.max() < 0.35
    assert cold.max() > 0.95
    likely = soft(rule="likelihood").soft_classes(batch).target[0]
    assert likely[4] > 0.95
    with pytest.raises(ValueError, match="temperature"):
        soft(temperature=0)


def test_a_class_makes_soft_attributes_where_they_are_missing():
    tasks = affect()
    predictions = random_predictions(tasks, 3)
    targets = unknown(tasks, 3)
    targets["expression"][:2] = torch.tensor([4, 3])
    targets["units"][1, :5] = 0.0  # true labels stay
    terms = soft()(step(predictions, targets))
    table = soft().relatedness
    total = 0.0
    for sample, label in ((0, 4), (1, 3)):
        for unit in range(17):
            if math.isnan(float(targets["units"][sample, unit])):
                p, share = float(predictions["units"][sample, unit].detach().sigmoid()), float(table[label, unit])
                total -= share * math.log(p) + (1 - share) * math.log(1 - p)
    assert terms["attributes"].count == 17 + 12
    assert float(terms["attributes"].total.detach()) == pytest.approx(total, rel=1e-5)
    assert (terms["classes"].total, terms["classes"].count) == (0, 0)


@pytest.mark.parametrize("known", ["expression", "units", "mood"])
def test_what_is_absent_contributes_an_exact_zero_with_a_graph(known):
    tasks = affect()
    predictions = random_predictions(tasks, 4)
    targets = unknown(tasks, 4)
    targets[known] = torch.zeros_like(targets[known])
    terms = soft()(step(predictions, targets))
    sum(term.mean() for term in terms.values()).backward()
    absent = {"expression": ["classes"], "units": ["attributes"], "mood": ["classes", "attributes"]}[known]
    for name in absent:
        assert (terms[name].total, terms[name].count) == (0, 0)
    learns = {"classes": "expression", "attributes": "units"}
    for name, task in learns.items():
        assert predictions[task].grad is not None
        assert bool(predictions[task].grad.any()) == (name not in absent)


def test_true_labels_are_never_replaced():
    tasks = affect()
    targets = unknown(tasks, 2)
    targets["expression"][:] = 1
    targets["units"][:] = 1.0
    assert [float(count) for count in soft().counts(step(random_predictions(tasks, 2), targets).batch).values()] == [
        0,
        0,
    ]


@pytest.mark.parametrize("rule", ["indicator", "likelihood"])
def test_between_two_categories(tmp_path, rule):
    (tmp_path / "r.csv").write_text("room,private,public\nbath,0.9,0.1\nden,0.5,0.5\nhall,,\n")
    options = {"classes": "room", "attributes": "use", "relatedness": str(tmp_path / "r.csv"), "rule": rule}
    predictions = random_predictions(places(), 3)
    targets = {"room": torch.tensor([-1, 0, 2]), "use": torch.tensor([1, -1, -1])}
    objective = soft(places(), **options)
    terms = objective(step(predictions, targets))
    column = torch.tensor([0.1, 0.5]) if rule == "indicator" else torch.tensor([0.1, 0.5]).log()
    expected = column.softmax(0)
    target = objective.soft_classes(step(predictions, targets).batch).target[0]
    if rule == "indicator":  # nothing is known of halls: they are left out
        torch.testing.assert_close(target, torch.cat([expected, torch.zeros(1)]))
    else:  # a hall counts as the average room
        torch.testing.assert_close(target / target.sum(), torch.tensor([0.1, 0.5, 0.3]) / 0.9)
    assert [float(term.count) for term in terms.values()] == [1, 1]
    log_p = predictions["use"][1].detach().log_softmax(0)
    torch.testing.assert_close(terms["attributes"].total.detach(), -(0.9 * log_p[0] + 0.1 * log_p[1]))
