"""What could the label of one task tell of another that a trained network does not know? Bounds, to know beforehand.

    python -m benchmarks.studies.bounds nyuv2_128x96/tune.csv runs/geometry --split val

Images that nothing was trained on, with all their labels, as a network sees them (mirrored, at scales 1 and 1.25):

- *planes*: predicted depth drawn to a plane of inverse depth in each region (SLIC, Felzenszwalb), robustly fitted;
- *integrated*: predicted depth drawn to the steps of log depth that normals imply, those of the network or the true
  ones, by robust least squares;
- *corrected*: boosted trees put depth and normals of a pixel right by all that the network says there and its row, and
  by the true class or true normals there; fitted to one half of the images and measured on the other.

What is given its true labels is no result: it is about the most that teaching by them (coupling, teachers that read
labels, labels cleaned by planes) could bring, where an image has the one label and lacks the other.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import coo_array, diags_array, eye_array
from scipy.sparse.linalg import spsolve
from sklearn.ensemble import HistGradientBoostingRegressor
from torch import Tensor
from torch.nn import functional as nnf

from crosstask.data.loading.dataset import TableDataset
from crosstask.data.table.table import read_table
from crosstask.ops.geometry import depth_steps
from crosstask.regions.superpixels import Felzenszwalb, Slic
from crosstask.rounds.teachers.network import NetworkTeacher
from crosstask.trained import load_run

SCALES = (1.0, 1.25)
PIXELS = 1500
"""Of each image, that trees are fitted to."""


@dataclass
class View:
    """An image as a network sees it: log depth (H, W), normals (3, H, W), their length before they were made unit ones,
    probabilities of classes (C, H, W); and the labels of the three."""

    image: np.ndarray
    depth: np.ndarray
    normals: Tensor
    length: Tensor
    classes: Tensor
    true_depth: np.ndarray
    true_normals: Tensor
    true_classes: Tensor
    intrinsics: Tensor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("run", type=Path, help="a run that predicts semantic, depth and normals")
    parser.add_argument("--split", default="val")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    views = seen(arguments.table, arguments.run, arguments.split)
    print(f"{len(views)} images; depth in m, normals in degrees\n\nas predicted: depth {metres(views, unchanged):.4f}")
    for name, provider in (("SLIC, 25", Slic(25)), ("SLIC, 100", Slic(100)), ("Felzenszwalb", Felzenszwalb())):
        found = metres(views, lambda view, by=provider: flattened(view.depth, by(view.image)))
        print(f"planes, {name}: depth {found:.4f}", flush=True)
    for name in ("normals", "true_normals"):
        found = metres(views, lambda view, by=name: integrated(view, getattr(view, by)))
        print(f"integrated, {name.replace('_', ' ')}: depth {found:.4f}", flush=True)
    order = np.random.default_rng(0).permutation(len(views))
    halves = [[views[index] for index in half] for half in np.array_split(order, 2)]
    print(f"\nsecond half, as predicted: {score(*rows(halves[1], '', None))}")
    for given in ("", "true_classes", "true_normals"):
        by = given.replace("_", " ") or "nothing that is true"
        print(f"corrected by {by}: {corrected(*halves, given)}", flush=True)


@torch.inference_mode()
def seen(table: Path, path: Path, split: str) -> list[View]:
    """The images of a split as the network of a run sees them."""
    run = load_run(path)
    teacher = NetworkTeacher(run, list(run.tasks.values()), SCALES, True, "cpu")
    dataset = TableDataset(read_table(table).select(split), run.tasks)
    views = []
    for index in range(len(dataset)):
        sample = dataset[index]
        said, true = teacher(sample), {name: each.as_subclass(Tensor) for name, each in sample.targets.items()}
        assert sample.intrinsics is not None
        mean = said["normals"].mean(0)
        views.append(
            View(
                image=(sample.image.as_subclass(Tensor).permute(1, 2, 0) * 255).byte().numpy(),
                depth=said["depth"].log().mean(0)[0].double().numpy(),
                normals=nnf.normalize(mean, dim=0),
                length=mean.norm(dim=0, keepdim=True),
                classes=said["semantic"].mean(0),
                true_depth=true["depth"][0].double().numpy(),
                true_normals=true["normals"],
                true_classes=true["semantic"],
                intrinsics=sample.intrinsics.as_subclass(Tensor),
            )
        )
    return views


def unchanged(view: View) -> np.ndarray:
    """Log depth as the network says it."""
    return view.depth


def metres(views: list[View], depth: Callable[[View], np.ndarray]) -> float:
    """Mean absolute error over all known pixels of log depth by a rule."""
    errors = [np.abs(np.exp(depth(view)) - view.true_depth) for view in views]
    return float(np.nanmean(np.stack(errors)))


def flattened(depth: np.ndarray, regions: np.ndarray, passes: int = 5, reach: float = 0.05) -> np.ndarray:
    """Log depth (H, W) with a plane of inverse depth in each region of 12 pixels or more."""
    inverse = np.exp(-depth)
    result = inverse.copy()
    down, right = np.mgrid[: depth.shape[0], : depth.shape[1]]
    for region in np.unique(regions):
        inside = regions == region
        if inside.sum() < 12:
            continue
        value = inverse[inside]
        terms = np.stack([np.ones_like(value), right[inside], down[inside]], 1)
        weight = np.ones_like(value)
        for _ in range(passes):
            plane = terms @ np.linalg.lstsq(terms * weight[:, None], value * weight, rcond=None)[0]
            weight = 1 / (1 + ((plane / value - 1) / reach) ** 2)
        result[inside] = plane.clip(value.min(), value.max())
    return -np.log(result)


def integrated(view: View, normals: Tensor, prior: float = 0.01, passes: int = 4, reach: float = 0.05) -> np.ndarray:
    """Log depth (H, W) whose steps are those of the normals wherever that is possible, near the predicted one.

    Least squares over steps d_q - d_p - g (:func:`depth_steps`), each weighted by 1 / (1 + (r / reach)²)² of its
    residual r, so that edges stay, and ``prior`` times the squared distance to the prediction.
    """
    start = view.depth.ravel()
    index = np.arange(start.size).reshape(view.depth.shape)
    ends = []
    for axis in (0, 1):
        steps = depth_steps(normals, view.intrinsics, 1, axis - 2).double().numpy()
        length = steps.shape[axis]
        known = np.isfinite(steps)
        near, far = index.take(range(length), axis), index.take(range(1, length + 1), axis)
        ends.append((near[known], far[known], steps[known]))
    near, far, steps = (np.concatenate(each) for each in zip(*ends, strict=True))
    count = np.arange(len(steps))
    entries = np.repeat([-1.0, 1.0], len(steps)), (np.tile(count, 2), np.concatenate([near, far]))
    difference = coo_array(entries, shape=(len(steps), start.size)).tocsc()
    depth = start
    for _ in range(passes):
        weight = (1 + ((difference @ depth - steps) / reach) ** 2) ** -2.0
        normal = difference.T @ diags_array(weight) @ difference + prior * eye_array(start.size)
        depth = spsolve(normal.tocsc(), difference.T @ (weight * steps) + prior * start)
    return depth.reshape(view.depth.shape)


def rows(views: list[View], given: str, pixels: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is known of pixels (N, F), log depth and normals first, and their true log depth (N,) and normals (N, 3)."""
    generator = np.random.default_rng(0)
    known, depths, normals = [], [], []
    for view in views:
        height, width = view.depth.shape
        depth = torch.from_numpy(view.depth).float()[None]
        row = torch.linspace(0, 1, height)[:, None].expand(1, height, width)
        parts = [depth, view.normals, view.length, depth.median().expand_as(depth), row, view.classes]
        if given == "true_classes":
            parts.append(nnf.one_hot(view.true_classes + 1, len(view.classes) + 1).permute(2, 0, 1).float())
        elif given == "true_normals":
            parts.append(view.true_normals)
        chosen = slice(None) if pixels is None else generator.choice(height * width, pixels, replace=False)
        known.append(torch.cat(parts).flatten(1).T.numpy()[chosen])
        depths.append(np.log(view.true_depth).ravel()[chosen])
        normals.append(view.true_normals.flatten(1).T.numpy()[chosen])
    return np.concatenate(known), np.concatenate(depths), np.concatenate(normals)


