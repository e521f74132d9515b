from __future__ import annotations

import copy
import logging
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from crosstask.errors import RecipeError
from crosstask.networks import MultiTaskNetwork
from crosstask.networks.projection import Representation
from crosstask.objectives.base import Step
from crosstask.objectives.shared.views import StrongView
from crosstask.objectives.spaces.contrast import SpaceContrast
from crosstask.objectives.spaces.indicator import inert_indicator
from crosstask.objectives.spaces.labels import STRATEGIES, on_grid
from crosstask.objectives.spaces.spaces import SpaceEngage
from crosstask.ops.prototype_contrast import draw, prototype_contrast
from crosstask.ops.pseudo_labels import PixelLabels, confident_shares
from crosstask.tasks import KINDS
from tests.shared import shared
from tests.training.toys import ToyNetwork, toy_batch, toy_tasks

SMALL = {"representation": Representation(8, 6), "contrast": SpaceContrast(anchors=5, negatives=7, confidence=0.4)}
HALF = [{"semantic", "depth"}, {"semantic"}, {"depth"}, set()]


def setting(labelled=HALF, network_seed=0, **options):
    tasks = toy_tasks()
    torch.manual_seed(network_seed)
    network = ToyNetwork(tasks)
    network.channels, network.strides = [4], [1]
    with torch.no_grad():
        network.heads["semantic"].weight.mul_(4)  # so that labels are of all confidences
    objective = SpaceEngage(tasks, network, **{"threshold": 0.5, **SMALL, **options})
    objective.prototypes.update(torch.randn(30, 6), torch.arange(30) % 3)
    with torch.no_grad():  # a student apart from its teacher
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return objective, network, toy_batch(labelled, dtype=torch.float32)


def step_of(network, batch, seed: int = 0, iteration: int = 0) -> Step:
    features = network.features(batch.images)
    size = tuple(batch.images.shape[-2:])
    generator = torch.Generator().manual_seed(seed)
    return Step(batch, network, network.heads_forward(features, size), features, iteration, 10, generator)


def labels(label, confidence=None) -> PixelLabels:
    label = torch.tensor([[label]])
    return PixelLabels(label, torch.ones(label.shape) if confidence is None else torch.tensor([[confidence]]))


def test_strategies_say_which_space_teaches_which():
    logit, representation = labels([0, 1, 2], [0.9, 0.8, 0.7]), labels([0, 2, 2], [0.5, 0.6, 0.4])
    mix = STRATEGIES["mix"](logit, representation)
    assert mix.logits.label.tolist() == mix.representations.label.tolist() == [[[0, -1, 2]]]
    assert torch.equal(mix.logits.confidence, logit.confidence)
    assert STRATEGIES["cross"](logit, representation) == (representation, logit)
    assert STRATEGIES["logit"](logit, representation) == (logit, logit)
    assert STRATEGIES["representation"](logit, representation) == (representation, representation)


