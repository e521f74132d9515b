"""Region moments, distances and whole training steps on a GPU, beside what the device can do.

Limits are measured in the same run: products of large matrices and copies of large tensors. The work of a row is
counted for the least it takes (moments: 2 N C^2 multiplications and additions per pass, features read or written three
times; exact distances: 30 products of C x C matrices per pair), so that its share of a limit says how far from it we
are. Times are medians, forward and backward; peak memory is above what was there before.

python -m benchmarks gpu
python -m benchmarks.gpu --device cpu --eager     a dry run in small sizes: the numbers mean nothing
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.gaussians import contrast, voronoi
from benchmarks.steps import CASES, one_label_batch, training_step
from crosstask.ops.gaussians import RegionIndex, index_regions, region_moments, wasserstein2

ROUNDS = 20
PRODUCTS = 30
"""Matrix products per exact pair: one for A^T B, 27 of the polar iteration, two of the gradient."""


class Sizes(NamedTuple):
    """How large everything is."""

    matrix: int
    copy: int
    maps: tuple[int, int]
    channels: tuple[int, ...]
    regions: tuple[int, ...]
    images: int
    encoder: str
    image: tuple[int, int]


FULL = Sizes(8192, 2**30, (144, 192), (32, 128), (50, 150), 8, "hrnet_w18", (192, 256))
SMALL = Sizes(256, 2**20, (24, 32), (8,), (5,), 2, "small", (32, 64))


class Device:
    """A device and its clock.

    Attributes:
        matmul: multiplications and additions per second of a large float32 product.
        copy: bytes per second, read and written.
    """

    def __init__(self, name: str, sizes: Sizes) -> None:
        self.name, self.cuda = name, name == "cuda"
        self.title = torch.cuda.get_device_name() if self.cuda else name
        square = torch.randn(sizes.matrix, sizes.matrix, device=name)
        self.matmul = 2 * sizes.matrix**3 / self.seconds(lambda: square @ square)
        self.half = 2 * sizes.matrix**3 / self.seconds(lambda half=square.bfloat16(): half @ half)
        first, second = (torch.empty(sizes.copy, dtype=torch.uint8, device=name) for _ in range(2))
        self.copy = 2 * sizes.copy / self.seconds(lambda: first.copy_(second))

    def now(self) -> float:
        """Seconds, after all that was asked for is done."""
        if self.cuda:
            torch.cuda.synchronize()
        return time.perf_counter()

    def seconds(self, function: Callable[[], object], rounds: int = ROUNDS) -> float:
        """Median time of a function, after three calls to warm up."""
        times = []
        for _ in range(rounds + 3):
            start = self.now()
            function()
            times.append(self.now() - start)
        return median(times[3:])

    def peak(self, function: Callable[[], object]) -> float:
        """Most bytes a call takes above what was there; NaN where it cannot be told."""
        if not self.cuda:
            return float("nan")
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        function()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before


class Row(NamedTuple):
    """One line of the table; ``flops`` and ``bytes`` are what it takes at least, 0 where not counted."""

    what: str
    run: Callable[[], object]
    flops: float = 0.0
    bytes: float = 0.0
    compiled: Callable[[], object] | None = None


def moments(sizes: Sizes, device: str) -> list[Row]:
    """Moments of the regions of a batch, and their gradient."""
    rows = []
    for channels in sizes.channels:
        for count in sizes.regions:
            features, index = made(sizes, channels, count, device)

            def run(features=features, index=index) -> None:
                leaf = features.detach().requires_grad_()
                mean, covariance = region_moments(leaf, index)[:2]
                (mean.sum() + covariance.square().sum()).backward()

            work, traffic = 4 * len(index.pixel) * channels**2, 3 * features.nbytes
            rows.append(Row(f"moments, C={channels}, M={count}", run, work, traffic))
    return rows


def distances(sizes: Sizes, device: str) -> list[Row]:
    """InfoNCE on all pairs of the regions of one image, and its gradient with respect to their moments."""
    rows = []
    for channels in sizes.channels:
        for count in sizes.regions:
            features, index = made(sizes._replace(images=2), channels, count, device)
            first, second = (
                [value[index.image == image] for value in region_moments(features, index)[:2]] for image in (0, 1)
            )
            least = min(len(first[0]), len(second[0]))
            for mode in ("exact", "fast"):

                def run(mode=mode, first=first, second=second, least=least) -> None:
                    a, b = ([value[:least].detach().requires_grad_() for value in each] for each in (first, second))
                    distance = wasserstein2(*a, *b, mode=mode)
                    contrast(distance, distance.detach().median() / 8).backward()

                work = PRODUCTS * 2 * channels**3 * least**2 if mode == "exact" else 0
                rows.append(Row(f"distances, {mode}, C={channels}, M={count}", run, work))
    return rows


def made(sizes: Sizes, channels: int, count: int, device: str) -> tuple[Tensor, RegionIndex]:
    """Random features and regions of skewed size."""
    rng = torch.Generator().manual_seed(0)
    regions = torch.cat([voronoi(*sizes.maps, count, rng) for _ in range(sizes.images)])
    features = torch.randn(sizes.images, channels, *sizes.maps, generator=rng)
    return features.to(device), index_regions(regions.to(device))


def steps(sizes: Sizes, device: str, compiled: bool) -> list[Row]:
    """Whole training steps."""
    batch = one_label_batch(sizes.images, sizes.image)
    rows = []
    for name in ("supervised", "vector", "gaussian-16", "gaussian-32"):
        objectives = CASES[name].objectives if name in CASES else {}
        run = training_step({"encoder": sizes.encoder}, objectives, batch, device)
        fast = training_step({"encoder": sizes.encoder}, objectives, batch, device, True) if compiled else None
        rows.append(Row(f"step, {sizes.encoder}, {name}", run, compiled=fast))
    return rows


def report(device: Device, rows: list[Row]) -> None:
    """A table that a page of the docs can take as it is."""
    print("\n| what | ms | ms, compiled | of matmul limit | of copy limit | peak, MB |\n|---|---|---|---|---|---|")
    for row in rows:
        seconds = device.seconds(row.run)
        compiled = "" if row.compiled is None else f"{1e3 * device.seconds(row.compiled):.2f}"
        matmul = f"{row.flops / seconds / device.matmul:.1%}" if row.flops else ""
        copied = f"{row.bytes / seconds / device.copy:.1%}" if row.bytes else ""
        peak = f"{device.peak(row.run) / 1e6:.0f}"
        print(f"| {row.what} | {1e3 * seconds:.2f} | {compiled} | {matmul} | {copied} | {peak} |", flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.gpu")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu is a dry run in small sizes")
    parser.add_argument("--eager", action="store_true", help="leave torch.compile out")
    options = parser.parse_args(arguments or [])
    if options.device == "cuda" and not torch.cuda.is_available():
        print("benchmarks gpu: there is no CUDA device here", file=sys.stderr)
        return 1
    sizes = FULL if options.device == "cuda" else SMALL
    device = Device(options.device, sizes)
    print(
        f"{device.title}, torch {torch.__version__}: matmul {device.matmul / 1e12:.3g} TFLOP/s in float32, "
        f"{device.half / 1e12:.3g} in bfloat16, copy {device.copy / 1e9:.4g} GB/s; "
        f"{sizes.images} maps of {sizes.maps[0]}x{sizes.maps[1]}, {ROUNDS} rounds"
    )
    report(device, moments(sizes, options.device) + distances(sizes, options.device))
    report(device, steps(sizes, options.device, not options.eager))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
