"""The strength of Space Engage's presets: the loss of a step against loops over images and classes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from crosstask.objectives.spaces import contrast
from crosstask.recipe.written import merge
from tests.objectives.by_hand import (
    LABELS,
    NAMES,
    SIZE,
    learner_of,
    loss_of,
    make_batch,
    options_of,
    supervised_by_pixels,
)
from tests.objectives.test_strength_teachers import confident, next_of

ITERATION = {"spaces_as_released": 300}
"""Within its ramp-down, which ends at 1000; by default long after all warm-ups."""
PRESETS = [
    "spaces_as_published",
    "spaces_as_released",
    "spaces_as_published+spaces_logit",
    "spaces_as_published+spaces_cross",
    "spaces_as_published+spaces_representation",
]
ANCHORS, NEGATIVES = 8, 12
SMALL = {
    "representation": {"width": 4, "dimension": 6},
    "contrast": {"anchors": ANCHORS, "negatives": NEGATIVES},
}
"""Sizes change no strength: the contrast is a mean over anchors."""


def softmax(logits: np.ndarray, axis: int) -> np.ndarray:
    shares = np.exp(logits - logits.max(axis, keepdims=True))
    return shares / shares.sum(axis, keepdims=True)


def cosines(maps: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(B, D, h, w) and (C, D) to (B, C, h, w)."""
    maps = maps / np.sqrt((maps**2).sum(1, keepdims=True))
    vectors = vectors / np.sqrt((vectors**2).sum(1, keepdims=True))
    return np.einsum("bdhw,cd->bchw", maps, vectors)


