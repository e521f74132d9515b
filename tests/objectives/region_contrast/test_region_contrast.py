from __future__ import annotations

import io
import math

import pytest
import torch
from torch.nn import functional as F

from crosstask.errors import RecipeError
from crosstask.networks.mapping import pair_slot
from crosstask.objectives import RegionContrast, Step
from crosstask.ops.wasserstein import wasserstein2
from tests.objectives.by_hand import Recorded
from tests.training.toys import ToyNetwork, toy_batch, toy_tasks

OPTIONS = {"stem": 4, "widths": (4,), "layers": (1,), "minimum": 1, "reduce": 1, "temperature": 0.5}
ONE_EACH = [{"semantic"}, {"depth"}, {"normals"}]
VARIANTS = {
    "wasserstein": {"distance": "wasserstein"},
    "kl": {"distance": "kl"},
    "vector": {"distance": "vector"},
    "pixel": {"distance": "pixel", "pixels": 60},
    "raw features": {"normalise": False, "temperature": 5.4},
    "any task": {"negatives": "any"},
    "across": {"across": True},
    "bank": {"bank": 20, "negatives": "any"},
    "vector bank": {"bank": 20, "distance": "vector"},
    "pixel bank": {"bank": 20, "distance": "pixel", "pixels": 60},
    "learned temperature": {"learn_temperature": True, "across": True},
    "without same": {"exclude_same": "semantic"},
    "detached": {"detach_labels": True},
    "1x1": {"kernel": 1},
    "pooled, enlarged": {"pool": True, "enlarge": 2},
    "reduced": {"reduce": 2},
}


def objective_of(**options):
    tasks = toy_tasks()
    torch.manual_seed(0)
    return RegionContrast(tasks, ToyNetwork(tasks), **OPTIONS | options)


