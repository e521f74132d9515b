from __future__ import annotations

import pytest
import torch

from crosstask.objectives.coupling.scalar_matching import ScalarMatching
from tests.objectives.coupled import affect, random_predictions, step


@pytest.fixture
def means(tmp_path) -> str:
    rows = ["class,valence,arousal", "neutral,0,0", "anger,-0.6,0.7", "disgust,-0.7,0.3", "fear,-0.6,0.8"]
    (tmp_path / "means.csv").write_text("\n".join([*rows, "happiness,0.8,0.4", "sadness,-0.7,-0.3", "surprise,0.2,"]))
    return str(tmp_path / "means.csv")


def ccc(a, b, w) -> float:
    w = w / w.sum()
    ma, mb = (w * a).sum(), (w * b).sum()
    covariance = (w * (a - ma) * (b - mb)).sum()
    return float(2 * covariance / ((w * (a - ma) ** 2).sum() + (w * (b - mb) ** 2).sum() + (ma - mb) ** 2))


def test_the_loss_is_one_minus_the_concordance_with_the_mixture_of_means(means):
    objective = ScalarMatching(affect(), None, "expression", "mood", means)
    predictions = random_predictions(affect(), 20)
    terms = objective(step(predictions, {}))
    p, mood = predictions["expression"].detach().softmax(1), predictions["mood"].detach()
    table = objective.means
    valence = p @ table[:, 0]
    arousal = p[:, :6] @ table[:6, 1] / p[:, :6].sum(1)  # that of surprise is not known
    expected = 1 - ccc(mood[:, 0], valence, torch.ones(20)) + 1 - ccc(mood[:, 1], arousal, p[:, :6].sum(1))
    for term in terms.values():
        assert float(term.total.detach()) / 20 == pytest.approx(expected, rel=1e-4)
        assert term.count == 40 == objective.counts(step(predictions, {}).batch)["to_classes"]


@pytest.mark.parametrize(("direction", "trained"), [("to_classes", "expression"), ("to_scalars", "mood")])
def test_a_direction_trains_one_side(means, direction, trained):
    predictions = random_predictions(affect(), 8)
    ScalarMatching(affect(), None, "expression", "mood", means, direction)(step(predictions, {}))[
        direction
    ].total.backward()
    assert {name for name, each in predictions.items() if each.grad is not None} == {trained}
    assert predictions[trained].grad.any()


@pytest.mark.parametrize(("size", "scale"), [(1, 1.0), (4, 1e4), (4, 0.0)])
def test_degenerate_batches_stay_finite(means, size, scale):
    predictions = random_predictions(affect(), size, scale=scale)
    terms = ScalarMatching(affect(), None, "expression", "mood", means)(step(predictions, {}))
    sum(term.mean() for term in terms.values()).backward()
    assert all(term.total.isfinite() for term in terms.values())
    assert all(predictions[name].grad.isfinite().all() for name in ("expression", "mood"))
