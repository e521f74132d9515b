"""A picture of what a network has learned: images, labels and predictions in rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from PIL import Image
from torch import nn

from crosstask.data.sample import Sample
from crosstask.evaluation.evaluate import evaluating
from crosstask.evaluation.sheet import sheet, shrunk
from crosstask.tasks.base import Task


@torch.inference_mode()
def gallery(network: nn.Module, samples: Iterable[Sample], tasks: Mapping[str, Task]) -> Image.Image:
    """One row per sample: the image, and for each task its label ("no label" is grey) and the prediction.

    Args:
        network: images (B, 3, H, W) to raw predictions by task, on the CPU.
        samples: what to show.
        tasks: the tasks to show.
    """
    rows = []
    with evaluating(network):
        for sample in samples:
            predictions = network(sample.image.as_subclass(torch.Tensor)[None])
            panels = [("image", shrunk(sample.image.as_subclass(torch.Tensor), sample.size))]
            for name, task in tasks.items():
                label = sample.targets[name]
                known = bool(task.known(label).any())
                panels.append((f"{name}: label" if known else f"{name}: no label", task.picture(label, sample.size)))
                panels.append((f"{name}: prediction", task.picture(task.decide(predictions[name])[0], sample.size)))
            rows.append(sheet(panels))
    page = Image.new("RGB", (max(row.width for row in rows), sum(row.height for row in rows)), "white")
    top = 0
    for row in rows:
        page.paste(row, (0, top))
        top += row.height
    return page