@pytest.mark.parametrize("prototypes", ["teacher", "student"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_terms_put_together_by_hand(strategy, prototypes):
    objective, network, batch = setting(strategy=strategy, prototypes=prototypes)
    known = batch.targets["semantic"] >= 0
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        features = objective.teacher.module.features(batch.images)
        logits = objective.teacher.module.heads_forward(features, (6, 8))["semantic"]
        taught = objective.teacher_projection.module(features)
    logit = PixelLabels(logits.argmax(1), logits.softmax(1).amax(1))
    vectors = objective.prototypes.vectors.clone()
    shares = (F.normalize(taught, dim=1).permute(0, 2, 3, 1) @ F.normalize(vectors, dim=1).T / 0.1).softmax(-1)
    representation = PixelLabels(shares.argmax(-1), shares.amax(-1))
    used = STRATEGIES[strategy](logit, representation)
    view = objective.view(batch.images, rng, used.logits.label)
    seen = network.features(view.images)
    prediction = network.heads_forward(seen, (6, 8))["semantic"]

    label = view.move(used.logits.label.where(~known, -1), -1)
    sure = view.move(used.logits.confidence.where(~known, 0.0), 0.0) >= 0.5
    losses = F.cross_entropy(prediction, label, ignore_index=-1, reduction="none")
    contrasted = used.representations.label.where(used.representations.confidence >= 0.4, -1)
    contrasted = torch.where(known, batch.targets["semantic"], contrasted)
    places = view.move(contrasted, -1)
    own = copy.deepcopy(objective.projection)(seen)
    shares = (F.normalize(own, dim=1).permute(0, 2, 3, 1) @ F.normalize(vectors, dim=1).T / 0.1).softmax(-1)
    hard = shares.gather(-1, places.clamp(min=0)[..., None])[..., 0] < 0.8
    means = copy.deepcopy(objective.prototypes)
    source, ids = (taught, contrasted) if prototypes == "teacher" else (own, places)
    means.update(source.permute(0, 2, 3, 1).reshape(-1, 6), ids.flatten())
    rows = own.permute(0, 2, 3, 1).reshape(-1, 6)
    draws = draw(places.flatten(), hard.flatten(), means.similarity(means.vectors), 0.5, 5, 7, rng)
    expected = prototype_contrast(rows, draws, means.vectors, 0.5).sum() / 5

    terms = objective(step_of(network, batch))
    assert 0 < (sure & (label >= 0)).float().mean() < 1
    torch.testing.assert_close(terms["pseudo"].total, losses[sure & (label >= 0)].sum())
    assert terms["pseudo"].count == (~known).sum() == objective.counts(batch)["pseudo"]
    torch.testing.assert_close(terms["contrast"].total, expected)
    assert terms["contrast"].count == draws.present == 3
    torch.testing.assert_close(objective.prototypes.vectors, means.vectors)
    assert objective.chance() == {"contrast": math.log(8)}


def test_the_released_loss_of_pseudo_labels():
    objective, _, _ = setting(unsupervised="share", threshold=0.97)
    with np.load(shared("fixtures/others/css_unsup.npz")) as given:
        arrays = {key: torch.from_numpy(np.asarray(given[key])) for key in given.files}
    objective.task = KINDS["segmentation"]("semantic", classes=5)
    pseudo = PixelLabels(arrays["in_label"], arrays["in_conf"])
    torch.testing.assert_close(confident_shares(pseudo, 0.97), arrays["out_weight"], rtol=1e-5, atol=1e-5)
    prediction = arrays["in_pred"].clone().requires_grad_()
    loss = objective._unsupervised(prediction, pseudo, arrays["in_label"] >= 0).mean()
    assert float(loss.detach()) == pytest.approx(float(arrays["out_loss"]), abs=1e-5)
    loss.backward()
    torch.testing.assert_close(prediction.grad, arrays["grad_pred"], rtol=1e-4, atol=1e-5)
    first_ignored = PixelLabels(arrays["in_label"].index_fill(0, torch.tensor([0]), -1), arrays["in_conf"])
    loss = objective._unsupervised(prediction, first_ignored, first_ignored.label >= 0).mean()
    assert float(loss.detach()) == pytest.approx(float(arrays["out_loss_image0_all_ignored"]), abs=1e-5)
    nothing = objective._unsupervised(prediction, PixelLabels(-torch.ones_like(pseudo.label), pseudo.confidence), None)
    assert float(nothing.mean().detach()) == 0.0  # the released code gives NaN


def test_the_rampdown_equals_the_released_one():
    with np.load(shared("fixtures/others/css_schedules.npz")) as given:
        expected = given["rampdown"]
    contrast = SpaceContrast(rampdown=200)
    np.testing.assert_allclose([contrast.weight_at(t) for t in range(len(expected))], expected, atol=1e-7)
    assert SpaceContrast(weight=0.3).weight_at(10**6) == 0.3


def test_the_grid_takes_the_pixel_in_the_middle_and_pads_with_unknown():
    maps = torch.arange(5 * 7).reshape(1, 5, 7)
    like = torch.zeros(1, 9, 2, 2)
    assert on_grid(maps, like, 4, -1).tolist() == [[[2 * 7 + 2, 2 * 7 + 6], [-1, -1]]]
    assert torch.equal(on_grid(maps, torch.zeros(1, 9, 5, 7), 1, -1), maps)


def test_before_any_prototype_the_logits_teach_alone_only_in_the_warm_up():
    objective, network, batch = setting([set()] * 3, strategy="mix", warmup=2, threshold=0.0)
    objective.prototypes.seen.zero_()
    assert objective(step_of(network, batch, iteration=0))["pseudo"].total > 0
    objective.prototypes.seen.zero_()
    terms = objective(step_of(network, batch, iteration=2))
    assert float(terms["pseudo"].total.detach()) == 0
    assert (float(terms["contrast"].total.detach()), float(terms["contrast"].count)) == (0, 0)


@pytest.mark.parametrize("unsupervised", ["mask", "share"])
def test_nothing_to_learn_from_is_an_exact_zero_attached_to_everything(unsupervised):
    objective, network, batch = setting([set()] * 3, strategy="mix", unsupervised=unsupervised)
    objective.prototypes.seen.zero_()
    terms = objective(step_of(network, batch))
    sum(term.mean() for term in terms.values()).backward()
    assert all(float(term.total.detach()) == 0 for term in terms.values())
    semantic = [*network.trunk.parameters(), *network.heads["semantic"].parameters()]
    trained = semantic + list(objective.projection.parameters())
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in trained)


def test_gradient_reaches_projection_and_network_and_no_teacher():
    objective, network, batch = setting()
    sum(term.mean() for term in objective(step_of(network, batch)).values()).backward()
    assert all(parameter.grad.any() for parameter in objective.projection.parameters())
    assert all(parameter.grad.any() for parameter in network.heads["semantic"].parameters())
    teachers = [*objective.teacher.parameters(), *objective.teacher_projection.parameters()]
    assert all(parameter.grad is None for parameter in teachers)
    others = [p for name in ("depth", "normals", "tags") for p in network.heads[name].parameters()]
    assert not any(p.grad is not None and p.grad.any() for p in others)  # other tasks are left alone


@pytest.mark.parametrize("view", ["cutmix", "classmix", "cutout"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_step_follows_from_state_and_generator_alone(strategy, view):
    options = {"strategy": strategy, "view": StrongView(view)}
    objective, network, batch = setting(**options)
    objective.after_step(network, 0)
    state = copy.deepcopy(objective.state_dict())
    first = objective(step_of(network, batch, seed=5))
    restored, _, _ = setting(network_seed=9, **options)
    restored.load_state_dict(state)
    again = restored(step_of(network, batch, seed=5))
    for name, term in first.items():
        assert torch.equal(term.total, again[name].total)
    for key, value in objective.state_dict().items():
        torch.testing.assert_close(restored.state_dict()[key], value, rtol=0, atol=0, equal_nan=True)
    objective.load_state_dict(state)
    assert objective(step_of(network, batch, seed=6))["contrast"].total != first["contrast"].total


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_half_precision_stays_finite(strategy):
    objective, network, batch = setting(strategy=strategy)
    batch.images *= 50
    with torch.autocast("cpu", torch.bfloat16):
        terms = objective(step_of(network, batch))
    sum(term.mean() for term in terms.values()).backward()
    assert all(term.total.dtype == torch.float32 and term.total.isfinite() for term in terms.values())
    assert all(p.grad is None or p.grad.isfinite().all() for p in [*network.parameters(), *objective.parameters()])
    assert objective.prototypes.vectors.isfinite().all()


def test_the_weight_of_the_contrast_falls_with_the_iteration():
    contrast = SpaceContrast(weight=2.0, rampdown=4, anchors=5, negatives=7, confidence=0.4)
    found = []
    for iteration in (0, 2, 4):
        objective, network, batch = setting(contrast=contrast)
        found.append(objective(step_of(network, batch, iteration=iteration))["contrast"].total.detach())
    torch.testing.assert_close(found[1], found[0] * math.exp(-5 / 4))
    assert found[2] == 0


def test_a_real_network_of_any_size_and_several_maps():
    tasks = {"semantic": toy_tasks()["semantic"], "depth": toy_tasks()["depth"]}
    torch.manual_seed(0)
    network = MultiTaskNetwork(tasks, encoder_options={"width": 4})
    batch = toy_batch(HALF, dtype=torch.float32)
    batch.images = torch.rand(4, 3, 35, 50)
    batch.targets = {"semantic": torch.randint(-1, 3, (4, 35, 50)), "depth": torch.rand(4, 1, 35, 50)}
    for maps, contrast in ((None, "similarity"), (2, "confidence")):
        objective = SpaceEngage(
            tasks, network, threshold=0.0, batch_statistics=maps is None, representation=Representation(8, 6, maps),
            contrast=SpaceContrast(anchors=5, negatives=7, anchors_by=contrast),
        )  # fmt: skip
        objective.train()
        objective(step_of(network, batch))  # there is no prototype before it
        terms = objective(step_of(network, batch))
        assert all(term.total > 0 for term in terms.values())
        assert objective.prototypes.seen.all()


def test_pseudo_labels_of_each_space_are_measured_on_hidden_labels():
    objective, network, batch = setting([{"depth"}] * 4)
    assert set(objective.measures()) == {f"{space}/semantic/coverage" for space in ("used", "logit", "representation")}
    batch.hidden = {"semantic": torch.randint(0, 3, (4, 6, 8))}
    with torch.no_grad():
        expected = objective.teacher.module(batch.images)["semantic"].argmax(1)
    objective(step_of(network, batch))
    measured = objective.measures()
    right = 100 * (expected == batch.hidden["semantic"]).float().mean()
    assert measured["logit/semantic/pixel_accuracy"] == pytest.approx(float(right))
    assert measured["logit/semantic/coverage"] == 1
    assert 0 < measured["used/semantic/coverage"] < 1
    assert measured["representation/semantic/miou"] >= 0


@pytest.mark.parametrize(
    ("classes", "temperature", "strategy", "contrast", "words"),
    [
        (21, 0.5, "cross", {}, ["0.732", "threshold 0.97 lets no", "contrast.anchors_below 0.8 makes every"]),
        (21, 0.5, "mix", {}, ["contrast.anchors_below 0.8 makes every"]),
        (21, 0.5, "mix", {"mask": "representation", "confidence": 0.75}, ["contrast.confidence 0.75 lets no"]),
        (21, 0.5, "representation", {"anchors_by": "confidence"}, ["threshold 0.97"]),
        (21, 0.5, "logit", {"anchors_by": "confidence"}, None),
        (21, 0.1, "cross", {}, None),
        (21, 0.5, "mix", {"anchors_below": 1.0}, None),
        (2, 0.5, "cross", {}, None),
    ],
)  # fmt: skip
def test_an_indicator_that_can_never_pass_is_told_in_one_line(classes, temperature, strategy, contrast, words, caplog):
    tasks = {"semantic": KINDS["segmentation"]("semantic", classes=classes)}
    network = ToyNetwork(tasks)
    network.channels, network.strides = [4], [1]
    with caplog.at_level(logging.WARNING):
        SpaceEngage(
            tasks, network, strategy=strategy, indicator_temperature=temperature, contrast=SpaceContrast(**contrast)
        )
    assert len(caplog.messages) == (words is not None)
    for message in caplog.messages:
        assert "\n" not in message
        assert all(word in message for word in ["objectives.spaces.indicator_temperature", *words])


def test_the_remedy_of_the_warning_is_one():
    contrast = SpaceContrast()
    told = inert_indicator(21, 0.5, "cross", 0.97, contrast)
    remedy = float(told.rsplit(" ", 1)[1])
    assert inert_indicator(21, remedy - 0.01, "cross", 0.97, contrast) is None
    assert inert_indicator(21, remedy + 0.01, "cross", 0.97, contrast) is not None


@pytest.mark.parametrize(
    ("names", "options", "error", "message"),
    [
        (["depth"], {}, RecipeError, "there is none"),
        (["semantic", "depth"], {"task": "depth"}, RecipeError, "no segmentation task 'depth'"),
        (["semantic"], {"threshold": 1.0}, ValueError, r"threshold must be in \[0, 1\), found 1.0"),
        (["semantic"], {"indicator_temperature": 0.0}, ValueError, "more than 0"),
    ],
)
def test_what_cannot_be_is_refused(names, options, error, message):
    tasks = {name: task for name, task in toy_tasks().items() if name in names}
    with pytest.raises(error, match=message):
        SpaceEngage(tasks, ToyNetwork(tasks), **options)


@pytest.mark.parametrize("option", [{"temperature": 0.0}, {"anchors": 0}, {"rampdown": 0}, {"confidence": 2.0}])
def test_contrasts_that_cannot_be_are_refused(option):
    with pytest.raises(ValueError, match=f"^{next(iter(option))} must be"):
        SpaceContrast(**option)


def test_one_of_several_segmentations_has_to_be_named():
    tasks = {name: KINDS["segmentation"](name, classes=3) for name in ("coarse", "fine")}
    network = ToyNetwork(tasks)
    network.channels, network.strides = [4], [1]
    with pytest.raises(RecipeError, match="say which of coarse, fine"):
        SpaceEngage(tasks, network)
    assert SpaceEngage(tasks, network, task="fine").task.name == "fine"
