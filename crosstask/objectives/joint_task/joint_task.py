"""Joint-task regularisation: Nishi, Kim, Li and Pfister, "Joint-Task Regularization for Partially Labeled Multi-Task
Learning", CVPR 2024.

The maps of all dense tasks of an image are stacked along channels: Y^ of predictions, Y of labels, where a task has
one, and of its prediction where it has none. An autoencoder g2(g1(.)) of such stacks defines one joint space, where the
two have to meet:

    L = D(g1'(Y), g1'(Y^)) + lambda D(g1(sg Y), g1(sg Y^)) + rho [R(g(sg Y), sg Y) + R(g(sg Y^), sg Y^)]

D is 1 - cosine along channels, averaged over positions that have seen a known pixel; sg stops the gradient, g1' is g1
with its weights held constant. So the first part trains the network alone, through Y^ and through the predictions
inside Y, the others the autoencoder alone. R, the reconstruction, keeps the joint space from collapsing: binary cross-
entropy of classes, L1 of depth, 1 - cosine of normals. The cost is linear in the number of tasks, where that of pairs
is quadratic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F
from typing_extensions import override

from crosstask.data.sample import Batch
from crosstask.errors import RecipeError
from crosstask.networks.autoencoder import Autoencoder
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.networks.segnet_autoencoder import SegNetAutoencoder
from crosstask.objectives.base import Objective, Step
from crosstask.objectives.joint_task.stacks import ENTRIES, Depth, Entry
from crosstask.objectives.shared.known import known_cells, mean_over
from crosstask.objectives.shared.pairs import dense_tasks, labelled
from crosstask.ranges import Factor, Positive, Size
from crosstask.tasks.base import Task
from crosstask.tasks.term import Term


class Known(NamedTuple):
    """What is labelled.

    Attributes:
        images: positions in the batch of the images that have labels, (n,).
        tasks: which of them have a label of which task, name -> (n,) bool.
        mask: pixels known to all labelled tasks of an image, (n, H, W) bool, some in each.
    """

    images: Tensor
    tasks: dict[str, Tensor]
    mask: Tensor


class JointTask(Objective):
    """Predictions and labels of all dense tasks meet in the latent space of an autoencoder.

    Three terms, each averaged over images: ``distance`` trains the network; ``latent`` and
    ``reconstruction``, which come with their factors, the autoencoder. Published: 4 times the whole for the network,
    with the factors below. Pixels that a labelled task of the image does not know are 0 in all maps of both stacks.

    >>> from crosstask.objectives.example import example
    >>> tasks, network, step = example()
    >>> objective = JointTask(tasks, network)
    >>> terms = objective(step)
    >>> {name: int(term.count) for name, term in terms.items()}
    {'distance': 2, 'latent': 2, 'reconstruction': 2}

    Args:
        latent: lambda, the factor of the distance as the autoencoder sees it; the paper calls it small, the released
            code uses 2.
        reconstruction: rho, the factor of the reconstruction.
        sample: classes predicted in place of a label are drawn, not given as probabilities.
        sample_predicted: they are in the stack of predictions as well, by the same draw, as in the released code.
        detach_labelled: no gradient through the prediction of a task that the image has a label of, which then learns
            from its label alone, as in the released code.
        depth_mean: mean depth in metres; with the next, what squashes depth into (0, 1). That of NYU-v2 by default.
        depth_deviation: standard deviation of depth in metres.
        autoencoder: a small one with strides, or a SegNet (published).
        widths: channels of its stages, each at half the resolution; five for a SegNet, published: 64, 128, 256,
            512, 512.
        average: over which images of the step, those with labels (labels) or all (images).

    Raises:
        RecipeError: fewer than two dense tasks, or an option that is not valid.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        network: MultiTaskNetwork,
        latent: Factor = 2.0,
        reconstruction: Factor = 0.5,
        sample: bool = True,
        sample_predicted: bool = False,
        detach_labelled: bool = False,
        depth_mean: Positive = 2.3618,
        depth_deviation: Positive = 1.5876,
        autoencoder: Literal["strided", "segnet"] = "strided",
        widths: Sequence[Size] = (16, 32, 64),
        average: Literal["labels", "images"] = "labels",
    ) -> None:
        super().__init__()
        if depth_deviation <= 0:
            raise RecipeError(
                f"objectives.joint_task.depth_deviation: expected a positive number, found {depth_deviation}"
            )
        self.tasks = dense_tasks(tasks, "joint_task")
        self.entries: dict[str, Entry] = {
            name: Depth(task, depth_mean, depth_deviation)
            if task.kind == "depth"
            else ENTRIES.get(task.kind, Entry)(task)
            for name, task in self.tasks.items()
        }
        self.channels = [task.channels for task in self.tasks.values()]
        make = SegNetAutoencoder if autoencoder == "segnet" else Autoencoder
        self.autoencoder = make(sum(self.channels), widths)
        self.factors = {"distance": 1.0, "latent": latent, "reconstruction": reconstruction}
        self.average = average
        self.sample, self.sample_predicted, self.detach_labelled = sample, sample_predicted, detach_labelled
        self.additive = not (sample or sample_predicted)

    @override
    def term_names(self) -> list[str]:
        return list(self.factors)

    @override
    def forward(self, step: Step) -> dict[str, Term]:
        known = self._known(step.batch)
        zero = Term.zero(*self.autoencoder.parameters(), *(step.predictions[name] for name in self.tasks))
        if not len(known.images):
            return dict.fromkeys(self.factors, Term(zero.total, self._count(step.batch, known)))
        stacks = torch.cat(self._stacks(step, known))
        constant = stacks.detach()
        latents, outputs = self.autoencoder.both(constant)
        cells = known_cells(known.mask, (latents.shape[-2], latents.shape[-1]))
        losses = {
            "distance": distance(functional_call(self.autoencoder.encoder, self._held(), (stacks,)), cells),
            "latent": distance(latents, cells),
            "reconstruction": self._reconstruction(outputs, constant, known.mask),
        }
        count = self._count(step.batch, known)
        return {name: Term(zero.total + self.factors[name] * loss, count) for name, loss in losses.items()}

    @override
    def counts(self, batch: Batch) -> dict[str, Tensor]:
        return dict.fromkeys(self.factors, self._count(batch, self._known(batch)))

    def _count(self, batch: Batch, known: Known) -> Tensor:
        count = len(batch) if self.average == "images" else len(known.images)
        return torch.tensor(float(count), device=batch.images.device)

    def _known(self, batch: Batch) -> Known:
        tasks = labelled(batch, self.tasks)
        masks = [task.known(batch.targets[name]) | ~tasks[name][:, None, None] for name, task in self.tasks.items()]
        mask = torch.stack(masks).all(0)
        images = (torch.stack(list(tasks.values())).any(0) & mask.flatten(1).any(1)).nonzero()[:, 0]
        return Known(images, {name: there[images] for name, there in tasks.items()}, mask[images])

    def _stacks(self, step: Step, known: Known) -> tuple[Tensor, Tensor]:
        """Y and Y^, (n, C, H, W) each."""
        mixed, predicted = [], []
        for name, entry in self.entries.items():
            prediction = step.predictions[name][known.images]
            there = known.tasks[name][:, None, None, None]
            if self.detach_labelled:
                prediction = prediction.detach().where(there, prediction)
            own = entry.predicted(prediction)
            drawn = entry.sampled(prediction, step.generator) if self.sample or self.sample_predicted else own
            instead = drawn if self.sample else own
            given = entry.labelled(step.batch.targets[name][known.images])
            mixed.append(given.where(there, instead))
            predicted.append(drawn if self.sample_predicted else own)
        mask = known.mask[:, None]
        return torch.cat(mixed, 1).where(mask, 0.0), torch.cat(predicted, 1).where(mask, 0.0)

    def _held(self) -> dict[str, Tensor]:
        """The encoder's weights, and its running statistics, such that nothing can change them."""
        encoder = self.autoencoder.encoder
        held = {name: parameter.detach() for name, parameter in encoder.named_parameters()}
        return held | {name: buffer.clone() for name, buffer in encoder.named_buffers()}

    def _reconstruction(self, outputs: Tensor, stacks: Tensor, mask: Tensor) -> Tensor:
        """Summed over images and over both stacks: per task the mean error over the pixels of the mask."""
        mask = torch.cat((mask, mask))
        total = torch.zeros((), device=stacks.device)
        parts = zip(
            self.entries.values(),
            outputs.float().split(self.channels, 1),
            stacks.float().split(self.channels, 1),
            strict=True,
        )
        for entry, output, values in parts:
            error = entry.error(output, values).where(mask, 0.0)
            total = total + (error.sum((1, 2)) / mask.sum((1, 2))).sum()
        return total


def distance(latents: Tensor, known: Tensor | None = None) -> Tensor:
    """1 - cosine of the first half of maps (2n, D, h, w) and the second, averaged over the positions that are known
    (n, h, w), all by default, summed over n."""
    first, second = latents.float().chunk(2)
    return mean_over(1 - F.cosine_similarity(first, second, dim=1), known).sum()
