"""What Space Engage costs beside the teacher's forward and the strong second view, which any such method needs.

A training step (forward, backward, moving averages) of a segmentation network, batch 8. Processor time of one thread,
so that other work on the machine disturbs little; the rounds of all kinds of step take turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from crosstask.data.sample import Batch
from crosstask.networks import MultiTaskNetwork
from crosstask.objectives.base import Objective, Step
from crosstask.objectives.shared.teacher import Teacher
from crosstask.objectives.spaces.spaces import SpaceEngage
from crosstask.tasks import KINDS, Task

BATCH, CLASSES = 8, 11


class Setting(NamedTuple):
    """A network and the size of its images."""

    name: str
    size: tuple[int, int]
    network: dict


DEEPLAB = {"encoder": "resnet18", "encoder_options": {"output_stride": 16}, "decoder": "deeplabv3plus"}
SETTINGS = (
    Setting("small", (96, 128), {"encoder": "small"}),
    Setting("small", (192, 256), {"encoder": "small"}),
    Setting("resnet18, DeepLabV3+", (96, 128), DEEPLAB),
)


def batch_of(size: tuple[int, int]) -> Batch:
    """Blocks of colours and classes; half of the images have labels."""
    rng = torch.Generator().manual_seed(0)
    blocks = torch.randint(CLASSES, (BATCH, 1, 6, 8), generator=rng)
    labels = F.interpolate(blocks.float(), size=size)[:, 0].long()
    images = F.interpolate(torch.rand(BATCH, 3, 12, 16, generator=rng), size=size, mode="bilinear")
    labels[BATCH // 2 :] = -1
    images = images.contiguous(memory_format=torch.channels_last)
    return Batch(images, {"semantic": labels}, [str(i) for i in range(BATCH)], None, torch.empty(BATCH, 4), {})


def steps(setting: Setting, tasks: dict[str, Task]) -> dict[str, Callable[[], None]]:
    """The kinds of step: supervised alone, with a teacher's forward and a second view, and with Space Engage."""
    torch.manual_seed(0)
    network = MultiTaskNetwork(tasks, **setting.network).to(memory_format=torch.channels_last)
    objective = SpaceEngage(tasks, network, threshold=0.2).train()
    teacher = Teacher(network)
    batch = batch_of(setting.size)

    def supervised() -> tuple[Step, Tensor]:
        features = network.features(batch.images)
        predictions = network.heads_forward(features, setting.size)
        step = Step(batch, network, predictions, features, 0, 1, torch.Generator().manual_seed(0))
        return step, tasks["semantic"].loss(predictions["semantic"], batch.targets["semantic"]).mean()

    def backward(loss: Tensor, *modules: torch.nn.Module) -> None:
        for module in modules:
            module.zero_grad()
        loss.backward()

    def plain() -> None:
        backward(supervised()[1], network)

    def two_views() -> None:
        step, loss = supervised()
        with torch.no_grad():
            labels = teacher.module(batch.images)["semantic"].max(1).indices
        view = objective.view(batch.images, step.generator, labels)
        seen = network(view.images)["semantic"]
        backward(loss + tasks["semantic"].loss(seen, view.move(labels, -1)).mean(), network)
        teacher.update(network)

    def engaged() -> None:
        step, loss = supervised()
        backward(loss + _total(objective, step), network, objective)
        objective.after_step(network, 0)

    return {"supervised": plain, "teacher and second view": two_views, "Space Engage": engaged}


def _total(objective: Objective, step: Step) -> Tensor:
    return torch.stack([term.mean() for term in objective(step).values()]).sum()


def milliseconds(kinds: dict[str, Callable[[], None]], rounds: int = 9) -> dict[str, float]:
    """Median time of each kind of step, after two to warm up."""
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds + 2):
        for name, step in kinds.items():
            start = time.process_time()
            step()
            times[name].append((time.process_time() - start) * 1e3)
    return {name: median(values[2:]) for name, values in times.items()}


def main() -> None:
    torch.set_num_threads(1)
    tasks: dict[str, Task] = {"semantic": KINDS["segmentation"]("semantic", classes=CLASSES)}
    print(f"one thread, batch {BATCH}, {CLASSES} classes, half of the images labelled; median ms per step")
    print(f"{'network':24}{'size':>9}{'supervised':>12}{'+ teacher, view':>17}{'Space Engage':>14}{'rest':>7}")
    for setting in SETTINGS:
        found = milliseconds(steps(setting, tasks))
        plain, views, engaged = found.values()
        row = f"{setting.name:24}{'x'.join(map(str, setting.size)):>9}{plain:12.0f}{views:17.0f}{engaged:14.0f}"
        print(f"{row}{(engaged - views) / engaged:7.0%}", flush=True)


if __name__ == "__main__":
    main()
