"""A picture of what a network has learned: images, labels and predictions in rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from PIL import Image
from torch import Tensor, nn

from crosstask.data.sample import Sample
from crosstask.evaluation.evaluate import evaluating
from crosstask.evaluation.sheet import legend_strip, sheet, shrunk, stacked
from crosstask.tasks.base import Task


@torch.inference_mode()
def gallery(network: nn.Module, samples: Iterable[Sample], tasks: Mapping[str, Task]) -> Image.Image:
    """One row per sample: the image, and for each task its label ("no label" is grey) and the prediction.

    Args:
        network: images (B, 3, H, W) to raw predictions by task, on the CPU.
        samples: what to show.
        tasks: the tasks to show.
    """
    shown = list(samples)
    values: dict[str, list[Tensor]] = {name: [] for name in tasks}
    with evaluating(network):
        for sample in shown:
            predictions = network(sample.image.as_subclass(Tensor)[None])
            for name, task in tasks.items():
                values[name].append(task.decide(predictions[name])[0])
    labels = {name: [sample.targets[name].as_subclass(Tensor) for sample in shown] for name in tasks}
    ranges = {name: task.range_of([*labels[name], *values[name]]) for name, task in tasks.items()}
    rows = []
    for index, sample in enumerate(shown):
        panels = [("image", shrunk(sample.image.as_subclass(Tensor), sample.size))]
        for name, task in tasks.items():
            label = sample.targets[name]
            known = bool(task.known(label).any())
            for caption, value in ((f"{name}: {'label' if known else 'no label'}", label), (name, values[name][index])):
                panels.append((caption, task.picture(value, sample.size, ranges[name])))
        rows.append(sheet(panels))
    legends = {name: task.legend([*labels[name], *values[name]], ranges[name]) for name, task in tasks.items()}
    return stacked([*rows, legend_strip(legends, max(row.width for row in rows))])
