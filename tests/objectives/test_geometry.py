from __future__ import annotations

import pytest
import torch

from crosstask.data.sample import collate
from crosstask.errors import RecipeError
from crosstask.objectives import Step
from crosstask.objectives.geometry import DEPTH, NORMALS, Geometry
from crosstask.ops.geometry import normals_from_depth
from crosstask.rooms.dataset import RoomsDataset
from tests.training.toys import ToyNetwork, toy_batch, toy_tasks

CAMERA = torch.tensor([9.0, 8.0, 3.5, 2.5])
NEITHER, ALL = set(), {"depth", "normals"}


def setting(sets, dtype=torch.float64, **options):
    tasks = toy_tasks()
    torch.manual_seed(0)
    network = ToyNetwork(tasks).to(dtype)
    batch = toy_batch(sets, dtype=dtype)
    batch.intrinsics = CAMERA.to(dtype).expand(len(sets), 4).clone()
    features = network.features(batch.images)
    predictions = network.heads_forward(features, (6, 8))
    predictions["depth"] = predictions["depth"] + 2
    for prediction in predictions.values():
        prediction.retain_grad()
    return Geometry(tasks, network, **options), Step(batch, network, predictions, features, 0, 10)


def slow(objective: Geometry, step: Step) -> tuple[float, int]:
    """depth_from_normals, pixel by pixel, from the points and planes themselves."""
    batch, total, count = step.batch, 0.0, 0
    for image in range(len(batch)):
        normals, depth = batch.targets["normals"][image], step.predictions["depth"][image, 0].detach()
        regions = batch.regions[image] if objective.regions else torch.zeros(6, 8)
        if normals.isnan().all() or not batch.targets["depth"][image].isnan().all():
            continue
        fx, fy, cx, cy = batch.intrinsics[image]

        def ray(v, u, fx=fx, fy=fy, cx=cx, cy=cy):  # x right, y up, z to the viewer
            return torch.stack([(u - cx) / fx, -(v - cy) / fy, torch.tensor(-1.0, dtype=fx.dtype)])

        for distance in objective.distances:
            for down, right in ((0, distance), (distance, 0)):
                for v in range(6 - down):
                    for u in range(8 - right):
                        p, q = ray(v, u), ray(v + down, u + right)
                        if regions[v, u] != regions[v + down, u + right]:
                            continue
                        planes = [normals[:, v, u], normals[:, v + down, u + right]]
                        if any(bool((n @ r >= -0.01) | n.isnan().any()) for n in planes for r in (p, q)):
                            continue
                        implied = sum(((n @ p) / (n @ q)).log() for n in planes) / 2
                        found = (depth[v + down, u + right] / depth[v, u]).log()
                        total += min(float((found - implied).abs()), objective.edge)
                        count += 1
    return total, count


@pytest.mark.parametrize("options", [{}, {"edge": None}, {"regions": True, "distances": (1, 2)}])
def test_depth_learns_the_steps_that_a_loop_over_pixels_finds(options):
    objective, step = setting([{"normals"}, NEITHER, ALL, {"normals", "semantic"}], **options)
    step.batch.regions = torch.randint(2, (4, 6, 8), generator=torch.Generator().manual_seed(1))
    term = objective(step)[DEPTH]
    total, count = slow(objective, step)
    assert count > 20
    torch.testing.assert_close(float(term.total.detach()), total, rtol=1e-9, atol=0)
    assert term.count == count == objective.counts(step.batch)[DEPTH]


def test_normals_learn_those_of_the_labelled_depth():
    objective, step = setting([{"depth"}, NEITHER, {"depth", "semantic"}, ALL])
    term = objective(step)[NORMALS]
    normals = toy_tasks()["normals"]
    total = count = 0
    for image in (0, 2):
        derived = normals_from_depth(step.batch.targets["depth"][image], CAMERA)
        alone = normals.loss(step.predictions["normals"][[image]], derived[None])
        total, count = total + alone.total, count + alone.count
    torch.testing.assert_close(term.total, total)
    assert count > 40
    assert term.count == count == objective.counts(step.batch)[NORMALS]


