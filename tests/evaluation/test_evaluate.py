import math

import numpy as np
import pytest
import torch
from torch import nn

from crosstask.errors import NotFinite
from crosstask.evaluation.evaluate import evaluate
from crosstask.evaluation.results import show
from tests.evaluation.toys import NAN, Pixelwise, batch, every_kind, pick

TASKS = every_kind()
NETWORK = Pixelwise(TASKS)


def measure(batches, tasks=TASKS, **options):
    return evaluate(NETWORK, batches, tasks, resamples=20, **options)


def slow_miou(network, batches, classes):
    hits, union = np.zeros(classes), np.zeros(classes)
    for item in batches:
        chosen = network(item.images)["semantic"].argmax(1).detach().numpy()
        truth = item.targets["semantic"].numpy()
        for index in range(classes):
            known = truth >= 0
            hits[index] += ((chosen == index) & (truth == index))[known].sum()
            union[index] += ((chosen == index) | (truth == index))[known].sum()
    return 100 * np.mean([h / u for h, u in zip(hits, union, strict=True) if u])


def test_agrees_with_slow_numbers_over_images_of_several_sizes():
    batches = [batch(3), batch(2, (7, 9), seed=1), batch(1, (20, 5), seed=2)]
    results = measure(batches)
    assert results.images == 6
    assert results.tasks["semantic"].score == pytest.approx(slow_miou(NETWORK, batches, 4))
    errors, normals, known = [], [], 0
    for item in batches:
        predictions = {name: value.detach() for name, value in NETWORK(item.images).items()}
        gap = (predictions["depth"] - item.targets["depth"]).abs()
        errors += gap[~gap.isnan()].tolist()
        cosine = nn.functional.cosine_similarity(predictions["normals"], item.targets["normals"], dim=1)
        normals += cosine[~cosine.isnan()].acos().rad2deg().tolist()
        known += int((item.targets["semantic"] >= 0).sum())
    assert results.tasks["depth"].numbers["abs"].value == pytest.approx(np.mean(errors), rel=1e-5)
    assert results.tasks["depth"].known == len(errors)
    assert results.tasks["normals"].numbers["mean"].value == pytest.approx(np.mean(normals), rel=1e-4)
    assert results.tasks["semantic"].known == known


def test_scores_of_single_images_are_those_of_evaluating_them_alone():
    whole = batch(5)
    results = measure([whole]).tasks["depth"]
    for index, name in enumerate(whole.ids):
        alone = measure([pick(whole, [index])]).tasks["depth"]
        if alone.known:
            assert results.scores[name] == pytest.approx(alone.score)
        else:
            assert name not in results.scores
    worst, score = results.worst(1)[0]
    assert score == max(results.scores.values())
    assert results.scores[worst] == score


@pytest.mark.parametrize(("name", "single", "better"), [("tags", "f1", 1), ("scalars", "rmse", -1)])
def test_single_images_of_image_level_tasks_have_a_number_that_tells_them_apart(name, single, better):
    results = measure([batch(12)]).tasks[name]
    assert results.single == single
    assert len(results.scores) == results.images
    assert len(set(results.scores.values())) > 1
    assert results.worst(1)[0][1] == min(results.scores.values(), key=lambda score: better * score)


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 2, 4]])
@pytest.mark.parametrize("sizes", [[6], [1, 2, 3], [4, 2]])
def test_order_and_batching_change_nothing(order, sizes):
    whole = batch(6)
    parts, start = [], 0
    for size in sizes:
        parts.append(pick(whole, order[start : start + size]))
        start += size
    expected, found = measure([whole]), measure(parts)
    for name in TASKS:
        assert found.tasks[name].known == expected.tasks[name].known
        for metric, number in expected.tasks[name].numbers.items():
            other = found.tasks[name].numbers[metric]
            assert (other.value, other.low, other.high) == pytest.approx(
                (number.value, number.low, number.high), rel=1e-5, nan_ok=True
            )


def test_ranks_agree_with_one_process_and_repeated_samples_count_once():
    whole = batch(6)
    shares = []

    def record(share):
        shares.append(share)
        return [share]

    measure([pick(whole, [0, 2, 4])], all_gather=record)
    measure([pick(whole, [1, 3, 5]), pick(whole, [0])], all_gather=record)  # a sampler that fills its last batch
    idle = measure([], all_gather=lambda share: [*shares, share])
    assert idle.to_json() == measure([whole]).to_json()


