import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from crosstask.tasks import Regression, Scalars

NAN = math.nan


def case():
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(20, 2, generator=generator)
    prediction = target * 0.7 + 0.3 * torch.randn(20, 2, generator=generator)
    target[torch.rand(20, 2, generator=generator) < 0.2] = NAN
    return prediction, target


def biased_ccc(prediction, target):
    """Lin's coefficient with variances over n, as Lin defined it."""
    x, y = prediction.double().numpy(), target.double().numpy()
    covariance = np.mean((x - x.mean()) * (y - y.mean()))
    return 2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)


def test_ccc_loss_and_metric_agree_with_the_definition():
    prediction, target = case()
    task = Regression("va", names=["valence", "arousal"])
    metric = task.metric()
    metric.update(prediction, target)
    total, scores = 0.0, []
    for component in range(2):
        known = ~target[:, component].isnan()
        scores.append(biased_ccc(prediction[known, component], target[known, component]))
        total += known.sum().item() * (1 - scores[-1])
    assert task.loss(prediction, target).total.item() == pytest.approx(total, rel=1e-5)
    assert metric.compute()["ccc"] == pytest.approx(np.mean(scores), rel=1e-5)
    assert list(metric.per_class().values()) == pytest.approx(scores, rel=1e-5)


def test_ccc_of_many_samples_is_that_of_its_definition():
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(20000, 1, generator=generator)
    prediction = target + 0.3 * torch.randn(20000, 1, generator=generator)
    metric = Regression("v", names=1).metric()
    metric.update(prediction, target)
    p, t = prediction[:, 0].double().numpy(), target[:, 0].double().numpy()
    expected = 2 * np.corrcoef(p, t)[0, 1] * p.std() * t.std() / (p.var() + t.var() + (p.mean() - t.mean()) ** 2)
    assert metric.compute()["ccc"] == pytest.approx(expected, abs=1e-6)
    assert metric.compute()["rmse"] == pytest.approx(0.3, abs=0.01)


def test_smooth_l1_is_that_of_torch():
    prediction, target = case()
    known = ~target.isnan()
    expected = F.smooth_l1_loss(prediction[known], target[known])
    task = Regression("va", names=2, loss="smooth_l1")
    torch.testing.assert_close(task.loss(prediction * 1.0, target).mean(), expected)


@pytest.mark.parametrize("same", [True, False])
def test_one_sample_alone_is_finite(same):
    prediction = torch.tensor([[0.5]], requires_grad=True)
    term = Regression("v", names=1).loss(prediction, torch.tensor([[0.5 if same else 0.1]]))
    term.total.backward()
    assert term.total == 1
    assert prediction.grad == 0


def test_a_component_known_once_has_no_ccc_but_an_error():
    metric = Regression("va", names=["v", "a"]).metric()
    metric.update(torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 3.0], [1.0, NAN]]))
    assert metric.absent() == ["a"]
    assert metric.compute() == pytest.approx({"ccc": 1.0, "rmse": 1.5})


def test_one_image_is_scored_by_its_error():
    metric = Regression("va", names=["v", "a"]).metric()
    metric.update(torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.tensor([[1.0, 3.0], [1.5, NAN]]))
    assert [metric.of_image(row[None]) for row in metric.all_rows()] == [2, 0.5]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("0.3;;-0.1", [0.3, NAN, -0.1]),
        (" 1e-1 ; 2 ; ", [0.1, 2, NAN]),
        ("", [NAN] * 3),
        (np.array([1, 2, 3]), [1, 2, 3]),
        (np.array([1.0, np.nan, 3.0]), [1, NAN, 3]),
    ],
)
def test_parse(cell, expected):
    parsed = Regression("s", names=3).parse(cell)
    assert type(parsed) is Scalars
    np.testing.assert_array_equal(parsed, np.array(expected, dtype=np.float32))


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("1;2", r"holds 2 numbers, not one for each of the names \(a, b, c\)"),
        ("1;x;2", "'x' is not a number"),
        ("1;inf;0", "b is inf"),
        ("1;2;7", "c is 7, outside 0 to 5"),
        (np.zeros(2), "holds 2 numbers"),
    ],
)
def test_what_parse_refuses(cell, message):
    with pytest.raises(ValueError, match=message):
        Regression("s", names=["a", "b", "c"], ranges=[(0, 5)] * 3).parse(cell)


def test_decided_values_are_clipped_to_the_ranges():
    task = Regression("s", names=2, ranges=[(0.0, 1.0), (-1.0, 1.0)])
    assert task.decide(torch.tensor([[2.0, -3.0]])).tolist() == [[1, -1]]
    assert task.activate(torch.tensor([[2.0, -3.0]])).tolist() == [[2, -3]]


def test_what_teachers_say_beyond_the_ranges_is_a_label_all_the_same():
    task = Regression("s", names=["years"], ranges=[(18, 90)])
    said = task.fuse(torch.tensor([[0.5], [12.0]]))
    assert task.parse(task.encode(said.value)["cell"]).tolist() == [18]


@pytest.mark.parametrize("options", [{"loss": "l2"}, {"ranges": [(0, 1)]}, {"ranges": [(1, 0), (0, 1)]}, {"names": []}])
def test_what_options_are_refused(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"{name} is"):
        Regression("s", **({"names": 2} | options))
