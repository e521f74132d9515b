"""The strength of presets whose sources average otherwise: the loss of a step against a loop over samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from crosstask.data.sample import Batch
from crosstask.networks import MultiTaskNetwork
from crosstask.ops.geometry import depth_steps, normals_from_depth
from crosstask.recipe import Recipe
from crosstask.relatedness import read_relatedness
from crosstask.tasks import KINDS
from tests.objectives.by_hand import LABELS, NAMES, learner_of, loss_of, make_batch, options_of, supervised_by_pixels

COUPLED = {
    "one": [{"expression"}, {"units"}, {"units"}, {"expression"}],
    "random": [{"expression", "units"}, {"units"}, {"expression"}, set()],
    "full": [{"expression", "units"}] * 3,
}


@pytest.mark.parametrize("labels", COUPLED)
def test_coupling_as_published(labels):
    """Supervision, matching without the second half of the cross-entropy, and soft classes outside of the logarithm."""
    table = read_relatedness("du2014_basic")
    torch.manual_seed(0)
    tasks = {
        "expression": KINDS["category"]("expression", classes=list(table.classes)),
        "units": KINDS["tags"]("units", classes=list(table.attributes)),
    }
    network = MultiTaskNetwork(tasks, encoder_options={"width": 4})
    objectives = options_of("coupling_as_published")
    pair = {"classes": "expression", "attributes": "units", "relatedness": "du2014_basic"}
    objectives = {name: options | (pair if name != "supervised" else {}) for name, options in objectives.items()}
    given = {
        "data": {"table": "none.csv"},
        "tasks": {
            "expression": {"kind": "category", "classes": list(table.classes)},
            "units": {"kind": "tags", "classes": list(table.attributes)},
        },
    }
    learner = Recipe.of(given | {"objectives": objectives}).learner(tasks, network).eval()
    there, count = COUPLED[labels], len(COUPLED[labels])
    expression, units = torch.randint(7, (count,)), torch.randint(2, (count, 17)).float()
    for index, present in enumerate(there):
        if "expression" not in present:
            expression[index] = -1
        if "units" not in present:
            units[index] = math.nan
    targets = {"expression": expression, "units": units}
    images = torch.rand(count, 3, 32, 32)
    batch = Batch(images, targets, [str(i) for i in range(count)], None, torch.full((count, 4), math.nan), {})
    with torch.no_grad():
        raw = {name: each.double().numpy() for name, each in network(images).items()}
    exact = table.values.numpy()
    binary = (exact >= 0.1).astype(float)
    sums: dict[str, list[float]] = {"classes": [], "units": [], "matching": [], "soft": []}
    for index, present in enumerate(there):
        p = np.exp(raw["expression"][index]) / np.exp(raw["expression"][index]).sum()
        a = 1 / (1 + np.exp(-raw["units"][index]))
        y = units[index].double().numpy()
        if "expression" in present:
            sums["classes"].append(-math.log(p[int(expression[index])]))
        if "units" in present:
            sums["units"] += list(-(y * np.log(a) + (1 - y) * np.log(1 - a)))
        related = binary.any(0)
        mixed = (p @ binary).clip(1e-7)
        sums["matching"].append(float(-(a * np.log(mixed))[related].sum()))
        if "units" in present and "expression" not in present:
            whole = exact.sum(1)
            indicator = np.where(whole > 0, exact @ y / np.where(whole > 0, whole, 1), 0)
            soft = np.exp(indicator) / np.exp(indicator).sum()
            sums["soft"].append(float(-(p * np.log(soft)).sum()))
    expected = sum(sum(each) / len(each) for each in sums.values() if each)
    assert loss_of(learner, [batch]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("labels", ["one", "random", "full"])
@pytest.mark.parametrize("count", [2, 3])
def test_dejavu_as_described(count, labels):
    """The squared error of the regenerated image, beside the means over the known pixels of the step."""
    names = NAMES[:count]
    learner = learner_of(options_of("dejavu_as_described"), names)
    batch = make_batch(LABELS[count, labels], names)
    objective = learner.objectives["regeneration"]
    with torch.no_grad():
        predictions = learner.network(batch.images)
        cells = (torch.arange(64)[:, None] // 8 + torch.arange(96)[None] // 8) % 2
        errors = {}
        for parity in (0, 1):
            total = 0.0
            for index in range(len(batch)):
                image = batch.images[index : index + 1]
                condition = [objective.tasks[name].embed(predictions[name][index : index + 1]) for name in names]
                redacted = image * (cells == parity)
                total += float(((objective.regenerator(redacted, torch.cat(condition, 1)) - image) ** 2).mean())
            errors[parity] = total / len(batch)
        known = supervised_by_pixels(predictions, batch, names)
    found = loss_of(learner, [batch])
    assert any(found == pytest.approx(known + error, rel=1e-4) for error in errors.values())


@pytest.mark.parametrize(
    "labelled",
    [
        [{"depth"}, {"normals"}, {"depth"}],
        [{"depth", "normals"}, {"depth"}, set(), {"normals"}],
        [{"depth", "normals"}] * 2,
    ],
)
@pytest.mark.parametrize("names", [["depth", "normals"], NAMES])
def test_geometry_mutual(names, labelled):
    """Half of a mean over the pixels whose normals were made and of one over the pairs of pixels compared."""
    learner = learner_of(options_of("geometry_mutual"), names)
    batch = make_batch([labels | set(names) - {"depth", "normals"} for labels in labelled], names)
    batch.intrinsics = torch.tensor([90.0, 80.0, 47.5, 31.5]).repeat(len(batch), 1)
    with torch.no_grad():
        predictions = learner.network(batch.images)
    angles, steps = [], []
    for index, labels in enumerate(labelled):
        raw, camera = predictions["normals"][index], batch.intrinsics[index : index + 1]
        depth = batch.targets["depth"][index] if "depth" in labels else predictions["depth"][index].clamp(1e-3, 1e3)
        unit = raw / raw.square().sum(0).sqrt().clamp(min=1e-12)
        normals = batch.targets["normals"][index] if "normals" in labels else unit
        if "normals" not in labels:
            made = normals_from_depth(depth[None], camera, 7)[0]
            cosines = (raw * made).sum(0) / raw.square().sum(0).sqrt().clamp(min=1e-9)
            angles += (1 - cosines)[~made[0].isnan()].tolist()
        if "depth" not in labels:
            logarithm = predictions["depth"][index, 0].clamp(1e-3, 1e3).log()
            for axis, distance in ((-1, 1), (-1, 4), (-2, 1), (-2, 4)):
                implied = depth_steps(normals[None], camera, distance, axis)[0]
                length = logarithm.shape[axis] - distance
                found = logarithm.narrow(axis, distance, length) - logarithm.narrow(axis, 0, length)
                steps += (found - implied).abs().clamp(max=0.1)[~implied.isnan()].tolist()
    expected = supervised_by_pixels(predictions, batch)
    expected += 0.5 * sum(sum(each) / len(each) for each in (angles, steps) if each)
    assert bool(angles) == any("normals" not in labels for labels in labelled)
    assert loss_of(learner, [batch]) == pytest.approx(expected, rel=1e-4)
