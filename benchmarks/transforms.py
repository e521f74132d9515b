"""What each transform costs for one sample of 256x192 with semantic, depth and normal maps and regions.

One thread, processor time: fastest tenth and median of 300 calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torchvision import tv_tensors

from crosstask.data.sample import Sample
from crosstask.data.transforms.chains import ColourJitter, Fit, Flip, ScaleCrop, Strong, augmentation
from crosstask.tasks import DepthMap, NormalMap, Regions, SemanticMap
from crosstask.tasks.targets import as_target

SIZE = (192, 256)


def sample() -> Sample:
    """Random content."""
    normals = torch.randn(3, *SIZE)
    targets = {
        "semantic": as_target(SemanticMap, torch.randint(0, 13, SIZE)),
        "depth": as_target(DepthMap, torch.rand(1, *SIZE)),
        "normals": as_target(NormalMap, normals / (normals**2).sum(0).sqrt()),
    }
    regions = as_target(Regions, torch.randint(0, 50, SIZE, dtype=torch.int32))
    return Sample("sample", tv_tensors.Image(torch.rand(3, *SIZE)), targets, regions)


def milliseconds(call: Callable[[], object], calls: int = 300) -> tuple[float, float]:
    """Processor time of the fastest tenth of the calls and of the median call."""
    times = []
    for _ in range(calls):
        start = time.thread_time()
        call()
        times.append(1000 * (time.thread_time() - start))
    times.sort()
    return times[calls // 10], times[calls // 2]


def main() -> None:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    given = sample()
    transforms = {
        "augmentation": augmentation(SIZE),
        "scale-crop": ScaleCrop(SIZE),
        "flip": Flip(1.0),
        "colour jitter": ColourJitter(),
        "strong": Strong(),
        "fit to 96x128": Fit((96, 128)),
    }
    print(f"{'transform':<16}{'fast (ms)':>12}{'median (ms)':>14}")
    for name, transform in transforms.items():
        fast, middle = milliseconds(lambda transform=transform: transform(given, generator))
        print(f"{name:<16}{fast:>12.2f}{middle:>14.2f}")


if __name__ == "__main__":
    main()
