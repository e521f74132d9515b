"""Samples a second from a table of files: image, three dense targets and regions, read, augmented or not, and batched.

Beside it, the same files through the transforms of torchvision (v2) and PyTorch's own loader: the image stays in 8 bits
until the end, labels are taken at the nearest pixel, depth is not divided by the zoom and normals are not mirrored.

Uses the folder of NYU-v2 (``rgb``, ``semseg13``, ``depth``, ``normal``) given as the first argument, or the one beside
the checkout, or noise.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from crosstask.data.decode.files import load_image, load_label
from crosstask.data.loading.dataset import TableDataset
from crosstask.data.loading.loader import training_loader
from crosstask.data.table.table import Table
from crosstask.data.transforms.chains import augmentation, evaluation
from crosstask.tasks.depth import Depth
from crosstask.tasks.normals import Normals
from crosstask.tasks.segmentation import Segmentation

SIZE = (192, 256)
COUNT = 200
BATCH = 16
TASKS = {
    "semseg13": Segmentation("semseg13", classes=13),
    "depth": Depth("depth"),
    "normal": Normals("normal", negate="yz"),
}


def smooth_noise(path: Path, seed: int, high: int, dtype: type, channels: int = 1) -> None:
    """A picture of 12x16 blocks, about as compressible as a label."""
    shape = (SIZE[0] // 16, SIZE[1] // 16, channels)
    blocks = np.random.default_rng(seed).integers(0, high, shape, dtype=dtype).repeat(16, 0).repeat(16, 1)
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(blocks if channels > 1 else blocks[..., 0]).save(path)


def table_of(root: Path, source: Path | None) -> Table:
    """``COUNT`` rows; the regions are always made here, below ``root``."""
    rows = []
    names = sorted(path.stem for path in (source / "rgb").iterdir())[:COUNT] if source else map(str, range(COUNT))
    for index, name in enumerate(names):
        files = {"image": f"rgb/{name}.jpg", "normal": f"normal/{name}.jpg"}
        files |= {"semseg13": f"semseg13/{name}.png", "depth": f"depth/{name}.png"}
        if source is None:
            smooth_noise(root / files["image"], index, 256, np.uint8, 3)
            smooth_noise(root / files["semseg13"], index, 13, np.uint8)
            smooth_noise(root / files["depth"], index, 9000, np.uint16)
            np_path = root / files["normal"]
            np_path.parent.mkdir(exist_ok=True)
            Image.new("RGB", SIZE[::-1], (128, 128, 0)).save(np_path)
        smooth_noise(root / f"regions/{name}.png", index, 300, np.uint16)
        base = os.path.relpath(source or root, root)
        rows.append({**{c: f"{base}/{cell}" for c, cell in files.items()}, "regions": f"regions/{name}.png"})
    return Table(root / "table.csv", ("image", *TASKS, "regions"), rows)


class WithTorchvision(Dataset):
    """The same samples as a user of torchvision alone would read and augment them."""

    def __init__(self, table: Table) -> None:
        columns = ("image", *TASKS, "regions")
        self.paths = [[table.resolve(index, column) for column in columns] for index in range(len(table))]
        self.moved = v2.Compose([
            v2.RandomResizedCrop(SIZE, scale=(1 / 2.25, 1.0), ratio=(4 / 3, 4 / 3)),
            v2.RandomHorizontalFlip(),
        ])  # fmt: skip
        self.coloured = v2.Compose([v2.ColorJitter(0.2, 0.2, 0.2, 0.05), v2.ToDtype(torch.float32, scale=True)])

    def __len__(self) -> int:
        return 50 * len(self.paths)

    def __getitem__(self, index: int) -> list[torch.Tensor]:
        first, *others = (np.array(Image.open(path)) for path in self.paths[index % len(self.paths)])
        masks = [torch.from_numpy(np.atleast_3d(each.astype(np.float32))).permute(2, 0, 1) for each in others]
        image, *labels = self.moved(
            tv_tensors.Image(torch.from_numpy(first).permute(2, 0, 1)), *map(tv_tensors.Mask, masks)
        )
        return [self.coloured(image), *labels]


def per_second(items: Iterable[object], count: int, each: int = 1) -> float:
    iterator = iter(items)
    next(iterator)
    start = time.perf_counter()
    done = sum(1 for _ in islice(iterator, count))
    return done * each / (time.perf_counter() - start)


def main() -> None:
    torch.set_num_threads(1)
    beside = Path(__file__).parents[2] / "shared" / "data" / "nyuv2" / "train"
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else beside if beside.is_dir() else None
    with tempfile.TemporaryDirectory() as folder:
        table = table_of(Path(folder), source)
        dataset = TableDataset(table, TASKS, regions=True)
        print(f"{source or 'noise'}, {SIZE[0]}x{SIZE[1]}, image + {len(TASKS)} dense targets + regions")
        for column in ("image", *TASKS, "regions"):
            load = load_image if column == "image" else load_label
            rate = per_second((load(table.resolve(i, column)) for i in range(len(table))), len(table))
            print(f"{'decode ' + column:32} {rate:8.0f} files/s")
        rate = per_second((dataset[i] for i in range(len(dataset))), len(dataset))
        print(f"{'samples':32} {rate:8.0f} samples/s")
        for what, transform in (("batches", evaluation(SIZE)), ("augmented batches", augmentation(SIZE))):
            for workers in (0, 1, 2):
                start = time.perf_counter()
                batches = training_loader(dataset, transform, batch_size=BATCH, seed=0, workers=workers)
                first = next(batches)
                began = time.perf_counter() - start
                rate = per_second(batches, 40, len(first))
                print(f"{f'{what}, {workers} workers':32} {rate:8.0f} samples/s, first after {began:.2f} s")
        for workers in (0, 1, 2):
            loader = DataLoader(WithTorchvision(table), BATCH, shuffle=True, num_workers=workers)
            print(f"{f'torchvision, {workers} workers':32} {per_second(loader, 40, BATCH):8.0f} samples/s")


if __name__ == "__main__":
    main()
