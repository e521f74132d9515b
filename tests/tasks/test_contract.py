"""What every kind of task promises, for all of them."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch
from torch import Tensor

from crosstask.tasks import KINDS, selection
from tests.tasks.cases import ADDITIVE, CASES, OPTIONS, SIZE, make, prediction, target, weight

KIND = pytest.mark.parametrize("kind", list(KINDS))
CASE = pytest.mark.parametrize(("kind", "number"), CASES)


def leaf(tensor: Tensor) -> Tensor:
    return tensor.detach().clone().requires_grad_()


def spread(known: Tensor, like: Tensor) -> Tensor:
    return (known if known.ndim == like.ndim else known.unsqueeze(1)).expand_as(like)


def test_every_kind_has_a_case():
    assert set(OPTIONS) == set(KINDS)
    assert all(task.kind == kind for kind, task in KINDS.items())


@CASE
@pytest.mark.parametrize("value", [0.0, float("inf"), float("nan")])
def test_nothing_known_is_an_exact_zero_with_a_zero_gradient(kind, number, value):
    task = make(kind, number)
    output = leaf(torch.full_like(prediction(task), value))
    term = task.loss(output, torch.stack([task.unknown(SIZE).as_subclass(Tensor)] * 4))
    assert term.total.item() == 0
    assert term.count.item() == 0
    assert term.mean().item() == 0
    assert not term.count.requires_grad
    term.mean().backward()
    assert (output.grad == 0).all()


@CASE
def test_unknown_pixels_leak_neither_labels_nor_predictions(kind, number):
    task = make(kind, number)
    labels = target(task)
    output = prediction(task)
    clean = leaf(output)
    task.loss(clean, labels).total.backward()
    known = spread(task.known(labels), output)
    for poison in (float("nan"), float("inf"), 1e30):
        poisoned = leaf(output.masked_fill(~known, poison))
        term = task.loss(poisoned, labels)
        assert term.total.item() == task.loss(clean, labels).total.item()
        term.total.backward()
        torch.testing.assert_close(poisoned.grad, clean.grad)
        assert (poisoned.grad[~known] == 0).all()
    assert clean.grad.abs().sum() > 0


@CASE
def test_half_of_the_samples_unknown_is_the_other_half_alone(kind, number):
    task = make(kind, number)
    labels, output = target(task, unknown=0.1), prediction(task)
    part = torch.tensor([0, 2])
    labels[[1, 3]] = task.target_type.UNKNOWN
    whole, alone = task.loss(output, labels), task.loss(output[part], labels[part])
    torch.testing.assert_close(whole.total, alone.total)
    assert whole.count == alone.count > 0


@CASE
def test_the_order_of_samples_does_not_matter(kind, number):
    task = make(kind, number)
    labels, output, order = target(task), prediction(task), torch.tensor([2, 0, 3, 1])
    first, second = task.loss(output, labels), task.loss(output[order], labels[order])
    torch.testing.assert_close(first, second)


@pytest.mark.parametrize(("kind", "number"), ADDITIVE)
def test_the_term_of_a_batch_is_the_sum_of_the_terms_of_its_parts(kind, number):
    task = make(kind, number)
    labels, output = target(task), prediction(task)
    whole = task.loss(output, labels)
    parts = [task.loss(output[rows], labels[rows]) for rows in (slice(0, 1), slice(1, 4))]
    torch.testing.assert_close(whole.total, parts[0].total + parts[1].total)
    torch.testing.assert_close(whole.count, parts[0].count + parts[1].count)


@CASE
def test_count_is_known_before_the_forward(kind, number):
    task = make(kind, number)
    labels, output, confidence = target(task), prediction(task), weight(task)
    assert task.count(labels) == task.loss(output, labels).count
    assert task.count(labels, confidence) == task.loss(output, labels, confidence).count > 0


@CASE
def test_a_weight_of_zero_is_unknown(kind, number):
    task = make(kind, number)
    labels, output = target(task, unknown=0.0), prediction(task)
    keep = weight(task) > 0.4
    mask = keep.reshape(keep.shape + (1,) * (task.known(labels).ndim - keep.ndim)).expand_as(task.known(labels))
    holes = ~spread(mask, labels)
    weighted = task.loss(output, labels, keep.float())
    blanked = task.loss(output, labels.masked_fill(holes, task.target_type.UNKNOWN))
    torch.testing.assert_close(weighted, blanked)
    unsure = task.loss(output, labels, torch.where(keep, 1.0, torch.nan))
    torch.testing.assert_close(unsure, blanked)


@pytest.mark.parametrize(("kind", "number"), [case for case in ADDITIVE if case != ("depth", 2)])
def test_weights_scale_the_loss_of_their_entries(kind, number):
    task = make(kind, number)
    labels, output = target(task), prediction(task)
    scale = torch.tensor([1.0, 1.0, 3.0, 0.5])
    confidence = scale.reshape(-1, *[1] * (weight(task).ndim - 1)).expand_as(weight(task))
    whole = task.loss(output, labels, confidence)
    each = [task.loss(output[row : row + 1], labels[row : row + 1]) for row in range(4)]
    torch.testing.assert_close(whole.total, sum(s * term.total for s, term in zip(scale, each, strict=True)))
    torch.testing.assert_close(whole.count, sum(s * term.count for s, term in zip(scale, each, strict=True)))


@CASE
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_predictions_stay_finite(kind, number, dtype):
    task = make(kind, number)
    labels = target(task)
    output = leaf((prediction(task) * 300).to(dtype))
    with torch.autocast("cpu", torch.bfloat16):
        term = task.loss(output, labels)
    assert term.total.dtype == torch.float32
    term.mean().backward()
    assert output.grad.isfinite().all()
    exact = task.loss(output.detach().double(), labels).total
    assert exact.dtype == torch.float64
    torch.testing.assert_close(term.total.double(), exact, rtol=1e-5, atol=1e-5)
    for values in (task.activate(output), task.embed(output), task.decide(output)):
        assert values.isfinite().all()


@CASE
def test_gradient_is_that_of_finite_differences(kind, number):
    task = make(kind, number)
    labels = target(task)
    labels = labels.double() if labels.is_floating_point() else labels
    output = leaf(prediction(task).double())
    assert torch.autograd.gradcheck(lambda x: task.loss(x, labels).total, output, atol=1e-5)


@CASE
def test_an_all_zero_prediction_has_a_finite_gradient(kind, number):
    task = make(kind, number)
    output = leaf(torch.zeros_like(prediction(task)))
    (task.loss(output, target(task)).mean() + task.embed(output).sum()).backward()
    assert output.grad.isfinite().all()


@CASE
def test_shapes(kind, number):
    task = make(kind, number)
    output, labels = prediction(task), target(task)
    assert task.unknown(SIZE).shape == task.shape(SIZE) == labels.shape[1:]
    assert type(task.unknown(SIZE)) is task.target_type
    assert not task.known(task.unknown(SIZE)).any()
    assert task.decide(output).shape == labels.shape
    assert task.embed(output).shape == task.embed_target(labels).shape
    assert task.dense == (output.ndim == 4)
    if task.dense:
        assert task.known(labels).shape == (4, *SIZE)
        assert task.known(labels[0]).shape == SIZE
    else:
        assert task.known(labels).shape == labels.shape


@CASE
def test_a_decision_is_a_valid_target(kind, number):
    task = make(kind, number)
    for value in task.decide(prediction(task) * 3):
        task.check(value)
    for label in target(task):
        task.check(label)
    task.check(task.unknown(SIZE))


@CASE
def test_unknown_embeds_as_zero_and_embeddings_are_differentiable(kind, number):
    task = make(kind, number)
    labels = target(task)
    embedded = task.embed_target(labels)
    known = spread(task.known(labels), embedded) if task.known(labels).ndim > 1 else task.known(labels)[:, None]
    assert (embedded.masked_fill(known, 0.0) == 0).all()
    assert embedded.dtype == torch.float32
    output = leaf(prediction(task))
    (task.embed(output) * torch.linspace(0, 1, output.shape[-1])).sum().backward()
    assert output.grad.isfinite().all()
    assert output.grad.abs().sum() > 0


@CASE
def test_pictures(kind, number):
    task = make(kind, number)
    for value in (*task.decide(prediction(task)), *target(task), task.unknown(SIZE)):
        picture = task.picture(value, (20, 30))
        assert picture.shape == (3, 20, 30)
        assert picture.dtype == torch.uint8
        if task.dense:
            own = task.picture(value)
            assert own.shape == (3, *SIZE)
            assert (own[:, ~task.known(value)] == 128).all()
    torch.testing.assert_close(task.picture(value, (20, 30)), task.picture(value, (20, 30)))


@CASE
def test_files_round_trip(kind, number):
    task = make(kind, number)
    close = {"depth": 0.0006, "disparity": 0.002, "normals": 0.01, "saliency": 0.004, "scalars": 1e-5}
    for value in (*target(task, unknown=0.2), *task.decide(prediction(task))):
        encoded = task.encode(value)
        if isinstance(encoded, dict):
            assert json.loads(json.dumps(encoded, allow_nan=False)) == encoded
            if not task.known(value).any():
                assert encoded["cell"].strip(";") == ""
                continue
            expected = value if kind != "tags" else (value > 0.5).float().masked_fill(value.isnan(), torch.nan)
            restored = task.parse(encoded["cell"])
        else:
            assert encoded.dtype in (np.uint8, np.uint16, np.float32)
            expected, restored = value, task.parse(encoded)
        assert type(restored) is task.target_type
        torch.testing.assert_close(
            restored.as_subclass(Tensor), expected, rtol=0, atol=close.get(kind, 0), equal_nan=True
        )


@CASE
def test_metric_measures_known_entries_only(kind, number):
    task = make(kind, number)
    metric = task.metric()
    labels, output = target(task), prediction(task)
    assert metric.protocol
    assert metric.primary in metric.better
    metric.update(output, labels)
    numbers = metric.compute()
    assert list(numbers) == list(metric.better)
    assert metric.known(metric.all_rows()) == task.known(labels).sum()
    assert metric.known(metric.all_rows()[1:2]) == 0
    known = spread(task.known(labels), output)
    again = task.metric()
    again.update(output.masked_fill(~known, 7.0), labels)
    assert again.compute() == pytest.approx(numbers, nan_ok=True)


@CASE
def test_metric_of_batches_is_the_metric_of_the_whole(kind, number):
    task = make(kind, number)
    labels, output = target(task, 12), prediction(task, 12)
    whole, parts = task.metric(), task.metric()
    whole.update(output, labels)
    for row in range(12):
        parts.update(output[row : row + 1], labels[row : row + 1])
    assert parts.compute() == pytest.approx(whole.compute(), nan_ok=True, rel=1e-6)
    for name, (low, high) in whole.intervals(resamples=50).items():
        assert low <= high, name


@CASE
def test_a_metric_nobody_could_measure_is_nan(kind, number):
    task = make(kind, number)
    metric = task.metric()
    metric.update(prediction(task), torch.stack([task.unknown(SIZE).as_subclass(Tensor)] * 4))
    assert all(np.isnan(value) for value in metric.compute().values())
    assert metric.known(metric.all_rows()) == 0


@KIND
def test_perfect_predictions_have_perfect_numbers(kind):
    task = make(kind)
    labels = target(task, 12, unknown=0.1)
    perfect = {
        "segmentation": lambda: task.embed_target(labels) * 20,
        "category": lambda: task.embed_target(labels) * 20,
        "saliency": lambda: torch.logit(labels.nan_to_num(0.5), 1e-9),
        "tags": lambda: (labels.nan_to_num(0.5) - 0.5) * 40,
    }.get(kind, lambda: labels.nan_to_num(1.0))()
    metric = task.metric()
    metric.update(perfect, labels)
    for name, value in metric.compute().items():
        best = {1: 1.0 if name == "ccc" else 100.0, -1: 0.0}[metric.better[name]]
        assert value == pytest.approx(best, abs=0.1), name


@KIND
@pytest.mark.parametrize("wrong", [np.array("text"), np.zeros((2, 2), dtype=complex), np.zeros((2, 3, 4, 5, 6))])
def test_files_of_another_kind_are_refused(kind, wrong):
    with pytest.raises(ValueError, match=r".+: .+|found"):
        make(kind).parse(wrong)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if make(kind).dense])
def test_dense_labels_are_files(kind):
    with pytest.raises(ValueError, match="give the path"):
        make(kind).parse("3")


@KIND
def test_wrong_targets_are_named(kind):
    task = make(kind)
    with pytest.raises(ValueError, match="target is"):
        task.check(torch.zeros(2, 3, 4, 5))


@CASE
def test_confidence_has_the_shape_of_the_known_mask_and_grows_with_the_prediction(kind, number):
    task = make(kind, number)
    output = prediction(task)
    confidence, surer = task.confidence(output), task.confidence((8 * output).bfloat16())
    assert confidence.shape == task.known(target(task)).shape
    assert confidence.dtype == surer.dtype == torch.float32
    assert 0 <= confidence.min() <= confidence.max() <= surer.max() <= 1
    if kind in ("segmentation", "category"):
        torch.testing.assert_close(confidence, task.activate(output).amax(1))
    if kind in ("tags", "saliency"):
        likely = task.activate(output).reshape(confidence.shape)
        torch.testing.assert_close(confidence, torch.maximum(likely, 1 - likely))


@CASE
def test_tasks_and_metrics_can_be_sent_to_another_process(kind, number):
    task = make(kind, number)
    copy = pickle.loads(pickle.dumps(task))
    labels, output = target(task), prediction(task)
    torch.testing.assert_close(copy.loss(output, labels), task.loss(output, labels))
    metric = pickle.loads(pickle.dumps(task.metric()))
    metric.update(output, labels)
    assert metric.compute()


@CASE
def test_leaving_out_unlabelled_images_changes_nothing(kind, number, monkeypatch):
    task = make(kind, number)
    labels, output = target(task), leaf(prediction(task).index_fill(0, torch.tensor([1]), torch.nan))
    left_out = task.loss(output, labels, weight(task))
    monkeypatch.setattr(selection, "LEAVE_OUT_ON", ())
    kept = task.loss(output, labels, weight(task))
    torch.testing.assert_close(kept, left_out)
    torch.testing.assert_close(*(torch.autograd.grad(term.total, output)[0] for term in (kept, left_out)))
    none = task.loss(output, torch.stack([task.unknown(SIZE).as_subclass(Tensor)] * 4))
    assert none.total.item() == 0
    assert (torch.autograd.grad(none.total, output)[0] == 0).all()


@CASE
def test_a_metric_takes_nothing_that_would_be_broadcast_or_counted_elsewhere(kind, number):
    task = make(kind, number)
    labels, output = target(task), prediction(task)
    wrong = [(output, labels[:1]), (output[:1], labels), (output.repeat_interleave(2, 1), labels)]
    wrong += [(output, labels[:, None])]
    if labels.ndim == 4 and labels.shape[1] == 1:
        wrong += [(output, labels[:, 0])]  # maps of one channel given as (B, H, W)
    if not labels.is_floating_point():
        wrong += [(output, labels.where(labels >= 0, 255)), (output[:, 1:], labels)]
    for predicted, given in wrong:
        metric = task.metric()
        with pytest.raises(ValueError, match=r"predictions .* targets|targets hold the id 255"):
            metric.update(predicted, given)
        assert not metric.rows


@CASE
def test_a_loss_takes_nothing_that_would_be_broadcast(kind, number):
    task = make(kind, number)
    labels, output = target(task), prediction(task)
    for predicted, given in [(output, labels[:1]), (output[:1], labels), (output, labels[:, None])]:
        with pytest.raises(ValueError, match=r"predictions .* do not fit targets"):
            task.loss(predicted, given)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@CASE
def test_the_device_does_not_matter(kind, number):
    task = make(kind, number)
    labels, output, confidence = target(task), leaf(prediction(task)), weight(task)
    there = leaf(output.cuda())
    for weights in (None, confidence):
        here = task.loss(output, labels, weights)
        away = task.loss(there, labels.cuda(), None if weights is None else weights.cuda())
        torch.testing.assert_close(away.total.cpu(), here.total)
        torch.testing.assert_close(away.count.cpu(), here.count)
        torch.testing.assert_close(
            torch.autograd.grad(away.total, there)[0].cpu(), torch.autograd.grad(here.total, output)[0]
        )
    none = leaf(torch.full_like(there, torch.nan))
    term = task.loss(none, torch.stack([task.unknown(SIZE).as_subclass(Tensor)] * 4).cuda())
    assert term.total.item() == 0
    assert (torch.autograd.grad(term.total, none)[0] == 0).all()
    first, second = task.metric(), task.metric()
    first.update(output, labels)
    second.update(there, labels.cuda())
    assert second.compute() == pytest.approx(first.compute(), rel=1e-4, nan_ok=True)
    for value in task.decide(there):
        task.picture(value, (20, 30))
        task.encode(value)
