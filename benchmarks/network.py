"""Cost of the network alone: a training step (forward, backward) of three dense tasks, batch 8, on the CPU.

Processor time of one thread, so that other work on the machine disturbs little.
"""

from __future__ import annotations

import time
from statistics import median

import torch
from torch import nn

from crosstask.networks import MultiTaskNetwork, describe
from crosstask.tasks import KINDS

ENCODERS = ("small", "mobilenetv3_small_050", "resnet18", "hrnet_w18_small_v2")
SIZES = ((64, 96), (96, 128), (192, 256))
BATCH = 8


def build(encoder: str) -> MultiTaskNetwork:
    """The network for the three tasks of NYU-v2, in channels_last."""
    tasks = {
        "semantic": KINDS["segmentation"]("semantic", classes=13),
        "depth": KINDS["depth"]("depth"),
        "normals": KINDS["normals"]("normals"),
    }
    return MultiTaskNetwork(tasks, encoder).to(memory_format=torch.channels_last)


def milliseconds(network: nn.Module, size: tuple[int, int], half: bool, seconds: float = 1.0) -> tuple[float, float]:
    """Median and best time of a step, over at least three steps after two to warm up."""
    images = torch.rand(BATCH, 3, *size).contiguous(memory_format=torch.channels_last)
    times: list[float] = []
    while len(times) < 5 or sum(times) < seconds * 1e3:
        start = time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            losses = [prediction.float().square().mean() for prediction in network(images).values()]
        network.zero_grad()
        torch.stack(losses).sum().backward()
        times.append((time.process_time() - start) * 1e3)
    return median(times[2:]), min(times[2:])


def main() -> None:
    torch.set_num_threads(1)
    print(f"one thread, batch {BATCH}, channels_last; median (best) ms per step")
    print(f"{'encoder':24}{'size':>9}{'M params':>10}{'GFLOP/img':>11}{'fp32':>16}{'bf16 autocast':>16}")
    for encoder in ENCODERS:
        for size in SIZES:
            network = build(encoder)
            facts = describe(network, size)
            row = f"{encoder:24}{'x'.join(map(str, size)):>9}"
            row += f"{facts['parameters'] / 1e6:10.2f}{facts['flops'] / 1e9:11.3f}"
            for half in (False, True):
                middle, best = milliseconds(network, size, half)
                row += f"{f'{middle:.0f} ({best:.0f})':>16}"
            print(row, flush=True)


if __name__ == "__main__":
    main()
