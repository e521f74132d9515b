"""A network without batch statistics, random batches with uneven labels, and the worker of the two-process test."""

from __future__ import annotations

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from crosstask.data.sample import Batch
from crosstask.learner.learner import Learner
from crosstask.objectives import Supervised
from crosstask.tasks import KINDS
from crosstask.training.step import accumulate_gradients


def toy_tasks():
    return {
        "semantic": KINDS["segmentation"]("semantic", classes=3),
        "depth": KINDS["depth"]("depth"),
        "normals": KINDS["normals"]("normals"),
        "tags": KINDS["tags"]("tags", classes=["a", "b"]),
    }


class ToyNetwork(nn.Module):
    """One convolution per task, no normalisation over the batch."""

    def __init__(self, tasks) -> None:
        super().__init__()
        self.tasks = tasks
        self.trunk = nn.Conv2d(3, 4, 3, padding=1)
        self.heads = nn.ModuleDict({name: nn.Conv2d(4, task.channels, 1) for name, task in tasks.items()})

    def features(self, images: Tensor) -> list[Tensor]:
        return [torch.tanh(self.trunk(images))]

    def heads_forward(self, features: list[Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        maps = {name: head(features[0]) for name, head in self.heads.items()}
        return {name: value if self.tasks[name].dense else value.mean((2, 3)) for name, value in maps.items()}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return self.heads_forward(self.features(images), tuple(images.shape[-2:]))


def toy_batch(labelled: list[set[str]], seed: int = 0, dtype: torch.dtype = torch.float64) -> Batch:
    """Random images, each with labels (some pixels unknown) of the given tasks only."""
    rng = torch.Generator().manual_seed(seed)
    count, size = len(labelled), (6, 8)
    images = torch.rand(count, 3, *size, generator=rng, dtype=dtype)
    normals = nn.functional.normalize(torch.randn(count, 3, *size, generator=rng, dtype=dtype), dim=1)
    targets = {
        "semantic": torch.randint(-1, 3, (count, *size), generator=rng),
        "depth": 1 + torch.rand(count, 1, *size, generator=rng, dtype=dtype),
        "normals": normals,
        "tags": torch.randint(0, 2, (count, 2), generator=rng).to(dtype),
    }
    targets["depth"][torch.rand(targets["depth"].shape, generator=rng) < 0.3] = float("nan")
    for index, names in enumerate(labelled):
        for name, target in targets.items():
            if name not in names:
                target[index] = -1 if name == "semantic" else float("nan")
    return Batch(images, targets, [f"{seed}-{i}" for i in range(count)], None, torch.full((count, 4), float("nan")), {})


def concatenated(batches: list[Batch]) -> Batch:
    return Batch(
        torch.cat([batch.images for batch in batches]),
        {name: torch.cat([batch.targets[name] for batch in batches]) for name in batches[0].targets},
        [name for batch in batches for name in batch.ids],
        None,
        torch.cat([batch.intrinsics for batch in batches]),
        {},
    )


# rank 1 of two has no segmentation at all, and far fewer labels
UNEVEN = [
    [{"semantic", "depth"}, {"semantic"}, {"normals", "depth"}, {"tags", "depth"}],
    [set(), {"depth"}, {"tags"}, {"normals"}],
]


def learner(seed: int = 3) -> Learner:
    torch.manual_seed(seed)
    tasks = toy_tasks()
    network = ToyNetwork(tasks)
    return Learner(network, {"supervised": Supervised(tasks, network)}).double()


def gradients(fabric: Fabric, batches: list[Batch]) -> dict[str, Tensor]:
    module, _ = fabric.setup(model := learner(), torch.optim.SGD(model.parameters(), lr=0.1))
    accumulate_gradients(fabric, module, batches, iteration=0, iterations=10, seed=0)
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def two_process_worker(fabric: Fabric, folder: str) -> None:
    batch = toy_batch(UNEVEN[fabric.global_rank], seed=fabric.global_rank)
    torch.save(gradients(fabric, [batch]), f"{folder}/{fabric.global_rank}.pt")