def corrected(fitted: list[View], measured: list[View], given: str) -> str:
    """The score of trees that were fitted to some views on others."""
    known, depth, normals = rows(fitted, given, PIXELS)
    test, true_depth, true_normals = rows(measured, given, None)
    found = test.copy()
    usable = np.isfinite(depth)
    trees = HistGradientBoostingRegressor(loss="absolute_error", max_iter=150, random_state=0)
    found[:, 0] += trees.fit(known[usable], depth[usable] - known[usable, 0]).predict(test)
    if given != "true_normals":
        usable = np.isfinite(normals).all(1)
        for axis in range(3):
            trees = HistGradientBoostingRegressor(max_iter=150, random_state=0)
            found[:, 1 + axis] = trees.fit(known[usable], normals[usable, axis]).predict(test)
    return score(found, true_depth, true_normals, normals=given != "true_normals")


def score(found: np.ndarray, depth: np.ndarray, true: np.ndarray, normals: bool = True) -> str:
    """Errors of the first four columns as text."""
    text = f"depth {np.nanmean(np.abs(np.exp(found[:, 0]) - np.exp(depth))):.4f}"
    if not normals:
        return text
    unit = found[:, 1:4] / np.linalg.norm(found[:, 1:4], axis=1, keepdims=True)
    angle = np.degrees(np.arccos((unit * true).sum(1).clip(-1, 1)))
    return f"{text}, normals {np.nanmean(angle):.2f}"


if __name__ == "__main__":
    main()
