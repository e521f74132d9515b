"""Conditional regeneration: Borse et al., "DejaVu: Conditional Regenerative Learning to Enhance Dense Prediction",
CVPR 2023.

Dense predictions that are right say what an image looks like where a part of it is missing. The predictions C of all
dense tasks and a redacted image I_R are given to a conditional regeneration module, which is to make up for the loss:

    L = || CRM(I_R, C) - I ||^2, averaged over pixels and channels,    CRM(I_R, C) = I_R + m(I_R, C)

with m a small network. The gradient reaches C, tasks without a label included; at test time the module is not there.
The code is not public, and of the paper only this much is followed: the sum, sizes and redactions are our own choice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from typing_extensions import override

from crosstask.data.sample import Batch
from crosstask.errors import RecipeError
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.networks.regenerator import Regenerator
from crosstask.objectives.base import Objective, Step
from crosstask.objectives.shared.pairs import reduced
from crosstask.ops.redaction import blocks, checkerboard, without_band
from crosstask.ranges import Factor, Share, Size
from crosstask.tasks.base import Task
from crosstask.tasks.selection import full_precision
from crosstask.tasks.term import Term


@dataclass(frozen=True)
class Redaction:
    """What is removed of an image. Removed pixels become 0, as do the coefficients of removed frequencies.

    Args:
        mode: ``checkerboard`` removes every other cell of a grid, ``blocks`` random ones; ``low_pass`` keeps only the
            waves below ``cutoff``, ``high_pass`` those from there on (so not the mean), ``band_stop`` those outside of
            ``band``.
        cell: side of a cell, in pixels of the reduced image.
        share: of the cells that ``blocks`` removes.
        cutoff: a frequency, in cycles per pixel of the reduced image; the finest wave along an axis has 0.5.
        band: two frequencies: the lowest that is removed, and the lowest above it that is kept.

    Raises:
        ValueError: an option is not valid.
    """

    mode: Literal["checkerboard", "blocks", "low_pass", "high_pass", "band_stop"] = "high_pass"
    cell: Size = 8
    share: Share = 0.5
    cutoff: Share = 0.1
    band: tuple[Factor, Factor] = (0.1, 0.25)

    def __post_init__(self) -> None:
        if self.cell < 1:
            raise ValueError(f"cell: expected pixels from 1, found {self.cell}")
        if not 0 < self.share <= 1:
            raise ValueError(f"share: expected a number above 0, at most 1, found {self.share}")
        if not 0 < self.cutoff <= 0.5:
            raise ValueError(f"cutoff: expected a number above 0, at most 0.5, found {self.cutoff}")
        if not 0 <= self.band[0] < self.band[1]:
            raise ValueError(f"band: expected two rising frequencies, found {list(self.band)}")

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Images (B, 3, H, W) without what is removed.

        Args:
            images: float32 or float64.
            generator: the only source of randomness; used by ``blocks`` alone.
        """
        size = (images.shape[-2], images.shape[-1])
        match self.mode:
            case "checkerboard":
                return images.masked_fill(checkerboard(size, self.cell).to(images.device), 0.0)
            case "blocks":
                removed = blocks(len(images), size, self.cell, self.share, generator)
                return images.masked_fill(removed[:, None].to(images.device), 0.0)
            case "low_pass":
                return without_band(images, self.cutoff, math.inf)
            case "high_pass":
                return without_band(images, 0.0, self.cutoff)
            case "band_stop":
                return without_band(images, *self.band)


class Regeneration(Objective):
    """A small network regenerates a redacted image from it and the predictions of all dense tasks.

    One term, ``image``: the squared error of images in [0, 1], averaged over their pixels, channels and number. It
    needs no labels, and nothing is detached. Predictions enter as other networks read them (:meth:`Task.embed`):
    classes as probabilities, depth over the largest of the image, normals as (n + 1) / 2.

    The network knows nothing at first, and its gradient is large. Give it a ``ramp`` in iterations, as every objective
    has: with Adam it learns in the meantime, whatever it weighs, while predictions feel little of it. Once it has
    learnt, the term is small: a ``weight`` well above 1 is needed for it to count.

    >>> from crosstask.objectives.example import example
    >>> tasks, network, step = example()
    >>> objective = Regeneration(tasks, network)
    >>> terms = objective(step)
    >>> {name: int(term.count) for name, term in terms.items()}
    {'image': 2}

    Args:
        redaction: what is removed of the image.
        stride: images and predictions are averaged over squares of this side before anything else.
        widths: channels of the stages of the network, each at half the resolution of the one before.
        labels: where a pixel is labelled for a task, its label stands in for the prediction.

    Raises:
        RecipeError: there is no dense task.
        ValueError: an option is not valid.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        network: MultiTaskNetwork,
        redaction: Redaction = Redaction(),
        stride: Size = 2,
        widths: Sequence[Size] = (16, 32, 64),
        labels: bool = False,
    ) -> None:
        super().__init__()
        if stride < 1:
            raise ValueError(f"stride: expected pixels from 1, found {stride}")
        self.tasks = {name: task for name, task in tasks.items() if task.dense}
        if not self.tasks:
            raise RecipeError("objectives.regeneration: needs a dense task, found none")
        self.regenerator = Regenerator(sum(task.channels for task in self.tasks.values()), widths)
        self.redaction, self.stride, self.labels = redaction, stride, labels
        self.additive = redaction.mode != "blocks"

    @override
    def term_names(self) -> list[str]:
        return ["image"]

    @override
    def forward(self, step: Step) -> dict[str, Term]:
        images = reduced(full_precision(step.batch.images), self.stride)
        redacted = self.redaction(images, step.generator)
        regenerated = self.regenerator(redacted, torch.cat(self._condition(step), 1))
        errors = (full_precision(regenerated) - images).square().mean((1, 2, 3))
        return {"image": Term(errors.sum(), self.counts(step.batch)["image"])}

    @override
    def counts(self, batch: Batch) -> dict[str, Tensor]:
        return {"image": torch.tensor(float(len(batch)), device=batch.images.device)}

    def _condition(self, step: Step) -> list[Tensor]:
        """C, a map (B, C_t, H / stride, W / stride) for each task."""
        maps = []
        for name, task in self.tasks.items():
            prediction, target = step.predictions[name], step.batch.targets[name]
            if self.labels:
                label = task.invert(task.values(target)).to(prediction)
                prediction = label.where(task.known(target)[:, None], prediction)
            maps.append(reduced(task.embed(prediction), self.stride))
        return maps
