"""Images as a frozen encoder sees them, and small heads on top: trainings of a second, for studies that need many.

The encoder (an ImageNet EfficientNet Lite0) stays as it is. Of every image, as it is and mirrored, its maps at strides
8, 16 and 32 are brought to stride 8, joined and projected onto their principal components. Heads read, of each cell of
that grid: these, where it lies, the principal components of the mean over the image, and random rectified sums of all
of them. Classes are told apart by a softmax regression; logarithms of depth and normals are fitted by ridge regression.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from crosstask.data.table.table import Table
from crosstask.networks.encoders import build_encoder
from crosstask.tasks.base import Task

SIZE, STRIDE, COMPONENTS, POOLED, RANDOM = (192, 256), 8, 160, 64, 256
GRID = SIZE[0] // STRIDE, SIZE[1] // STRIDE
Targets = Mapping[str, Tensor]
Heads = dict[str, Tensor]


@dataclass
class Frozen:
    """The images of a table.

    Attributes:
        cells: float16 (N, 2, h, w, D), of each image and of the mirrored one flipped back.
        whole: float32 (N, P), of the whole image.
        pooled: float32 (N, D'), the encoder's coarsest map, averaged over the image and both views, unit length.
        pictures: uint8 (N, 3, H / 4, W / 4).
    """

    cells: Tensor
    whole: Tensor
    pooled: Tensor
    pictures: Tensor

    def __len__(self) -> int:
        return len(self.cells)

    def __getitem__(self, rows: np.ndarray | Sequence[int]) -> Frozen:
        index = torch.as_tensor(np.asarray(rows))
        return Frozen(self.cells[index], self.whole[index], self.pooled[index], self.pictures[index])

    def inputs(self, image: int, places: Tensor | None = None) -> Tensor:
        """What heads read of both views of an image at some places of the grid (all), (2, P, F)."""
        height, width = self.cells.shape[2:4]
        places = torch.arange(height * width) if places is None else places
        y, x = 2 * (places // width) / (height - 1) - 1, 2 * (places % width) / (width - 1) - 1
        where = torch.stack([y, x, y * y, x * x, torch.ones_like(x)], -1).expand(2, -1, -1)
        cells = self.cells[image].flatten(1, 2)[:, places].float()
        plain = torch.cat([cells, self.whole[image].expand(2, len(places), -1), where], -1)
        return torch.cat([plain, (plain @ _random(plain.shape[-1])).relu()], -1)


def frozen(table: Table, cache: Path, fitted: np.ndarray) -> Frozen:
    """What the encoder sees, once: the second time it is read from ``cache``.

    Args:
        table: the images.
        cache: a file.
        fitted: rows whose images the principal components are those of.
    """
    if not cache.is_file():
        maps, pooled, pictures = _seen(table)
        joined = [_joined(maps, index) for index in range(len(table))]
        sample = torch.cat([joined[index][0, ::2, ::2].flatten(0, 1) for index in fitted]).float()
        project, project_whole = _Components(sample, COMPONENTS), _Components(pooled[fitted], POOLED)
        cells = torch.stack([project(each.float()).half() for each in joined])
        cache.parent.mkdir(parents=True, exist_ok=True)
        torch.save((cells, project_whole(pooled), pooled, pictures), cache)
    return Frozen(*torch.load(cache))


def maps(table: Table, tasks: Mapping[str, Task]) -> dict[str, Tensor]:
    """The labels of a table at the middle of each cell, by task (N, ...), unknown marked."""
    step = slice(STRIDE // 2, None, STRIDE)
    found: dict[str, list[Tensor]] = {name: [] for name in tasks}
    for index in range(len(table)):
        for name, task in tasks.items():
            label = task.parse(np.asarray(Image.open(table.resolve(index, name)))).as_subclass(Tensor)
            found[name].append(label[..., step, step].clone())
    return {name: torch.stack(each) for name, each in found.items()}


def fit(
    images: Frozen, targets: Targets, tasks: Mapping[str, Task], use: Mapping[str, Sequence[int]], cells: int, seed: int
) -> Heads:
    """Heads of what is known of some images.

    Args:
        images: the images.
        targets: by task, see :func:`maps`.
        tasks: segmentation, depth or normals.
        use: by task the images whose labels may be looked at.
        cells: how many cells of each view of an image are drawn.
        seed: of the draws.
    """
    chance = torch.Generator().manual_seed(seed)
    every = sorted(set().union(*use.values()))
    picked = {image: torch.randperm(GRID[0] * GRID[1], generator=chance)[:cells] for image in every}
    seen = {image: images.inputs(image, picked[image]) for image in every}
    heads = {}
    for name, task in tasks.items():
        x = torch.cat([seen[image].flatten(0, 1) for image in use[name]])
        label = [_flat(task, targets[name][image])[picked[image]].repeat(2, 1) for image in use[name]]
        y = torch.cat(label)
        known = ~y.isnan().any(1)
        heads[name] = (_softmax if task.kind == "segmentation" else _ridge)(x[known], y[known])
    return heads


def predict(
    heads: Heads, images: Frozen, tasks: Mapping[str, Task], rows: Sequence[int], every: int = 1
) -> dict[str, Tensor]:
    """Values (n, 2, C, h, w) of both views of some images, by task, as :meth:`Task.activate` gives them; of every
    so many cells down and to the right."""
    places = torch.arange(GRID[0] * GRID[1]).reshape(GRID)[::every, ::every]
    found: dict[str, list[Tensor]] = {name: [] for name in heads}
    for row in rows:
        seen = images.inputs(row, places.flatten()).unflatten(1, places.shape)
        for name, weights in heads.items():
            raw = (seen @ weights).permute(0, 3, 1, 2)
            kind = tasks[name].kind
            values = raw.softmax(1) if kind == "segmentation" else raw.exp() if kind == "depth" else F.normalize(raw)
            found[name].append(values)
    return {name: torch.stack(each) for name, each in found.items()}


def _flat(task: Task, target: Tensor) -> Tensor:
    """Of each cell what is fitted, (h w, C), NaN unknown."""
    values = task.values(target[None])[0].float().where(task.known(target), torch.nan)
    return (values.log() if task.kind == "depth" else values).flatten(1).T


def _softmax(x: Tensor, y: Tensor, penalty: float = 3e-4) -> Tensor:
    weights = torch.zeros(x.shape[1], y.shape[1], requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=40, history_size=10, line_search_fn="strong_wolfe")
    label = y.argmax(1)

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = F.cross_entropy(x @ weights, label) + penalty * weights.square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    return weights.detach()


def _ridge(x: Tensor, y: Tensor, penalty: float = 3e-2) -> Tensor:
    gram = (x.T @ x).double() / len(x)
    gram.diagonal().add_(penalty)
    return torch.linalg.solve(gram, (x.T @ y).double() / len(x)).float()


@functools.cache
def _random(width: int) -> Tensor:
    chance = torch.Generator().manual_seed(0)
    return torch.randn(width, RANDOM, generator=chance) / width**0.5


def _seen(table: Table) -> tuple[list[Tensor], Tensor, Tensor]:
    """Maps (N, 2, C, h, w) of each stride from 8, the mean of the coarsest, small pictures."""
    encoder = build_encoder("tf_efficientnet_lite0", pretrained=True).eval()
    mean, spread = (torch.tensor(each).view(3, 1, 1) for each in (encoder.mean, encoder.std))
    every, pictures = [], []
    for index in range(len(table)):
        photo = Image.open(table.resolve(index, "image")).convert("RGB").resize(SIZE[::-1], Image.Resampling.BILINEAR)
        image = torch.from_numpy(np.asarray(photo).copy()).permute(2, 0, 1).float() / 255
        pictures.append((255 * F.avg_pool2d(image, 4)).round().byte())
        views = torch.stack([image, image.flip(-1)])
        with torch.inference_mode():
            seen = encoder((views - mean) / spread)
        every.append([_back(each).half() for each, stride in zip(seen, encoder.strides, strict=True)
                      if stride >= STRIDE])  # fmt: skip
    stacked = [torch.stack(each) for each in zip(*every, strict=True)]
    pooled = F.normalize(stacked[-1].float().mean((1, 3, 4)), dim=1)
    return stacked, pooled, torch.stack(pictures)


def _back(seen: Tensor) -> Tensor:
    return torch.stack([seen[0], seen[1].flip(-1)])


def _joined(every: list[Tensor], index: int) -> Tensor:
    """(2, h, w, D) of one image."""
    size = every[0].shape[-2:]
    return torch.cat([F.interpolate(each[index].float(), size=size, mode="bilinear") for each in every], 1).permute(
        0, 2, 3, 1
    ).half()  # fmt: skip


class _Components:
    """Projects onto the principal components of standardised features, each of unit variance."""

    def __init__(self, sample: Tensor, count: int) -> None:
        self.mean, self.spread = sample.mean(0), sample.std(0) + 1e-4
        normal = (sample - self.mean) / self.spread
        values, vectors = torch.linalg.eigh(normal.T @ normal / len(normal))
        self.matrix = vectors[:, -count:] / values[-count:].clamp(min=1e-4).sqrt()

    def __call__(self, features: Tensor) -> Tensor:
        return ((features - self.mean) / self.spread) @ self.matrix
