"""Weights after a few steps on one process and on several, for every objective and kind of task."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from crosstask.learner.learner import Learner
from crosstask.objectives import Supervised
from crosstask.training.step import accumulate_gradients
from tests.objectives.cases import CASES, LABELLED, MAPPING, Case, batch, make, network, tasks
from tests.spawned import in_processes
from tests.training.toys import concatenated

SAMPLES = 12
STEPS = 3


def learners(folder: Path) -> dict[str, Learner]:
    """A learner per case of the objectives, most beside supervision that is averaged like them."""
    found = {}
    for name, case in (CASES | MORE | BY_IMAGES).items():
        net = network()
        objective = make(case, net, folder)
        own = {"tested": objective}
        alone = case.kind == "supervised" or name in ALONE
        beside = Supervised(tasks(), net, **(OF_IMAGES if name in BY_IMAGES else {}))
        found[name] = Learner(net, own if alone else {"supervised": beside} | own)
    return found


REGIONS = {"stem": 4, "widths": [4], "layers": [1], "minimum": 1, "reduce": 1}
MORE = {
    "region_contrast across": Case("region_contrast", {**REGIONS, "across": True}),
    "heads that nobody teaches": Case("mean_teacher", {"only": ["depth"]}, unlabelled=True),
    "region_contrast bank": Case("region_contrast", {**REGIONS, "bank": 8}),
}

OF_IMAGES = {"only": ["semantic", "depth", "normals", "tags", "place"], "average": "images"}
"""Averages over all images of the step; the loss of ``mood`` describes a batch, not an image."""
BY_IMAGES = {
    "supervised by images": Case("supervised", OF_IMAGES),
    "pairwise by images": Case("pairwise", {**MAPPING, "layers": [1, 1], "average": "images"}),
    "region_contrast, sum over pairs": Case("region_contrast", {**REGIONS, "pairs": "sum"}),
    "region_contrast, eq. 6": Case("region_contrast", {**REGIONS, "pairs": "positives"}),
    "joint_task by images": Case("joint_task", {"widths": [4, 6], "sample": False, "average": "images"}),
}

ALONE = {"heads that nobody teaches"}
"""Tested without supervision beside it."""


def additive(folder: Path) -> dict[str, bool]:
    """Which of the cases say that several processes sum up to one."""
    return {name: bool(learner.objectives["tested"].additive) for name, learner in learners(folder).items()}


def trained(fabric: Fabric, learner: Learner) -> dict[str, Tensor]:
    """Trainable weights after the steps; norms keep the statistics they have, which would be those of a process."""
    rank, world = fabric.global_rank, fabric.world_size
    share = SAMPLES // world
    module, optimiser = fabric.setup(learner, torch.optim.SGD(learner.parameters(), lr=0.01, momentum=0.9))
    learner.train()
    for part in learner.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.eval()
    for iteration in range(STEPS):
        optimiser.zero_grad()
        whole = concatenated_all([batch(LABELLED, 10 * iteration + part) for part in range(SAMPLES // len(LABELLED))])
        given = taken(whole, slice(rank * share, (rank + 1) * share))
        accumulate_gradients(fabric, module, [given], iteration=iteration, iterations=10, seed=0)
        optimiser.step()
        learner.after_step(iteration)
    return {name: value.detach().clone() for name, value in learner.named_parameters()}


def concatenated_all(batches):
    whole = concatenated(batches)
    whole.regions = torch.cat([each.regions for each in batches])
    whole.made = {name: torch.cat([each.made[name] for each in batches]) for name in batches[0].made}
    return whole


def taken(of, places: slice):
    return type(of)(
        of.images[places],
        {name: target[places] for name, target in of.targets.items()},
        of.ids[places],
        of.regions[places],
        of.intrinsics[places],
        {},
        made={name: made[places] for name, made in of.made.items()},
    )


def work(fabric: Fabric, folder: str, names: list[str]) -> None:
    """One process of several; the first writes its weights."""
    with tempfile.TemporaryDirectory() as own:
        made = learners(Path(own))
        found = {name: trained(fabric, made[name]) for name in names or made}
    if fabric.global_rank == 0:
        torch.save(found, f"{folder}/{fabric.world_size}.pt")


def differences(worlds: list[int], folder: Path, names: list[str] | None = None) -> dict[str, dict[int, float]]:
    """By case and number of processes, the largest difference of a weight from those of one process."""
    for world in [1, *worlds]:
        if world > 1:
            in_processes(work, str(folder), names or [], processes=world)
        else:
            work(Fabric(accelerator="cpu", devices=1), str(folder), names or [])
    found = {world: torch.load(folder / f"{world}.pt", weights_only=True) for world in [1, *worlds]}
    return {
        name: {
            world: max(float((found[world][name][key] - weight).abs().max()) for key, weight in one.items())
            for world in worlds
        }
        for name, one in found[1].items()
    }
