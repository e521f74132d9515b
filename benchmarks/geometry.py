"""How good normals derived from depth are, what they cost, and how depth is best taught by normals.

python -m benchmarks geometry
python -m benchmarks.geometry --table nyuv2.csv --negate yz     also against the normals of a table (at 128x96)

The second table starts from a blurred depth with smooth noise, as parameters at half resolution, and lets Adam descend
each loss against the exact normals of four rooms: steps of log depth over some distances, with and without the bound
of the objective, or the angle between normals of fitted planes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from crosstask.data.labels.derive import DeriveTargets
from crosstask.data.loading.dataset import Dataset, TableDataset
from crosstask.data.sample import Batch, collate
from crosstask.data.table.table import read_table
from crosstask.data.transforms.chains import augmentation
from crosstask.data.transforms.geometry import Size
from crosstask.objectives import Step
from crosstask.objectives.geometry import DEPTH, Geometry
from crosstask.ops.geometry import normals_from_depth
from crosstask.rooms.dataset import RoomsDataset
from crosstask.tasks.depth import Depth
from crosstask.tasks.normals import Normals

COUNT = 20
STEPS = 150
RATES = (0.01, 0.03)


def derived(dataset: Dataset, given: Normals, size: Size) -> tuple[Tensor, float]:
    """Angles in degrees between derived and given normals of augmented images, and milliseconds per image."""
    tasks = {"depth": Depth("depth"), "normals": given}
    derive, augment = DeriveTargets({"normals": "depth"}, tasks, size), augmentation(size, colour=0)
    depth_only = dataset.keep(torch.tensor([[True, False]]).expand(len(dataset), 2))
    angles, spent = [], 0.0
    for index in range(min(COUNT, len(dataset))):
        sample = depth_only[index]
        start = time.process_time()
        sample = derive(sample, torch.Generator())
        spent += time.process_time() - start
        found, truth = (
            augment(each, torch.Generator().manual_seed(index)).targets["normals"].as_subclass(Tensor)
            for each in (sample, dataset[index])
        )
        cosine = (found * truth).sum(0)
        angles.append(torch.rad2deg(cosine[~cosine.isnan()].clamp(-1, 1).acos()))
    return torch.cat(angles), 1e3 * spent / len(angles)


def steps(batch: Batch, distances: Sequence[int], edge: float | None) -> Callable[[Tensor], Tensor]:
    """The loss of the objective, of log depths (B, 1, H, W)."""
    tasks = {"depth": Depth("depth"), "normals": Normals("normals")}
    objective = Geometry(tasks, None, teach="depth", distances=distances, edge=edge)  # type: ignore[arg-type]
    unlabelled = {**batch.targets, "depth": torch.full_like(batch.targets["depth"], torch.nan)}
    given = Batch(batch.images, unlabelled, batch.ids, None, batch.intrinsics, {})
    return lambda logs: objective(Step(given, None, {"depth": logs.exp()}, [], 0, 1))[DEPTH].mean()  # type: ignore[arg-type]


def angle(batch: Batch, window: int) -> Callable[[Tensor], Tensor]:
    """1 - cosine of the normals of planes fitted to the depth, of log depths (B, 1, H, W)."""

    def loss(logs: Tensor) -> Tensor:
        found = normals_from_depth(logs.exp(), batch.intrinsics, window, passes=1)
        cosine = (found * batch.targets["normals"]).sum(1)
        return 1 - cosine[~cosine.isnan()].mean()

    return loss


def descend(loss: Callable[[Tensor], Tensor], truth: Tensor, rate: float) -> tuple[float, float]:
    """Mean error of log depth before and after, each image shifted by its median error."""
    noise = 0.25 * torch.randn(len(truth), 1, 6, 9, generator=torch.Generator().manual_seed(0))
    blurred = F.avg_pool2d(F.pad(truth, [4] * 4, mode="replicate"), 9, 1)
    start = blurred + F.interpolate(noise, size=truth.shape[-2:], mode="bicubic")
    logs = F.avg_pool2d(start, 2).requires_grad_()
    optimiser = torch.optim.Adam([logs], lr=rate)

    def whole() -> Tensor:
        return F.interpolate(logs, scale_factor=2, mode="bilinear")

    def error() -> float:
        off = (whole().detach() - truth).flatten(1)
        return float((off - off.median(1, keepdim=True).values).abs().mean())

    before = error()
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss(whole()).backward()
        optimiser.step()
    return before, error()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", help="a table with depth (millimetres), normals and intrinsics")
    parser.add_argument("--negate", default="", help="axes of its normals to negate")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tasks = {"depth": Depth("depth"), "normals": Normals("normals")}
    sets: list[tuple[str, Dataset, Normals, Size]] = [
        ("rooms 96x64", RoomsDataset(COUNT, tasks, size=(64, 96)), tasks["normals"], (64, 96))  # type: ignore[list-item]
    ]
    if arguments.table:
        given = Normals("normals", negate=arguments.negate)
        table = TableDataset(read_table(arguments.table), {"depth": tasks["depth"], "normals": given}, "train")
        sets.append((f"{arguments.table} 128x96", table, given, (96, 128)))
    print(f"{'derived normals':24}  mean angle  median  below 11.25  ms per image")
    for name, dataset, given, size in sets:
        angles, cost = derived(dataset, given, size)
        near = 100 * (angles < 11.25).float().mean()
        print(f"{name:24}  {angles.mean():10.1f}  {angles.median():6.1f}  {near:9.0f} %  {cost:12.0f}")
    rooms = RoomsDataset(4, tasks, size=(64, 96))
    batch = collate([rooms[index] for index in range(4)])
    losses = {
        "steps over 1 and 4, bound 0.1": steps(batch, (1, 4), 0.1),
        "steps over 1, bound 0.1": steps(batch, (1,), 0.1),
        "steps over 1 and 4": steps(batch, (1, 4), None),
        "angle, window 3": angle(batch, 3),
        "angle, window 7": angle(batch, 7),
    }
    truth = batch.targets["depth"].log()
    print(f"\n{'depth taught by normals':30}  error of log depth, before and after {STEPS} steps at the better rate")
    for name, loss in losses.items():
        before, after = min((descend(loss, truth, rate) for rate in RATES), key=lambda pair: pair[1])
        print(f"{name:30}  {before:.3f}  {after:.3f}")


if __name__ == "__main__":
    main()
