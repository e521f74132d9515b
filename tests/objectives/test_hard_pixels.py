"""Online hard example mining, against a loop and the arrays of a released code."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from crosstask.errors import RecipeError
from crosstask.objectives.base import Step
from crosstask.objectives.hard_pixels import HardPixels
from crosstask.tasks import KINDS
from tests.shared import shared
from tests.training.toys import toy_batch, toy_tasks


def term(prediction: torch.Tensor, target: torch.Tensor, **options):
    tasks = {"semantic": KINDS["segmentation"]("semantic", classes=prediction.shape[1])}
    batch = toy_batch([{"semantic"}])
    batch.targets = {"semantic": target}
    step = Step(batch, None, {"semantic": prediction}, [], 0, 1, torch.Generator())
    return HardPixels(tasks, None, **options)(step)["hard"]


def slowly(prediction: torch.Tensor, target: torch.Tensor, threshold: float, kept: int) -> float:
    pixels = []
    for image, labels in zip(prediction, target, strict=True):
        for y in range(labels.shape[0]):
            for x in range(labels.shape[1]):
                if labels[y, x] >= 0:
                    p = image[:, y, x].softmax(0)[labels[y, x]].item()
                    pixels.append((p, -np.log(p)))
    pixels.sort()
    limit = max(threshold, pixels[min(kept, len(pixels)) - 1][0])
    return float(np.mean([loss for p, loss in pixels if p <= limit]))


@pytest.mark.parametrize(("threshold", "kept"), [(0.7, 5), (0.2, 5), (0.2, 40), (0.01, 1), (0.7, 10_000)])
def test_it_is_the_mean_over_the_hard_ones(threshold, kept):
    rng = torch.Generator().manual_seed(0)
    prediction = torch.randn(2, 3, 6, 8, generator=rng, dtype=torch.float64) * 2
    target = torch.randint(-1, 3, (2, 6, 8), generator=rng)
    found = term(prediction, target, threshold=threshold, kept=kept)
    assert found.mean().item() == pytest.approx(slowly(prediction, target, threshold, kept))


@pytest.mark.parametrize("kept", [10, 66, 10_000])
def test_it_is_that_of_a_released_code(kept):
    arrays = np.load(shared("fixtures/others/css_ohem.npz"))
    prediction = F.interpolate(torch.from_numpy(arrays["in_pred"]), arrays["in_target"].shape[-2:], mode="bilinear")
    target = torch.from_numpy(arrays["in_target"]).long()
    found = term(prediction, target, kept=kept)
    assert found.mean().item() == pytest.approx(float(arrays[f"loss_minkept{kept}"]), rel=1e-5)


def test_nothing_known_is_nothing_and_options_are_checked():
    prediction = torch.randn(1, 3, 2, 2, requires_grad=True)
    found = term(prediction, torch.full((1, 2, 2), -1))
    assert found.mean() == 0
    found.mean().backward()
    assert not prediction.grad.any()
    for options, message in (({"task": "depth"}, "expected a segmentation, found 'depth'; valid: semantic"),
                             ({"threshold": 0.0}, "threshold"), ({"kept": 0}, "kept")):  # fmt: skip
        with pytest.raises(RecipeError, match=message):
            HardPixels(toy_tasks(), None, **options)


def test_weights_of_classes_and_of_labels_hold_as_in_supervised():
    rng = torch.Generator().manual_seed(0)
    prediction, target = torch.randn(1, 3, 4, 6, generator=rng), torch.randint(-1, 3, (1, 4, 6), generator=rng)
    task = KINDS["segmentation"]("semantic", classes=3, class_weights=[10.0, 0.0, 1.0], label_smoothing=0.1)
    batch = toy_batch([{"semantic"}])
    batch.targets, batch.weights = {"semantic": target}, {"semantic": torch.rand(1, 4, 6, generator=rng)}
    step = Step(batch, None, {"semantic": prediction}, [], 0, 1, torch.Generator())
    all_pixels = HardPixels({"semantic": task}, None, threshold=1.0)(step)["hard"]
    expected = task.loss(prediction, target, batch.weights["semantic"])
    assert all_pixels.mean().item() == pytest.approx(expected.mean().item())
    batch.weights["semantic"].zero_()
    assert HardPixels({"semantic": task}, None)(step)["hard"].count == 0
