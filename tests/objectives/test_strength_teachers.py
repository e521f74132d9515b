"""The strength of the presets of a mean teacher: the loss of a step against a loop over images, tasks and views."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.objectives.by_hand import (
    LABELS,
    NAMES,
    Recorded,
    known_of,
    learner_of,
    loss_of,
    losses_of,
    make_batch,
    options_of,
    supervised_by_pixels,
)

THRESHOLDS = {"mean_teacher_ramp": 0.0, "cutmix_seg": 0.97, "fixmatch": 0.95, "unimatch": 0.95}
STRONG = {"mean_teacher_ramp": 0, "cutmix_seg": 1, "fixmatch": 1, "unimatch": 2}


def confident(network) -> None:
    """Classes that the network is sure of at some pixels and not at others."""
    head = dict(network.decoder.heads.items())["semantic"].predict
    with torch.no_grad():
        head.weight.mul_(20)


def next_of(maps: np.ndarray, keep: np.ndarray, index: int) -> np.ndarray:
    """A map of an image where it keeps its own pixels, else of the next image of the batch."""
    return np.where(keep[index], maps[index], maps[(index + 1) % len(maps)])


@pytest.mark.parametrize(("count", "labels"), list(LABELS))
@pytest.mark.parametrize("patch", THRESHOLDS)
def test_a_teacher_is_as_strong_as_its_formula(patch, count, labels):
    """1 / U of the sum over the confident ones of the U unknown pixels; several students are averaged."""
    names = NAMES[:count]
    learner = learner_of(options_of(patch), names)
    objective = learner.objectives["mean_teacher"]
    for network in (learner.network, objective.teacher.module):
        confident(network)
    with torch.no_grad():  # a student apart from its teacher
        for parameter in learner.network.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    batch = make_batch(LABELS[count, labels], names)
    views: list = []
    if objective.view is not None:
        made = objective.view
        objective.view = lambda *given: views.append(made(*given)) or views[-1]
    seen = Recorded(learner.network, "heads_forward")
    found = loss_of(learner, [batch])
    own, *students = seen.results
    assert len(views) == STRONG[patch]
    assert len(students) == STRONG[patch] + (patch == "unimatch")
    students = [(each, view.keep.numpy()) for each, view in zip(students, views, strict=False)]
    if patch == "unimatch":
        (features, _), dropped = seen.calls[-1]
        assert {round(float(part), 3) for part in zeros(features, seen.calls[0][0][0])} <= {0.0, 2.0}
        students.append((dropped, np.ones((len(batch), *batch.images.shape[-2:]), bool)))
    if not students:
        students = [(own, np.ones((len(batch), *batch.images.shape[-2:]), bool))]
    if patch == "cutmix_seg":  # colours as they are
        for index in range(len(batch)):
            expected = next_of(batch.images.numpy(), views[0].keep.numpy()[:, None], index)
            np.testing.assert_allclose(views[0].images[index].numpy(), expected, atol=1e-6)

    with torch.no_grad():
        taught = {name: each.double().numpy() for name, each in objective.teacher.module(batch.images).items()}
    total = supervised_by_pixels(own, batch)
    for name in names:
        target, used = labels_of(name, taught[name], THRESHOLDS[patch])
        unknown = np.stack([~known_of(batch, name, index) for index in range(len(batch))])
        used &= unknown
        if name == "semantic" and patch != "mean_teacher_ramp":
            assert 0 < used.sum() < unknown.sum()
        sums = []
        for prediction, keep in students:
            losses = 0.0
            for index in range(len(batch)):
                label = next_of(target, keep if name == "semantic" else keep[:, None], index)
                each = losses_of(name, prediction[name][index].detach().double().numpy(), label)
                losses += each[next_of(used, keep, index)].sum()
            sums.append(losses)
        total += np.mean(sums) / unknown.sum()
    assert found == pytest.approx(total, rel=1e-3)  # a pixel at the threshold may fall to either side


def labels_of(name: str, raw: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """The teacher's labels of all images, and which are confident."""
    if name == "semantic":
        chances = np.exp(raw - raw.max(1, keepdims=True))
        chances /= chances.sum(1, keepdims=True)
        return raw.argmax(1), chances.max(1) >= threshold
    everywhere = np.ones(raw[:, 0].shape, bool)
    if name == "depth":
        return raw.clip(1e-3, 1000), everywhere
    return raw / np.sqrt((raw**2).sum(1, keepdims=True)), everywhere


def zeros(dropped, features) -> list[torch.Tensor]:
    """By what each channel of each image was multiplied."""
    factors = [(a.sum((2, 3)) / b.sum((2, 3))).flatten() for a, b in zip(dropped, features, strict=True)]
    found = torch.cat(factors)
    return list(found[found.isfinite()].detach())
