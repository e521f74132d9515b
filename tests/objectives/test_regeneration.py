from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from crosstask.construct import construct
from crosstask.errors import RecipeError
from crosstask.objectives import Step
from crosstask.objectives.regeneration import Redaction, Regeneration
from crosstask.recipe import Recipe
from tests.training.toys import ToyNetwork, toy_batch, toy_tasks

MIXED = [{"semantic"}, {"depth", "normals"}, set(), {"semantic", "depth", "normals"}, {"tags"}]
NAMES = ("semantic", "depth", "normals")
BLOCKS = Redaction("blocks", cell=2)


def setting(labelled, **options):
    tasks = toy_tasks()
    torch.manual_seed(0)
    network = ToyNetwork(tasks).double()
    objective = Regeneration(tasks, network, **{"widths": (6, 8), "stride": 1, **options}).double()
    batch = toy_batch(labelled)
    predictions = network(batch.images)
    for prediction in predictions.values():
        prediction.retain_grad()
    return objective, Step(batch, network, predictions, [], 0, 10, torch.Generator().manual_seed(0))


def condition(step: Step, index: int, labels: bool) -> torch.Tensor:
    """What is said of one image: predictions, or where a pixel is labelled, the label."""
    raw = {name: step.predictions[name][index].detach().clone() for name in NAMES}
    classes, depth = raw["semantic"].softmax(0), raw["depth"].clamp(min=1e-3)
    normals = F.normalize(raw["normals"], dim=0, eps=1e-4)
    if labels:
        target = {name: step.batch.targets[name][index] for name in NAMES}
        for y in range(6):
            for x in range(8):
                if target["semantic"][y, x] >= 0:
                    classes[:, y, x] = torch.eye(3, dtype=torch.float64)[target["semantic"][y, x]]
                if not target["depth"][0, y, x].isnan():
                    depth[:, y, x] = target["depth"][:, y, x]
                if not target["normals"][0, y, x].isnan():
                    normals[:, y, x] = target["normals"][:, y, x]
    return torch.cat([classes, depth / depth.max().clamp(min=1e-3), (normals + 1) / 2])