@pytest.mark.parametrize(("count", "labels"), list(LABELS))
@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_as_strong_as_its_source(preset, count, labels, monkeypatch):
    names = NAMES[:count]
    options = options_of(preset)
    given = options["spaces"]
    learner = learner_of(options | {"spaces": merge(given, SMALL)}, names)
    objective = learner.objectives["spaces"]
    torch.manual_seed(1)
    for network in (learner.network, objective.teacher.module):
        confident(network)
    with torch.no_grad():  # a student apart from its teacher
        for module in (learner.network, objective.projection):
            for parameter in module.parameters():
                parameter.add_(0.01 * torch.randn_like(parameter))
    before = torch.randn(3, 6)
    objective.prototypes.vectors.copy_(before)
    objective.prototypes.seen.fill_(True)
    batch = make_batch(LABELS[count, labels], names)
    views, draws = [], []
    made, draw = objective.view, contrast.draw
    objective.view = lambda *given: views.append(made(*given)) or views[-1]
    monkeypatch.setattr(contrast, "draw", lambda *given: draws.append(draw(*given)) or draws[-1])
    iteration = ITERATION.get(preset, 10**6)
    found = loss_of(learner, [batch], iteration)
    ((view,), (drawn,)) = views, draws
    keep = view.keep.numpy()

    teacher, student = objective.teacher.module, learner.network
    with torch.no_grad():
        features = teacher.features(batch.images)
        logits = teacher.heads_forward(features, SIZE)["semantic"].double().numpy()
        taught = objective.teacher_projection.module(features[objective.maps]).double()
        seen = student.features(view.images)
        prediction = student.heads_forward(seen, SIZE)["semantic"].double().numpy()
        own = objective.projection(seen[objective.maps]).double().numpy()
        supervised = supervised_by_pixels(student(batch.images), batch)

    target = batch.targets["semantic"].numpy()
    known = target >= 0
    by_logits = softmax(logits, 1)
    similar = torch.from_numpy(cosines(taught.numpy(), before.double().numpy()))
    similar = F.interpolate(similar, SIZE, mode="bilinear").numpy()
    by_similarity = softmax(similar / given["indicator_temperature"], 1)
    logit = by_logits.argmax(1), by_logits.max(1)
    representation = by_similarity.argmax(1), by_similarity.max(1)
    strategy = given["strategy"]
    if strategy == "mix":
        label = np.where(logit[0] == representation[0], logit[0], -1)
        for_logits = label, logit[1]
        of = representation if given["contrast"]["mask"] == "representation" else logit
        for_representations = label, of[1]
    else:
        for_logits = representation if strategy in ("cross", "representation") else logit
        for_representations = logit if strategy in ("cross", "logit") else representation

    # L_u: image by image
    total, amount = 0.0, 0
    for index in range(len(batch)):
        label = next_of(np.where(known, -1, for_logits[0]), keep, index)
        sure = next_of(np.where(known, 0, for_logits[1]), keep, index) >= given["threshold"]
        there = label >= 0
        entropy = -np.log(np.take_along_axis(softmax(prediction[index], 0), np.maximum(label, 0)[None], 0)[0])
        if given["unsupervised"] == "mask":
            total += entropy[there & sure].sum()
            amount += (~known[index]).sum()
        else:  # as released: weighed by the image's confident pixels over its labelled ones
            total += sure.sum() / max(there.sum(), 1) * entropy[there].sum()
            amount += there.sum()
    expected = supervised + total / max(amount, 1)

    # L_c: class by class
    candidates = np.where(known, target, -1)
    sure = for_representations[1] >= given["contrast"]["confidence"]
    candidates = np.where(known, target, np.where(sure, for_representations[0], -1))
    stride = SIZE[0] // own.shape[2]
    middle = (slice(None), slice(stride // 2, None, stride), slice(stride // 2, None, stride))
    moved = np.stack([next_of(candidates, keep, index) for index in range(len(batch))])
    places = moved[middle].flatten()
    rows = own.transpose(0, 2, 3, 1).reshape(-1, 6)
    if given["contrast"]["anchors_by"] == "similarity":
        shares = softmax(cosines(own, before.double().numpy()) / given["indicator_temperature"], 1)
    else:
        shares = softmax(prediction, 1)[:, :, stride // 2 :: stride, stride // 2 :: stride]
    shares = shares.transpose(0, 2, 3, 1).reshape(-1, 3)
    hard = np.take_along_axis(shares, np.maximum(places, 0)[:, None], 1)[:, 0] < given["contrast"]["anchors_below"]
    source, classes = rows, places
    if given["prototypes"] == "teacher":
        source, classes = taught.numpy().transpose(0, 2, 3, 1).reshape(-1, 6), candidates[middle].flatten()
    prototypes = before.double().numpy().copy()
    for c in range(3):
        if (classes == c).any():
            prototypes[c] = 0.99 * prototypes[c] + 0.01 * source[classes == c].mean(0)
    unit = rows / np.sqrt((rows**2).sum(1, keepdims=True))
    units = prototypes / np.sqrt((prototypes**2).sum(1, keepdims=True))
    present = sorted(set(places[places >= 0]))
    tau, total = given["contrast"]["temperature"], 0.0
    for c in present:
        mine = (drawn.classes == c).nonzero()[:, 0].tolist()
        assert len(mine) == (ANCHORS if ((places == c) & hard).any() else 0)
        for a in mine:
            anchor, others = int(drawn.anchors[a]), drawn.negatives[a].numpy()
            assert places[anchor] == c
            assert hard[anchor]
            assert len(others) == NEGATIVES
            assert set(places[others]) <= set(present) - {c}
            near = np.exp(unit[anchor] @ units[c] / tau)
            far = np.exp(unit[others] @ unit[anchor] / tau).sum()
            total -= math.log(near / (near + far)) / ANCHORS
    assert len(present) > 1
    weight = math.exp(-5 * (iteration / 1000) ** 2) if preset == "spaces_as_released" else 1.0
    expected += weight * total / len(present)
    assert total > 0
    assert found == pytest.approx(expected, rel=1e-3)  # a pixel at a threshold may fall to either side