def test_what_nobody_labelled_is_not_measured():
    item = batch(4)
    item.targets["depth"][:] = NAN
    item.targets["semantic"][:] = -1
    item.targets["category"][:] = -1
    results = measure([item])
    for name in ("depth", "semantic", "category"):
        task = results.tasks[name]
        assert task.known == task.images == 0
        assert task.scores == {}
        assert all(math.isnan(number.value) and math.isnan(number.low) for number in task.numbers.values())
        assert task.absent == []
    assert not math.isnan(results.tasks["normals"].score)
    row = next(line for line in results.markdown().splitlines() if line.startswith("| depth | abs"))
    assert row.split(" | ")[2:6] == ["n/a", "n/a", "0", "0"]


def test_no_images_at_all():
    results = measure([])
    assert results.images == 0
    assert all(math.isnan(score) for score in results.scores().values())


def test_absent_classes_are_named():
    tasks = {"semantic": TASKS["semantic"]}

    class Floor(nn.Module):
        def forward(self, images):
            return {"semantic": torch.tensor([0.0, 1, 0, 0])[:, None, None].expand(len(images), 4, *images.shape[-2:])}

    item = batch(3)
    item.targets["semantic"].clamp_(max=1)
    task = evaluate(Floor(), [item], tasks, resamples=5).tasks["semantic"]
    assert task.absent == ["chair", "lamp"]
    assert task.per_class["wall"] == 0
    truth = item.targets["semantic"]
    assert task.per_class["floor"] == pytest.approx(100 * int((truth == 1).sum()) / int((truth >= 0).sum()))
    assert task.score == pytest.approx(task.per_class["floor"] / 2)


class Broken(Pixelwise):
    """Predicts NaN or infinity for one task in one image."""

    value = NAN

    def forward(self, images):
        predictions = super().forward(images)
        predictions["normals"] = predictions["normals"].clone()
        predictions["normals"][-1] = self.value
        return predictions


@pytest.mark.parametrize("value", [NAN, math.inf])
def test_predictions_that_are_not_finite_are_not_measured(value, monkeypatch):
    monkeypatch.setattr(Broken, "value", value)
    with pytest.raises(NotFinite, match=r"^the network predicts NaN or infinity for normals: use other weights"):
        evaluate(Broken(TASKS), [batch(2)], TASKS)


def test_every_rank_refuses_what_one_of_them_met():
    shares = []

    def record(share):
        shares.append(share)
        return [share]

    with pytest.raises(NotFinite):
        evaluate(Broken(TASKS), [batch(2)], TASKS, all_gather=record)
    with pytest.raises(NotFinite, match="normals"):
        measure([batch(2, seed=1)], all_gather=lambda share: [share, *shares])


def test_modes_gradients_and_progress():
    tasks = {"depth": TASKS["depth"]}

    class Watched(Pixelwise):
        def forward(self, images):
            assert not self.training
            assert not torch.is_grad_enabled()
            return super().forward(images)

    network = nn.Sequential(Watched(tasks)).train()
    network[0].heads.eval()
    steps = []
    evaluate(network, [batch(2), batch(1, seed=1)], tasks, resamples=0, progress=lambda *step: steps.append(step))
    assert steps == [(1, 2), (2, 2)]
    assert network.training
    assert network[0].training
    assert not network[0].heads.training


def test_autocast_and_no_resamples():
    results = measure([batch(4)], autocast=torch.bfloat16)
    plain = evaluate(NETWORK, [batch(4)], TASKS, resamples=0)
    assert results.tasks["depth"].score == pytest.approx(plain.tasks["depth"].score, rel=0.02)
    assert results.tasks["depth"].score != plain.tasks["depth"].score
    assert math.isnan(plain.tasks["depth"].numbers["abs"].low)


def test_one_image_has_no_interval():
    results = measure([pick(batch(2), [0])])
    number = results.tasks["normals"].numbers["mean"]
    assert number.value > 0
    assert math.isnan(number.low)
    assert math.isnan(number.high)
    assert f"| {show(number.value)} | n/a | 1 |" in results.markdown()
    assert "NaN" not in results.to_json()


def test_interval_covers_the_number_and_narrows_with_images():
    few, many = (evaluate(NETWORK, [batch(count)], TASKS).tasks["depth"].numbers["abs"] for count in (6, 60))
    for number in (few, many):
        assert number.low < number.value < number.high
    assert many.high - many.low < (few.high - few.low) / 2
