"""Region moments and Wasserstein distances against plain loops: times, ratios, accuracy and memory.

One thread, processor time, medians of interleaved rounds. "Ours" always includes the moments of both maps and the
gradient down to the pixels. The loops over pairs run on a sample of pairs, scaled to all; the sqrtm loop is given its
covariances and has no gradient. Each part runs in a process of its own in which scipy's BLAS is held to one thread:
with two on a busy machine a sqrtm of 128 x 128 was seen to take 200 times as long.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from statistics import median

import scipy.linalg
import torch
from torch import Tensor

from crosstask.ops.gaussians import Moments, region_moments, wasserstein2

ROUNDS = 3
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}


def voronoi(height: int, width: int, count: int, generator: torch.Generator) -> Tensor:
    """Regions of skewed size, (1, H, W)."""
    seeds = torch.rand(count, 2, generator=generator) ** 1.5 * torch.tensor([height, width])
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    distance = (rows[..., None] - seeds[:, 0]) ** 2 + (columns[..., None] - seeds[:, 1]) ** 2
    return distance.argmin(-1)[None]


def feature_maps(channels: int, regions: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Two related maps (1, C, H, W); every region has its own mean, rotation and spectrum (falling as 1 / k)."""
    shape = (2, channels, regions.numel())
    maps = torch.randn(shape, generator=generator)
    spectrum = torch.arange(1, channels + 1).float() ** -0.5
    common = torch.linalg.qr(torch.randn(channels, channels, generator=generator)).Q
    for region in regions.unique():
        inside = regions.flatten() == region
        for one in maps:
            near = common + 0.5 * torch.randn(channels, channels, generator=generator) / channels**0.5
            scale = spectrum * torch.exp(0.3 * torch.randn(channels, generator=generator))
            mean = 0.3 * torch.randn(channels, 1, generator=generator)
            one[:, inside] = torch.linalg.qr(near).Q @ (scale[:, None] * one[:, inside]) + mean
    maps[1] += 0.3 * maps[0]
    first, second = maps.view(2, 1, channels, *regions.shape[1:])
    return first, second


def spent(function: Callable[[], object]) -> float:
    """Processor seconds."""
    start = time.process_time()
    function()
    return time.process_time() - start


