"""What distribution matching and soft co-annotation add to a training step of a ResNet-18.

Seven expressions, seventeen action units, half of the images labelled for either. Processor time of one thread:
forward and backward of both losses, down to the predictions, as a share of the whole step (forward, supervised loss,
backward, optimiser).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch

from crosstask.data.sample import Batch
from crosstask.networks import MultiTaskNetwork
from crosstask.objectives import OBJECTIVES, Step
from crosstask.relatedness import read_relatedness
from crosstask.tasks import KINDS

SETTINGS = ((8, 112), (32, 112), (8, 224))
"""Batch size and side of the images."""
PAIR = {"classes": "expression", "attributes": "units", "relatedness": "du2014_basic"}


def milliseconds(function: Callable[[], object], repeats: int) -> float:
    """Median processor time."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(1e3 * (time.process_time() - start))
    return median(times)


def measure(size: int, side: int, repeats: int = 9) -> tuple[float, float]:
    """Milliseconds of a step, and of both losses."""
    table = read_relatedness("du2014_basic")
    tasks = {
        "expression": KINDS["category"]("expression", classes=list(table.classes)),
        "units": KINDS["tags"]("units", classes=list(table.attributes)),
    }
    network = MultiTaskNetwork(tasks, "resnet18").to(memory_format=torch.channels_last)
    supervised = OBJECTIVES["supervised"](tasks, network)
    coupling = [OBJECTIVES[name](tasks, network, **PAIR) for name in ("distribution_matching", "soft_coannotation")]
    optimiser = torch.optim.AdamW(network.parameters())
    targets = {"expression": torch.randint(7, (size,)), "units": torch.randint(2, (size, 17)).float()}
    targets["expression"][::2] = -1
    targets["units"][1::2] = torch.nan
    images = torch.rand(size, 3, side, side).contiguous(memory_format=torch.channels_last)
    batch = Batch(images, targets, [""] * size, None, torch.zeros(size, 4), {})

    def step() -> None:
        predictions = network(images)
        terms = supervised(Step(batch, network, predictions, [], 0, 1))
        optimiser.zero_grad()
        torch.stack([term.mean() for term in terms.values()]).sum().backward()
        optimiser.step()

    leaves = {name: prediction.detach().requires_grad_() for name, prediction in network(images).items()}

    def losses() -> None:
        now = Step(batch, network, leaves, [], 0, 1)
        terms = [term.mean() for objective in coupling for term in objective(now).values()]
        torch.stack(terms).sum().backward()

    for function in (step, losses):
        function()
    return milliseconds(step, repeats), milliseconds(losses, 20 * repeats)


def main() -> None:
    torch.set_num_threads(1)
    print(f"{'batch':>6}{'image':>9}{'step, ms':>10}{'losses, ms':>12}{'share':>9}   aim < 3 %")
    for size, side in SETTINGS:
        step, losses = measure(size, side)
        print(f"{size:>6}{f'{side}x{side}':>9}{step:>10.0f}{losses:>12.2f}{100 * losses / step:>8.2f}%", flush=True)


if __name__ == "__main__":
    main()
