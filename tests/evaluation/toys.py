"""One task of every kind, networks whose predictions are known, and batches with holes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crosstask.data.sample import Batch
from crosstask.tasks import KINDS

NAN = float("nan")


def every_kind():
    return {
        "semantic": KINDS["segmentation"]("semantic", classes=["wall", "floor", "chair", "lamp"]),
        "depth": KINDS["depth"]("depth"),
        "disparity": KINDS["disparity"]("disparity"),
        "normals": KINDS["normals"]("normals"),
        "saliency": KINDS["saliency"]("saliency"),
        "tags": KINDS["tags"]("tags", classes=["cat", "dog", "sofa"]),
        "category": KINDS["category"]("category", classes=["kitchen", "bedroom"]),
        "scalars": KINDS["scalars"]("scalars", names=["valence", "arousal"], loss="smooth_l1"),
    }


class Pixelwise(nn.Module):
    """Looks at each pixel alone; image-level predictions are means over the image. Depth is positive."""

    def __init__(self, tasks, seed: int = 0) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(seed)
        self.tasks = tasks
        self.heads = nn.ParameterDict(
            {name: torch.randn(task.channels, 3, 1, 1, generator=rng) for name, task in tasks.items()}
        )

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        maps = {name: F.conv2d(images, head) for name, head in self.heads.items()}
        for name, task in self.tasks.items():
            if task.kind in ("depth", "disparity"):
                maps[name] = maps[name].abs() + 0.5
        return {name: value if self.tasks[name].dense else value.mean((2, 3)) for name, value in maps.items()}


class Convolutional(nn.Module):
    """Strided, normalised and upsampled, as real networks are; takes images of any size."""

    def __init__(self, tasks, seed: int = 0) -> None:
        super().__init__()
        self.tasks = tasks
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
            self.norm = nn.BatchNorm2d(8)
            self.second = nn.Conv2d(8, 8, 3, stride=2, padding=1)
            self.heads = nn.ModuleDict({name: nn.Conv2d(16, task.channels, 1) for name, task in tasks.items()})

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        fine = F.relu(self.norm(self.first(images)))
        coarse = F.interpolate(self.second(fine), size=fine.shape[-2:], mode="bilinear", align_corners=False)
        features = torch.cat((fine, coarse), 1)
        out = {}
        for name, task in self.tasks.items():
            raw = self.heads[name](features if task.dense else features.mean((2, 3), keepdim=True))
            size = images.shape[-2:]
            out[name] = (
                F.interpolate(raw, size=size, mode="bilinear", align_corners=False) if task.dense else raw[..., 0, 0]
            )
        return out


def images(count: int, size: tuple[int, int] = (12, 16), seed: int = 0) -> Tensor:
    return torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(seed))


def targets(count: int, size: tuple[int, int], seed: int = 0) -> dict[str, Tensor]:
    """Random targets of :func:`every_kind`, a third of their pixels unknown, and a third of the images."""
    rng = torch.Generator().manual_seed(seed + 100)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=rng)

    out = {
        "semantic": torch.randint(0, 3, (count, *size), generator=rng),
        "depth": 1 + uniform(count, 1, *size),
        "disparity": 1 + uniform(count, 1, *size),
        "normals": F.normalize(torch.randn(count, 3, *size, generator=rng), dim=1),
        "saliency": uniform(count, 1, *size),
        "tags": (uniform(count, 3) > 0.5).float(),
        "category": torch.randint(0, 2, (count,), generator=rng),
        "scalars": uniform(count, 2),
    }
    for target in out.values():
        hole = -1 if target.dtype == torch.int64 else NAN
        target[uniform(count) < 0.33] = hole
        if target.ndim > 2:
            mask = uniform(count, *target.shape[-2:]) < 0.33
            target.masked_fill_(mask if target.ndim == 3 else mask[:, None], hole)
    return out


def batch(count: int, size: tuple[int, int] = (12, 16), seed: int = 0) -> Batch:
    ids = [f"{seed}-{index:02d}" for index in range(count)]
    return Batch(images(count, size, seed), targets(count, size, seed), ids, None, torch.full((count, 4), NAN), {})


def pick(whole: Batch, indices: list[int]) -> Batch:
    """Some samples of a batch, as a batch."""
    part = {name: target[indices] for name, target in whole.targets.items()}
    names = [whole.ids[index] for index in indices]
    return Batch(whole.images[indices], part, names, None, whole.intrinsics[indices], {})