def interleaved(functions: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Median processor seconds of each."""
    times = [{name: spent(function) for name, function in functions.items()} for _ in range(rounds)]
    return {name: median(row[name] for row in times) for name in functions}


def loop_moments(features: Tensor, regions: Tensor) -> tuple[Tensor, Tensor]:
    """One region at a time."""
    pixels = [features[0][:, regions[0] == region] for region in regions.unique()]
    return torch.stack([x.mean(1) for x in pixels]), torch.stack([torch.cov(x) for x in pixels])


def eigh_distance(mean_a: Tensor, a: Tensor, mean_b: Tensor, b: Tensor) -> Tensor:
    """One pair, by eigenvectors and autograd."""
    values, vectors = torch.linalg.eigh(a)
    root = (vectors * values.clamp_min(1e-8).sqrt()) @ vectors.T
    fidelity = torch.linalg.eigvalsh(root @ b @ root).clamp_min(1e-8).sqrt().sum()
    return (mean_a - mean_b).square().sum() + a.trace() + b.trace() - 2 * fidelity


def contrast(distance: Tensor, temperature: Tensor) -> Tensor:
    """InfoNCE in both directions."""
    rows, columns = (torch.log_softmax(-distance / temperature, dim).diagonal().mean() for dim in (0, 1))
    return -(rows + columns)


def pixel_gradients(first: Tensor, second: Tensor, regions: Tensor, mode: str) -> list[Tensor]:
    """Gradients of a contrast of two maps with respect to both."""
    leaves = [x.detach().requires_grad_() for x in (first, second)]
    a, b = (region_moments(x, regions) for x in leaves)
    distance = wasserstein2(a.mean, a.covariance, b.mean, b.covariance, mode=mode)
    contrast(distance, distance.detach().median() / 8).backward()
    return [x.grad for x in leaves]


def moments() -> None:
    """Forward and backward of the moments of one map."""
    generator = torch.Generator().manual_seed(0)
    print(f"\n{'moments, forward + backward':42}{'loop ms':>10}{'ours ms':>10}{'ratio':>9}{'required':>10}")
    for count in (50, 150):
        regions = voronoi(144, 192, count, generator)
        features, _ = feature_maps(128, regions, generator)
        weight = torch.randn(128, 128, generator=generator)

        def step(function, features=features, regions=regions, weight=weight):
            leaf = features.detach().requires_grad_()
            mean, covariance = function(leaf, regions)[:2]
            (mean.sum() + (covariance * weight).sum()).backward()

        times = interleaved({"loop": lambda: step(loop_moments), "ours": lambda: step(region_moments)}, 5)
        row = (times["loop"] * 1e3, times["ours"] * 1e3, times["loop"] / times["ours"])
        need = "5" if count == 50 else ""
        print(f"{f'C=128, 144x192, M={count}':42}{row[0]:10.0f}{row[1]:10.0f}{row[2]:9.1f}{need:>10}")


def sampled(a: Moments, b: Moments, pairs: int) -> dict[str, Callable[[], object]]:
    """The two loops over a sample of pairs."""
    chosen = [(k * len(a.count) // pairs, (7 * k + 3) % len(b.count)) for k in range(pairs)]
    covariances = [(a.covariance[i].double().numpy(), b.covariance[j].double().numpy()) for i, j in chosen]

    def by_sqrtm() -> None:
        for s, t in covariances:
            scipy.linalg.sqrtm(s @ t)

    def by_eigh() -> None:
        m, s, n, t = (x.detach().requires_grad_() for x in (*a[:2], *b[:2]))
        sum(eigh_distance(m[i], s[i], n[j], t[j]) for i, j in chosen).backward()

    return {"sqrtm": by_sqrtm, "eigh": by_eigh}


def distances() -> None:
    """All pairs, moments and pixel gradient included."""
    print(f"\n{'all pairs of M x M, milliseconds':34}{'sqrtm loop':>12}{'eigh loop':>11}{'ours':>8}", end="")
    print(f"{'x sqrtm':>9}{'needs':>7}{'x eigh':>8}{'needs':>7}")
    generator = torch.Generator().manual_seed(0)
    cases = [
        (32, (72, 96), 50, {"exact": (3.5, 5)}),
        (64, (72, 96), 50, {"exact": (3.5, 2), "fast": (None, None)}),
        (128, (144, 192), 50, {"exact": (3.5, 1.2), "fast": (15, 5)}),
        (128, (144, 192), 150, {"fast": (30, None)}),
    ]
    for channels, size, count, modes in cases:
        regions = voronoi(*size, count, generator)
        first, second = feature_maps(channels, regions, generator)
        a, b = region_moments(first, regions), region_moments(second, regions)
        pairs = 20 if channels == 128 else 60
        functions = sampled(a, b, pairs)
        for mode in modes:
            functions[mode] = lambda mode=mode, x=(first, second, regions): pixel_gradients(*x, mode)
        times = interleaved(functions)
        sqrtm, eigh = (times[name] * len(a.count) ** 2 / pairs for name in ("sqrtm", "eigh"))
        for mode, needs in modes.items():
            label = f"{mode}, C={channels}, {size[0]}x{size[1]}, M={count}"
            line = f"{label:34}{sqrtm * 1e3:12.0f}{eigh * 1e3:11.0f}{times[mode] * 1e3:8.0f}"
            for loop, need in zip((sqrtm, eigh), needs, strict=True):
                line += f"{loop / times[mode]:{9 if loop is sqrtm else 8}.1f}{need or '':>7}"
            print(line, flush=True)
        if "fast" in modes and "exact" in modes:
            exact, fast = (
                torch.cat(pixel_gradients(first, second, regions, mode)).double() for mode in ("exact", "fast")
            )
            cosine = ((exact * fast).sum() / exact.norm() / fast.norm()).item()
            print(f"    cosine of the pixel gradients, fast and exact, C={channels}: {cosine:.5f} (needs 0.995)")


def memory(mode: str) -> None:
    """Peak resident memory above the inputs of one step, sampled every millisecond (Linux)."""
    generator = torch.Generator().manual_seed(0)
    regions = voronoi(144, 192, 50, generator)
    first, second = feature_maps(128, regions, generator)
    pixel_gradients(first[:, :8], second[:, :8], regions, mode)
    resident, done = [], threading.Event()

    def watch() -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        with open("/proc/self/statm") as statm:
            while not done.is_set():
                statm.seek(0)
                resident.append(int(statm.read().split()[1]) * page)
                time.sleep(0.001)

    thread = threading.Thread(target=watch)
    thread.start()
    time.sleep(0.05)
    base = resident[-1]
    pixel_gradients(first, second, regions, mode)
    done.set()
    thread.join()
    need = ", needs 110" if mode == "fast" else ""
    print(f"{mode}, C=128, 144x192, M=50: peak {(max(resident) - base) / 1e6:.0f} MB above the inputs{need}")


def main() -> None:
    """Run every part in its own process."""
    for arguments in (["moments"], ["distances"], ["memory", "fast"], ["memory", "exact"]):
        command = [sys.executable, "-m", "benchmarks.gaussians", *arguments]
        subprocess.run(command, check=True, env=os.environ | ONE_THREAD)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if len(sys.argv) > 1:
        {"moments": moments, "distances": distances, "memory": memory}[sys.argv[1]](*sys.argv[2:])
    else:
        main()