def test_gradient_reaches_what_is_unlabelled_and_never_what_teaches():
    objective, step = setting([{"depth"}, {"normals"}, ALL, NEITHER])
    sum(term.mean() for term in objective(step).values()).backward()
    assert [bool(grad.any()) for grad in step.predictions["normals"].grad] == [True, False, False, False]
    assert [bool(grad.any()) for grad in step.predictions["depth"].grad] == [False, True, False, False]
    assert step.predictions["semantic"].grad is None


def test_a_label_that_a_network_made_neither_teaches_nor_keeps_a_given_one_from_teaching():
    objective, given = setting([{"depth"}, {"normals"}, NEITHER])
    expected = objective(given)
    _, filled = setting([ALL, ALL, ALL])
    filled.batch.made = {"depth": torch.tensor([False, True, True]), "normals": torch.tensor([True, False, True])}
    found = objective(filled)
    for name in (NORMALS, DEPTH):
        assert found[name].count == objective.counts(filled.batch)[name] == expected[name].count > 0
        torch.testing.assert_close(found[name].total, expected[name].total)


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("teach", ["normals", "depth"])
def test_predictions_teach_each_other_on_request(teach, detach):
    objective, step = setting([NEITHER, ALL], teach=teach, predictions=True, detach=detach)
    (term,) = objective(step).values()
    assert term.count > 20
    assert objective.counts(step.batch) is None
    term.mean().backward()
    for name in ("normals", "depth"):
        grad = step.predictions[name].grad
        reached = [False, False] if grad is None else [bool(image.any()) for image in grad]
        assert reached == [name == teach or not detach, False]


def test_labels_teach_before_predictions_do():
    plain, step = setting([{"depth"}, {"normals"}])
    mutual, same = setting([{"depth"}, {"normals"}], predictions=True)
    for name, term in plain(step).items():
        torch.testing.assert_close(mutual(same)[name], term)


def test_the_truth_costs_next_to_nothing():
    tasks = {name: task for name, task in toy_tasks().items() if name in ("depth", "normals")}
    rooms = RoomsDataset(4, tasks, size=(64, 96))
    truth = collate([rooms[index] for index in range(4)])
    keep = torch.tensor([[True, False], [False, True]]).repeat(2, 1)
    batch = collate([rooms.keep(keep)[index] for index in range(4)])
    terms = Geometry(tasks, None)(Step(batch, None, truth.targets, [], 0, 1))
    flat = {"depth": torch.full_like(truth.targets["depth"], 2.0), "normals": truth.targets["normals"].roll(1, 1)}
    wrong = Geometry(tasks, None)(Step(batch, None, flat, [], 0, 1))
    for name, term in terms.items():
        assert term.count > 10000
        assert term.mean() < 0.1 * wrong[name].mean() + 0.02


@pytest.mark.parametrize("predictions", [False, True])
def test_images_without_a_camera_are_left_out(predictions):
    objective, step = setting([{"depth"}, {"normals"}, NEITHER], predictions=predictions)
    step.batch.intrinsics[:] = torch.nan
    terms = objective(step)
    sum(term.mean() for term in terms.values()).backward()
    assert all((term.total, term.count) == (0, 0) for term in terms.values())
    assert not any(step.predictions[name].grad.any() for name in ("depth", "normals"))


def test_distances_beyond_the_image_compare_nothing():
    objective, step = setting([{"normals"}, {"depth"}], distances=[100])
    term = objective(step)[DEPTH]
    assert (term.total, term.count) == (0, 0)
    assert objective.counts(step.batch)[DEPTH] == 0


def test_regions_are_asked_for():
    objective, step = setting([{"normals"}], regions=True)
    with pytest.raises(RecipeError, match=r"data\.regions: true"):
        objective(step)


@pytest.mark.parametrize(
    ("names", "options", "words"),
    [
        (("depth",), {}, "geometry.normals: found null; name one of the normals tasks: none"),
        (("depth", "normals"), {"depth": "dept"}, "geometry.depth: found dept.*: depth"),
        (("depth", "normals"), {"distances": (0,)}, "distances"),
        (("depth", "normals"), {"edge": 0.0}, "edge"),
        (("depth", "normals"), {"window": 4}, "window"),
    ],
)
def test_what_cannot_be_is_refused(names, options, words):
    tasks = {name: task for name, task in toy_tasks().items() if name in names}
    with pytest.raises(RecipeError, match=words):
        Geometry(tasks, ToyNetwork(tasks), **options)
