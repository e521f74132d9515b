"""How strong each objective of a preset is beside supervision: the loss of a whole step against a loop over its images
and tasks, written down from the papers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from crosstask.data.sample import Batch
from crosstask.training.step import accumulate_gradients
from tests.objectives.by_hand import (
    LABELS,
    NAMES,
    SIZE,
    known_of,
    learner_of,
    loss_of,
    make_batch,
    options_of,
    supervised,
)


def make_learner(preset: str, names: list[str]):
    objectives = options_of(preset)
    if "pairwise" in objectives:  # its size changes no strength
        objectives["pairwise"] |= {"stem": 4, "widths": [4, 4, 4, 4], "layers": [1, 1, 1, 1, 1]}
    if "joint_task" in objectives:
        objectives["joint_task"] |= SMALL_JOINT_TASK
    return learner_of(objectives, names)


SMALL_JOINT_TASK = {"autoencoder": "strided", "widths": [4, 4], "sample": False, "sample_predicted": False}
"""Its size changes no strength, nor do its draws."""


# -- by hand ----------------------------------------------------------------------------------------------------


def pairs_of(batch, names, index):
    labelled = {name for name in names if known_of(batch, name, index).any()}
    everything = labelled == set(names)
    return [(s, t) for s in names for t in names if s != t and t in labelled and (everything or s not in labelled)]


def mapped(objective, predictions, batch, names, index, s, t):
    """The prediction of s and the label of t in the joint space, each mapped alone."""
    i, j = names.index(s), names.index(t)
    slot = torch.tensor([i * (len(names) - 1) + (j if j < i else j - 1)])
    source = objective.tasks[s].embed(predictions[s][index : index + 1])
    label = objective.tasks[t].embed_target(batch.targets[t][index : index + 1])
    return [objective.mapper([(k, each, slot)])[0][0] for k, each in ((i, source), (j, label))]


def seen(known: np.ndarray, maps) -> np.ndarray:
    """The positions of coarser maps that lie over a known pixel."""
    h, w = maps.shape[-2:]
    return known.reshape(h, known.shape[0] // h, w, known.shape[1] // w).any((1, 3))


def cosine(a, b, known) -> float:
    a, b, there = a.numpy(), b.numpy(), seen(known, a)
    norms = np.sqrt((a**2).sum(0) * (b**2).sum(0))
    return 1 - (np.where(norms > 1e-12, (a * b).sum(0) / np.maximum(norms, 1e-12), 0))[there].mean()


def pairwise(objective, predictions, features, batch, names, index) -> float:
    total = 0.0
    for s, t in pairs_of(batch, names, index):
        source, label = mapped(objective, predictions, batch, names, index, s, t)
        phi = torch.nn.functional.adaptive_avg_pool2d(features[-1][index], source.shape[-2:])
        known = known_of(batch, t, index)
        total += cosine(source, label, known) + 0.5 * (cosine(source, phi, known) + cosine(label, phi, known))
    return total


def gaussians(maps, regions):
    maps = maps.double().numpy()
    return [(maps[:, regions == i].mean(1), np.cov(maps[:, regions == i])) for i in np.unique(regions[regions >= 0])]


def wasserstein(p, q) -> float:
    root = np.sqrt(np.linalg.eigvals(p[1] @ q[1]).real.clip(0)).sum()
    return ((p[0] - q[0]) ** 2).sum() + np.trace(p[1]) + np.trace(q[1]) - 2 * root


def region_pair(source, label, regions) -> float:
    """Eq. 3 with one positive, summed over both maps, averaged over their regions; 0 for a single region."""
    maps = [gaussians(each, regions) for each in (source, label)]
    total = 0.0
    for own, other in ((0, 1), (1, 0)):
        for i, anchor in enumerate(maps[own]):
            near = np.exp(-wasserstein(anchor, maps[other][i]) / 5.4)
            far = sum(np.exp(-wasserstein(anchor, each[j]) / 5.4) for each in maps for j in range(len(each)) if j != i)
            total -= np.log(near / (near + far))
    return total / len(maps[0])


def region_contrast(objective, predictions, batch, names, index, published: bool) -> float:
    total = 0.0
    for s, t in pairs_of(batch, names, index):
        source, label = (
            torch.nn.functional.interpolate(each[None], scale_factor=8, mode="bilinear")[0]
            for each in mapped(objective, predictions, batch, names, index, s, t)
        )
        regions = batch.regions[index].numpy()[1::2, 1::2]
        regions = np.where(seen(known_of(batch, t, index), source), regions, -1)
        # eq. 6 divides by all K maps, the code by its two, per pair
        total += region_pair(source, label, regions) / (len(names) if published else 2)
    return total


def joint_task(objective, predictions, batch, names, index) -> float:
    from scipy.stats import norm

    known = np.ones(SIZE, bool)
    for name in names:
        own = known_of(batch, name, index)
        known &= own | ~own.any()
    stacks = []
    for labels in (True, False):
        stack = []
        for name in names:
            own, raw = known_of(batch, name, index), predictions[name][index].numpy()
            if labels and own.any():
                label = batch.targets[name][index].numpy()
                if name == "semantic":
                    values = np.stack([label == k for k in range(3)]).astype(float)
                else:
                    values = norm.cdf(label, 2.3618, 1.5876) if name == "depth" else label
            elif name == "semantic":
                values = np.exp(raw - raw.max(0)) / np.exp(raw - raw.max(0)).sum(0)
            elif name == "depth":
                values = norm.cdf(raw, 2.3618, 1.5876)
            else:
                values = raw / np.sqrt((raw**2).sum(0))
            stack.append((values + 1) / 2 if name == "normals" else values)
        stacks.append(torch.from_numpy(np.where(known, np.concatenate(stack), 0)).float())
    latents = [objective.autoencoder.encoder(each[None]) for each in stacks]
    total = (1 + 2) * cosine(latents[0][0], latents[1][0], known)
    for stack, latent in zip(stacks, latents, strict=True):
        output, at = objective.autoencoder.decode(latent, SIZE)[0].numpy(), 0
        for name in names:
            channels = objective.tasks[name].channels
            own, values = output[at : at + channels], stack.numpy()[at : at + channels]
            at += channels
            if name == "semantic":
                error = (np.log1p(np.exp(own)) - values * own).mean(0)
            elif name == "depth":
                error = np.abs(1 / (1 + np.exp(-own)) - values)[0]
            else:
                n = 2 * values - 1
                error = 1 - (own * n).sum(0) / np.sqrt((own**2).sum(0) * (n**2).sum(0)).clip(1e-9)
            total += 0.5 * error[known].mean()
    return total


def by_hand(preset, learner, batch, names) -> float:
    """1/B sum_b ( sum over labelled tasks of the mean loss + weight x consistency )."""
    with torch.no_grad():
        features = learner.network.features(batch.images)
        predictions = learner.network.heads_forward(features, SIZE)
        total = 0.0
        for index in range(len(batch)):
            total += supervised(predictions, batch, index)
            if preset == "pairwise_as_published":
                total += 2 * pairwise(learner.objectives["pairwise"], predictions, features, batch, names, index)
            elif preset == "joint_task_as_published":
                total += 4 * joint_task(learner.objectives["joint_task"], predictions, batch, names, index)
            else:
                published = preset == "region_contrast_as_published"
                weight = 1 if published else 2 * 0.075
                objective = learner.objectives["region_contrast"]
                total += weight * region_contrast(objective, predictions, batch, names, index, published)
    return total / len(batch)


PRESETS = [
    "pairwise_as_published",
    "region_contrast_as_published",
    "region_contrast_as_released",
    "joint_task_as_published",
]


@pytest.mark.parametrize("labels", ["one", "random", "full"])
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_as_strong_as_its_source(preset, count, labels):
    names = NAMES[:count]
    learner = make_learner(preset, names)
    batch = make_batch(LABELS[count, labels], names)
    assert loss_of(learner, [batch]) == pytest.approx(by_hand(preset, learner, batch, names), rel=1e-5)


def cut(batch: Batch, part: slice) -> Batch:
    targets = {name: target[part] for name, target in batch.targets.items()}
    return Batch(batch.images[part], targets, batch.ids[part], batch.regions[part], batch.intrinsics[part], {})


@pytest.mark.parametrize("preset", ["pairwise_as_published", "region_contrast_as_published", "joint_task_as_published"])
def test_the_strength_does_not_depend_on_how_a_step_is_cut(preset):
    """Micro-batches and processes: the counts are the same sums."""
    names = NAMES
    batch = make_batch([set(), {"depth"}, {"semantic", "normals"}, {"semantic"}], names)
    gradients = []
    for parts in ([batch], [cut(batch, slice(0, 1)), cut(batch, slice(1, 4))]):
        learner = make_learner(preset, names)
        fabric = Fabric(accelerator="cpu", devices=1)
        module = fabric.setup(learner)
        accumulate_gradients(fabric, module, parts, iteration=10**6, iterations=10**6 + 1, seed=0)
        gradients.append({name: parameter.grad for name, parameter in learner.named_parameters()})
    for name, expected in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], expected, rtol=1e-4, atol=1e-7)