def step_of(labelled, seed=0, regions=4):
    torch.manual_seed(seed)
    network = ToyNetwork(toy_tasks())
    batch = toy_batch(labelled, seed, dtype=torch.float32)
    batch.regions = (torch.arange(48).reshape(1, 6, 8) * regions // 48).int().repeat(len(labelled), 1, 1)
    features = network.features(batch.images)
    predictions = network.heads_forward(features, (6, 8))
    for prediction in predictions.values():
        if prediction.requires_grad:
            prediction.retain_grad()
    return Step(batch, network, predictions, features, 0, 10, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", VARIANTS)
def test_gradient_reaches_predictions_and_every_parameter(name):
    # the released code fails this: its loss is a constant
    objective = objective_of(**VARIANTS[name])
    objective(step_of(ONE_EACH, seed=1))  # something to remember
    step = step_of(ONE_EACH)
    term = objective(step)["regions"]
    assert term.count == 6
    term.mean().backward()
    for task, image in (("depth", 0), ("normals", 0), ("semantic", 1), ("normals", 1), ("semantic", 2), ("depth", 2)):
        assert step.predictions[task].grad[image].any(), task
    for task, image in (("semantic", 0), ("depth", 1), ("normals", 2)):  # a labelled task learns from its label alone
        assert not step.predictions[task].grad[image].any(), task
    for parameter_name, parameter in objective.named_parameters():
        assert parameter.grad.isfinite().all()
        # a bias before batch norm has no gradient by nature
        if ".conv.bias" not in parameter_name and not parameter_name.endswith("0.bias"):
            assert parameter.grad.any(), parameter_name


@pytest.mark.parametrize("name", VARIANTS)
def test_nothing_to_learn_is_an_exact_zero_attached_to_everything(name):
    objective = objective_of(**VARIANTS[name])
    term = objective(step_of([set(), set()]))["regions"]
    term.mean().backward()
    assert (term.total, term.count) == (0, 0)
    assert all(p.grad is not None and not p.grad.any() for p in objective.parameters())
    assert objective.chance() == {}


@pytest.mark.parametrize("name", VARIANTS)
def test_stays_finite_in_half_precision(name):
    objective = objective_of(**VARIANTS[name])
    for seed in (0, 1):
        step = step_of(ONE_EACH, seed)
        with torch.autocast("cpu", torch.bfloat16):
            term = objective(step)["regions"]
        term.mean().backward()
        assert term.total.dtype == torch.float32
        assert term.total.isfinite()
        assert all(p.grad.isfinite().all() for p in objective.parameters())
        assert all(step.predictions[task].grad.isfinite().all() for task in objective.tasks)


def slow(objective, step, distance) -> list[float]:
    """The losses of every image and pair of tasks: region by region, by eqs. 2 to 6."""
    names, losses = list(objective.tasks), []
    for image in range(len(step.batch)):
        one = slice(image, image + 1)
        known = [name for name in names if objective.tasks[name].known(step.batch.targets[name][one]).any()]
        for target in known:
            for source in (name for name in names if name != target and (name not in known or known == names)):
                slot = torch.tensor([pair_slot(names.index(source), names.index(target), len(names))])
                maps = (
                    (source, objective.tasks[source].embed(step.predictions[source][one])),
                    (target, objective.tasks[target].embed_target(step.batch.targets[target][one])),
                )
                features = [
                    F.normalize(objective.mapper([(names.index(task), each, slot)])[0][0], dim=0) for task, each in maps
                ]
                there = objective.tasks[target].known(step.batch.targets[target][image])
                ids = step.batch.regions[image].where(there, -1)
                cut = [[each[:, ids == region] for region in _kept(ids, objective.minimum)] for each in features]
                matrix = distance(*[each for side in cut for each in gaussians(side)])
                for logits in (-matrix / objective.temperature, -matrix.T / objective.temperature):
                    losses.append(-float(logits.log_softmax(1).diagonal().mean()) / 2)
    return losses


def _kept(ids, minimum):
    return [region for region in ids.unique() if region >= 0 and (ids == region).sum() >= minimum]


def gaussians(regions):
    return torch.stack([x.mean(1) for x in regions]), torch.stack([torch.cov(x) for x in regions])


@pytest.mark.parametrize("name", ["wasserstein", "vector"])
@torch.no_grad()
def test_all_pairs_in_one_call_equal_a_loop_over_images_pairs_and_regions(name):
    objective = objective_of(distance=name).eval()
    step = step_of([{"semantic"}, {"depth", "normals"}, {"semantic", "depth", "normals"}, set()])
    term = objective(step)["regions"]
    reference = {
        "wasserstein": wasserstein2,
        "vector": lambda a, _, b, __: (a[:, None] - b).square().sum(-1),
    }[name]
    losses = slow(objective, step, reference)
    assert term.count == len(losses) // 2 == 10
    torch.testing.assert_close(float(term.total), sum(losses), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("channels", "agreeing"), [(40, [True]), (4, [True, None])])
@torch.no_grad()
def test_exact_says_whether_all_distances_are_measured(channels, agreeing):
    """By default up to 32 channels, or where there are few regions; against a loop of matrix roots in float64."""
    step = known_everywhere(step_of([{"semantic"}], regions=24))  # more than 20 candidates for each
    found, expected = {}, None
    for exact in (True, False, None):
        objective = objective_of(widths=(channels,), minimum=2, exact=exact).eval()
        expected = sum(slow(objective, step, by_roots)) if expected is None else expected
        found[exact] = float(objective(step)["regions"].total)
    assert [exact for exact, total in found.items() if total == pytest.approx(expected, rel=1e-4)] == agreeing
    assert found[False] == pytest.approx(expected, rel=0.1)
    if None not in agreeing:
        assert found[None] == found[False]


def known_everywhere(step):
    """The labels that are there know all pixels."""
    for index, names in enumerate(ONE_EACH[: len(step.batch)]):
        for name in names:
            target = step.batch.targets[name][index]
            step.batch.targets[name][index] = target.clamp(min=0) if name == "semantic" else target.nan_to_num(0.5)
    return step


def by_roots(mean_a, covariance_a, mean_b, covariance_b):
    """Squared 2-Wasserstein distances of all pairs by matrix roots, in float64."""

    def root(covariance):
        values, vectors = torch.linalg.eigh(covariance.double())
        return vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T

    distances = torch.zeros(len(mean_a), len(mean_b), dtype=torch.float64)
    for i, first in enumerate(covariance_a):
        half = root(first)
        for j, second in enumerate(covariance_b):
            fidelity = torch.linalg.eigvalsh(half @ second.double() @ half).clamp(min=0).sqrt().sum()
            spread = first.double().trace() + second.double().trace() - 2 * fidelity
            distances[i, j] = (mean_a[i] - mean_b[j]).double().square().sum() + spread
    return distances


@pytest.mark.parametrize("distance", ["vector", "diagonal_wasserstein", "kl", "pixel"])
def test_distances_that_are_always_exact_refuse_to_be_asked(distance):
    with pytest.raises(
        RecipeError, match=rf"region_contrast\.exact: True, but {distance} is always exact; leave it out"
    ):
        objective_of(distance=distance, exact=True)


@pytest.mark.parametrize("of", ["regions", "image"])
@torch.no_grad()
def test_pixels_speak_for_their_region_or_for_the_image(of):
    """Regions of 2, 4, 10 and 32 pixels: each as often as any other, or as often as it is large; the loss by hand."""
    objective = objective_of(distance="pixel", pixels=6 * 240, pixels_of=of).eval()
    step = known_everywhere(step_of(ONE_EACH))
    sizes = torch.tensor([2, 4, 10, 32])
    step.batch.regions = torch.arange(4).repeat_interleave(sizes).view(1, 6, 8).int().repeat(3, 1, 1)
    drawn = Recorded(objective, "_sampled")
    maps = Recorded(objective, "_prepared")
    term = objective(step)["regions"]
    (sample,) = drawn.results
    source, target = (each.permute(0, 2, 3, 1).reshape(-1, 4).double() for each in maps.results)
    total = 0.0
    for pair in range(6):
        rows = (sample.image == pair).nonzero()[:, 0]
        shares = torch.bincount(sample.id[rows], minlength=4) / len(rows)
        wanted = torch.full((4,), 0.25) if of == "regions" else sizes / 48
        torch.testing.assert_close(shares, wanted, atol=0.0 if of == "regions" else 0.06, rtol=0)
        assert len(rows) == 240
        a, b, ids = source[sample.pixel[rows]], target[sample.pixel[rows]], sample.id[rows]
        distances = (a[:, None] - b).square().sum(-1) / 0.5
        for each in (distances, distances.T):
            far = (-each).exp().where(ids[:, None] != ids, 0.0).sum(1)
            near = (-each.diagonal()).exp()
            total -= float((near / (near + far)).log().mean()) / 2
    assert term.count == 6
    assert float(term.total) == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize("name", ["wasserstein", "vector", "any task", "across", "without same"])
@torch.no_grad()
def test_the_order_of_samples_does_not_matter(name):
    labelled = [{"semantic"}, {"depth"}, {"normals", "semantic"}, {"depth"}]
    step, order = step_of(labelled), [2, 0, 3, 1]
    found = []
    for positions in ([0, 1, 2, 3], order):
        objective = objective_of(**VARIANTS[name])
        batch = step.batch
        moved = type(batch)(
            batch.images[positions],
            {task: target[positions] for task, target in batch.targets.items()},
            [batch.ids[position] for position in positions],
            batch.regions[positions],
            batch.intrinsics[positions],
            {},
        )
        predictions = {task: value[positions] for task, value in step.predictions.items()}
        found.append(objective(Step(moved, step.network, predictions, step.features, 0, 10))["regions"])
        assert objective.chance()["regions"] > 0
    torch.testing.assert_close(found[0].total, found[1].total, rtol=1e-5, atol=1e-5)
    assert found[0].count == found[1].count


@pytest.mark.parametrize(
    ("options", "candidates"),
    [
        ({}, 4),
        ({"negatives": "any"}, 7),
        ({"across": True}, 8),  # two images per pair of tasks
        ({"across": True, "negatives": "any"}, 15),
        ({"distance": "pixel", "pixels": 16 * 4 * 3}, 1 + 3 * 3),  # 12 maps of 4 regions, 3 pixels each
    ],
)
@torch.no_grad()
def test_the_chance_level_is_that_of_the_candidates(options, candidates):
    objective = objective_of(**options)
    labelled = [*ONE_EACH, *ONE_EACH] if options.get("distance") != "pixel" else [*ONE_EACH, *ONE_EACH, *ONE_EACH[:2]]
    objective(step_of(labelled))
    assert objective.chance() == {"regions": pytest.approx(math.log(candidates))}


@torch.no_grad()
def test_regions_of_the_bank_are_candidates_of_their_own_pair_of_tasks():
    objective = objective_of(bank=1000)
    for seed in range(3):
        objective(step_of(ONE_EACH, seed))
        assert objective.chance()["regions"] == pytest.approx(math.log(4 + 4 * seed))


@torch.no_grad()
def test_regions_of_the_same_class_are_no_negatives():
    step = step_of([{"semantic"}])
    step.batch.targets["semantic"][0] = torch.tensor([0, 0, 1, -1]).repeat_interleave(12).view(6, 8)
    objective = objective_of(exclude_same="semantic")
    objective(step)
    # the first two regions meet the third, the third both; the fourth has no label to be compared with
    assert objective.chance() == {"regions": pytest.approx((2 * math.log(2) + math.log(3)) / 3)}
    step.batch.targets["semantic"][0] = 2
    assert objective(step)["regions"].count == 0
    assert objective.chance() == {}


def test_detached_labels_carry_no_gradient():
    grads = {}
    for detach in (False, True):
        objective = objective_of(detach_labels=detach).eval()  # batch statistics are common to both sides
        objective(step_of([{"semantic"}]))["regions"].mean().backward()
        grads[detach] = objective.mapper.stems[0][0].weight.grad  # maps of semantic: labels alone
    assert grads[False].any()
    assert not grads[True].any()


def test_predictions_that_are_not_to_learn_get_no_gradient():
    step = step_of(ONE_EACH)
    term = objective_of(only=["semantic", "normals"])(step)["regions"]
    term.total.backward()
    assert int(term.count) == 4, "of six pairs"
    assert not step.predictions["depth"].grad.any()
    assert step.predictions["semantic"].grad.any()
    assert step.predictions["normals"].grad.any()
    with pytest.raises(RecipeError, match=r"region_contrast\.only: there is no task .deph.; did you mean .depth."):
        objective_of(only=["deph"])


def test_a_learned_temperature_moves_and_is_kept_from_zero():
    objective = objective_of(learn_temperature=True)
    assert objective.measures() == {"temperature": pytest.approx(0.5)}
    objective(step_of(ONE_EACH))["regions"].mean().backward()
    assert objective.log_temperature.grad != 0
    with torch.no_grad():
        objective.log_temperature.fill_(-9)
        objective.after_step(None, 0)
    assert objective.measures() == {"kept": 1, "temperature": pytest.approx(0.02)}
    assert "log_temperature" in objective.state_dict()


@pytest.mark.parametrize("name", ["bank", "pixel bank"])
def test_a_resumed_bank_gives_the_same_bits(name):
    whole = objective_of(**VARIANTS[name])
    losses = [whole(step_of(ONE_EACH, seed))["regions"].total for seed in range(4)]
    first = objective_of(**VARIANTS[name])
    for seed in range(2):
        first(step_of(ONE_EACH, seed))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    resumed = objective_of(**VARIANTS[name])
    resumed.load_state_dict(torch.load(file, weights_only=True))
    again = [resumed(step_of(ONE_EACH, seed))["regions"].total for seed in range(2, 4)]
    assert torch.equal(torch.stack(losses[2:]), torch.stack(again))
    for key, value in whole.state_dict().items():
        other = resumed.state_dict()[key]
        assert torch.equal(value, other) if isinstance(value, torch.Tensor) else value == other, key


def test_regions_are_cut_down_to_known_pixels_and_left_out_where_few_are_known():
    step = known_everywhere(step_of([{"semantic"}]))  # four regions of 12 pixels
    step.batch.targets["semantic"][0, 0, :3] = -1  # 9 of the first are known now
    for minimum, candidates in ((9, 4), (10, 3)):
        objective = objective_of(minimum=minimum)
        assert objective(step)["regions"].count == 2
        assert objective.chance() == {"regions": pytest.approx(math.log(candidates))}


def test_images_without_regions_are_passed_over():
    objective, step = objective_of(), step_of([{"semantic"}, {"depth"}])
    step.batch.regions[0] = -1
    assert objective(step)["regions"].count == 2
    step.batch.regions[1] = -1
    assert objective(step)["regions"].count == 0


@pytest.mark.parametrize(
    ("options", "solved"), [({}, True), ({"kernel": 1}, False), ({"across": True}, False), ({"bank": 99}, False)]
)
def test_position_is_a_shortcut_that_can_be_removed(options, solved):
    """Maps of constants say nothing of their regions, yet padding tells where in the image a feature is."""
    objective = objective_of(distance="vector", temperature=0.1, **options)
    optimiser = torch.optim.Adam(objective.mapper.parameters(), 0.03)
    for _ in range(40):
        step = step_of([{"depth"}, {"depth"}])
        step.batch.targets["depth"] = torch.ones_like(step.batch.targets["depth"])
        step.predictions = {name: torch.ones_like(value) for name, value in step.predictions.items()}
        loss = objective(step)["regions"].mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    guessing = objective.chance()["regions"]
    if solved:
        assert loss < 0.1 * guessing
    elif "kernel" in options:
        assert float(loss.detach()) == pytest.approx(guessing, abs=1e-3)
    else:  # where does not say in which image: two of them now, or many before
        images = round(math.exp(guessing)) / 4
        assert math.log(images) - 1e-3 < loss < guessing


def test_a_single_region_learns_from_other_images_alone():
    step = step_of([{"semantic"}, {"semantic"}], regions=1)
    assert objective_of()(step)["regions"].count == 0
    assert objective_of(across=True)(step)["regions"].count == 4


def test_a_batch_without_regions_names_the_remedy():
    step = step_of([{"semantic"}])
    step.batch.regions = None
    with pytest.raises(RecipeError, match="crosstask regions"):
        objective_of()(step)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.0}, "temperature: expected a positive number, found 0.0"),
        ({"reduce": 0}, "reduce: expected a positive number, found 0"),
        ({"bank": -1}, "bank: expected a number of regions, found -1"),
        ({"exclude_same": "semantics"}, "no segmentation task 'semantics'; did you mean 'semantic'"),
    ],
)
def test_options_out_of_range_are_named(options, message):
    with pytest.raises(RecipeError, match=message):
        objective_of(**options)