@pytest.mark.parametrize("labels", [False, True], ids=["predictions", "labels"])
@pytest.mark.parametrize("stride", [1, 2])
def test_one_call_equals_a_loop_over_images(labels, stride):
    objective, step = setting(MIXED, labels=labels, stride=stride, redaction=Redaction("checkerboard", cell=2))
    objective.eval()
    total = 0.0
    with torch.no_grad():
        term = objective(step)["image"]
        for index, image in enumerate(step.batch.images):
            image, maps = (F.avg_pool2d(each, stride) for each in (image, condition(step, index, labels)))
            redacted = image.clone()
            for y in range(image.shape[1]):
                for x in range(image.shape[2]):
                    if (y // 2 + x // 2) % 2:
                        redacted[:, y, x] = 0
            regenerated = objective.regenerator(redacted[None], maps[None])[0]
            total += float(((regenerated - image) ** 2).mean())
    torch.testing.assert_close(float(term.total), total, rtol=1e-5, atol=0)
    assert term.count == len(MIXED) == objective.counts(step.batch)["image"]


@pytest.mark.parametrize("labelled", [[set(), set()], MIXED], ids=["no labels", "some labels"])
def test_the_gradient_reaches_every_dense_head_labelled_or_not(labelled):
    objective, step = setting(labelled)
    objective(step)["image"].mean().backward()
    for name in NAMES:
        assert (step.predictions[name].grad.flatten(1).abs().sum(1) > 0).all()
        assert step.network.heads[name].weight.grad.any()
    assert step.predictions["tags"].grad is None
    assert step.network.trunk.weight.grad.any()
    assert all(parameter.grad.any() for name, parameter in objective.named_parameters() if name.endswith("weight"))


def test_a_prediction_a_label_stands_in_for_learns_nothing():
    objective, step = setting([{"semantic"}], labels=True)
    objective(step)["image"].mean().backward()
    known = step.batch.targets["semantic"] >= 0
    gradient = step.predictions["semantic"].grad.abs().sum(1)
    assert not gradient[known].any()
    assert gradient[~known].all()
    assert step.predictions["depth"].grad[step.predictions["depth"] > 1e-3].all()


def test_the_image_is_regenerated_after_a_while_and_predictions_help():
    """Half of the image is missing, and the predictions hold it: classes by the colour they stand for."""

    def trained(classes: bool) -> float:
        objective, step = setting([set()], widths=(8,), redaction=Redaction("checkerboard", cell=4))
        colours = torch.rand(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        ids = torch.randint(3, (4, 6, 8), generator=torch.Generator().manual_seed(1))
        step.batch.images = colours[ids].movedim(-1, 1).contiguous()
        step.batch.ids = list("abcd")
        shown = F.one_hot(ids, 3).movedim(-1, 1).double() * 10 if classes else torch.zeros(4, 3, 6, 8).double()
        fixed = {"depth": torch.ones(4, 1, 6, 8).double(), "normals": torch.ones(4, 3, 6, 8).double()}
        step.predictions = {"semantic": shown, **fixed}
        optimiser = torch.optim.Adam(objective.parameters(), lr=0.02)
        for _ in range(120):
            optimiser.zero_grad()
            loss = objective(step)["image"].mean()
            loss.backward()
            optimiser.step()
        return float(loss.detach())

    assert trained(classes=True) < 0.4 * trained(classes=False)


@pytest.mark.parametrize("mode", ["checkerboard", "blocks", "low_pass", "high_pass", "band_stop"])
def test_every_redaction_removes_a_part_and_no_more(mode):
    images = torch.rand(3, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    redacted = Redaction(mode)(images, torch.Generator().manual_seed(0))
    assert redacted.shape == images.shape
    removed = (redacted - images).square().mean() / images.square().mean()
    assert 0.01 < removed < 0.99
    if mode in ("checkerboard", "blocks"):
        there = redacted == images
        assert 0.4 < there.float().mean() < 0.6
        assert not redacted[~there].any()
        assert torch.equal(there[:, 0], there[:, 2])


def test_random_blocks_are_those_of_the_step():
    def term(seed: int):
        objective, step = setting(MIXED, redaction=BLOCKS)
        step.generator.manual_seed(seed)
        torch.manual_seed(seed + 10)  # the global state is not looked at
        return objective(step)["image"].total.detach()

    assert term(1) == term(1) != term(2)


def test_options_are_read_from_a_recipe():
    flags = "--objectives.regeneration"
    recipe = Recipe.load("demo", [flags, "{redaction: {mode: band_stop, band: [0.05, 0.2]}, stride: 4, start: 7}"])
    assert recipe.sections["objectives"]["regeneration"]["start"] == 7
    tasks = recipe.tasks()
    objective = recipe.learner(tasks, recipe.network(tasks)).objectives["regeneration"]
    assert objective.redaction == Redaction("band_stop", band=(0.05, 0.2))
    assert objective.stride == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 0}, r"stride: found 0: give at least 1"),
        ({"widths": []}, "widths is empty"),
        ({"redaction": {"cell": 0}}, r"redaction\.cell: found 0: give at least 1"),
        ({"redaction": {"share": 0.0}}, r"redaction\.share: expected"),
        ({"redaction": {"cutoff": 0.6}}, r"redaction\.cutoff: expected"),
        ({"redaction": {"band": [0.3, 0.2]}}, r"redaction\.band: expected two rising frequencies, found \[0.3, 0.2\]"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    tasks = toy_tasks()
    with pytest.raises(RecipeError, match=rf"^objectives.regeneration(: |\.){message}"):
        construct(Regeneration, options, "objectives.regeneration", tasks=tasks, network=ToyNetwork(tasks))


def test_without_a_dense_task_there_is_nothing_to_condition_on():
    tasks = {"tags": toy_tasks()["tags"]}
    with pytest.raises(RecipeError, match="regeneration: needs a dense task, found none"):
        Regeneration(tasks, ToyNetwork(tasks))
