from __future__ import annotations

import numpy as np
import pytest
import torch

from crosstask.errors import DataError
from crosstask.objectives import OBJECTIVES
from crosstask.objectives.coupling.distribution_matching import DistributionMatching
from crosstask.tasks.term import Term
from tests.objectives.coupled import affect, places, random_predictions, step, unknown
from tests.shared import shared

PAIR = {"classes": "expression", "attributes": "units", "relatedness": "du2014_basic"}
PRINTED = {"form": "as_printed", "direction": "to_classes", "stop_gradient": False}


def matching(tasks=None, **options) -> DistributionMatching:
    return DistributionMatching(tasks or affect(), None, **{**PAIR, **options})


def test_the_printed_loss_and_the_default_equal_the_reference():
    with np.load(shared("fixtures/others/dm_reference.npz")) as given:
        reference = {key: torch.from_numpy(given[key]) for key in given if given[key].dtype.kind == "f"}
    predictions = {"expression": reference["expr_logits"], "units": reference["au_logits"]}
    now = step(predictions, {})
    printed = matching(**PRINTED).double()(now)
    assert float(printed["to_classes"].mean()) == pytest.approx(float(reference["dm_w_onesided_both"]), abs=1e-6)
    default = matching().double()(now)
    assert float(default["to_classes"].mean()) == pytest.approx(float(reference["dm_w_bernoulli_p"]), abs=1e-6)
    assert float(default["to_attributes"].mean()) == pytest.approx(float(reference["dm_w_expr2au"]), abs=1e-6)
    binary = matching(binary_from=0.1, **PRINTED).double()(now)
    assert float(binary["to_classes"].mean()) == pytest.approx(float(reference["dm_b_onesided_both"]), abs=1e-6)


def descended(**options) -> tuple[float, float, float]:
    """Mean attribute, mean mixture and mean neutral probability after descent on matching alone."""
    objective = matching(**options)
    predictions = random_predictions({name: affect()[name] for name in ("expression", "units")}, 64)
    optimiser = torch.optim.SGD(predictions.values(), lr=6.4)
    for _ in range(600):
        optimiser.zero_grad()
        sum(term.mean() for term in objective(step(predictions, {})).values()).backward()
        optimiser.step()
    p = predictions["expression"].detach().softmax(1)
    return (
        float(predictions["units"].detach().sigmoid().mean()),
        float((p @ objective.relatedness).mean()),
        float(p[:, 0].mean()),
    )


def test_the_printed_loss_switches_everything_off_and_the_default_does_not():
    attributes, mixed, neutral = descended(**PRINTED)
    assert attributes < 0.05  # half of them were on
    assert neutral < 0.02  # the class without attributes is never allowed
    assert abs(attributes - mixed) > 0.2
    attributes, mixed, _ = descended()
    assert attributes == pytest.approx(mixed, abs=0.01)
    assert attributes > 0.2


@pytest.mark.parametrize(("direction", "trained"), [("to_classes", "expression"), ("to_attributes", "units")])
@pytest.mark.parametrize("form", ["bernoulli", "as_printed"])
def test_a_direction_trains_one_side_unless_the_gradient_is_not_stopped(direction, trained, form):
    tasks = {name: affect()[name] for name in ("expression", "units")}
    for stop in (True, False):
        predictions = random_predictions(tasks, 5)
        matching(direction=direction, form=form, stop_gradient=stop)(step(predictions, {}))[direction].total.backward()
        reached = {name for name, each in predictions.items() if each.grad is not None and each.grad.any()}
        assert reached == ({trained} if stop else set(tasks))


def test_every_sample_counts_whatever_it_is_labelled_for():
    predictions = random_predictions(affect(), 6)
    terms = matching()(step(predictions, unknown(affect(), 6)))
    halves = [matching()(step({k: v[part] for k, v in predictions.items()}, {})) for part in (slice(4), slice(4, 6))]
    for name, term in terms.items():
        assert term.count == 6
        torch.testing.assert_close(term.total, halves[0][name].total + halves[1][name].total)


def test_categories_are_matched_by_categorical_cross_entropy(tmp_path):
    (tmp_path / "r.csv").write_text("room,private,public\nbath,0.9,0.1\nden,0.5,0.5\nhall,,\n")
    objective = matching(places(), classes="room", attributes="use", relatedness=str(tmp_path / "r.csv"))
    predictions = random_predictions(places(), 4)
    terms = objective(step(predictions, {}))
    room, use = (predictions[name].detach().double().softmax(1) for name in ("room", "use"))
    table = torch.tensor([[0.9, 0.1], [0.5, 0.5]], dtype=torch.float64)
    mixed = (room[:, :2] @ table) / room[:, :2].sum(1, keepdim=True)  # nothing is known of halls
    weight = room[:, :2].sum(1, keepdim=True)
    for name, expected in (
        ("to_classes", -(use * mixed.log() * weight)),
        ("to_attributes", -(mixed * use.log() * weight)),
    ):
        torch.testing.assert_close(float(terms[name].total.detach()), float(expected.sum()), rtol=1e-5, atol=1e-5)


def test_a_column_without_any_relation_says_nothing(tmp_path):
    rows = ["class,AU1,AU2"] + [f"{name},{int(name == 'fear')},0" for name in affect()["expression"].classes]
    (tmp_path / "r.csv").write_text("\n".join(rows))
    tasks = affect() | {"units": type(affect()["units"])("units", classes=["AU1", "AU2"])}
    predictions = random_predictions(tasks, 3)
    total = sum(
        term.total for term in matching(tasks, relatedness=str(tmp_path / "r.csv"))(step(predictions, {})).values()
    )
    total.backward()
    assert predictions["units"].grad[:, 0].all()
    assert not predictions["units"].grad[:, 1].any()


@pytest.mark.parametrize("kind", ["distribution_matching", "soft_coannotation", "hard_coannotation"])
def test_saturated_predictions_stay_finite(kind):
    tasks = affect()
    for scale in (1e4, 1e30):
        predictions = random_predictions(tasks, 8, scale=scale)
        targets = unknown(tasks, 8)
        targets["expression"][:4] = torch.tensor([0, 1, 2, 3])
        targets["units"][4:] = torch.eye(17)[:4]
        terms = OBJECTIVES[kind](tasks, None, **PAIR)(step(predictions, targets))
        sum(term.mean() for term in terms.values()).backward()
        assert all(term.total.isfinite() for term in terms.values())
        assert all(each.grad is None or each.grad.isfinite().all() for each in predictions.values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": "emotion"}, "there is no task 'emotion' to couple; valid: expression, mood, units"),
        ({"classes": "units"}, "task 'units' is of kind tags: coupling needs category"),
        ({"attributes": "mood"}, "task 'mood' is of kind scalars: coupling needs tags or category"),
        ({"relatedness": "du2014"}, "there is no table of relatedness 'du2014'"),
        ({"relatedness": "du2014_compound"}, "no row for the class 'neutral'"),
        ({"binary_from": 2.0}, "no cell is above 0"),
    ],
)
def test_what_does_not_fit_is_one_line(options, message):
    with pytest.raises((ValueError, DataError), match=message):
        matching(**options)


def test_terms_are_sums_and_counts_of_the_step():
    predictions = random_predictions(affect(), 3)
    now = step(predictions, {})
    for name, term in matching()(now).items():
        assert isinstance(term, Term)
        assert matching().counts(now.batch)[name] == term.count
