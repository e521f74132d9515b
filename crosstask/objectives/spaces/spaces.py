"""Space Engage: semi-supervised segmentation from logit and representation space, arXiv 2307.09755.

A teacher labels the images of the batch twice: by its logits, and by the prototype its representations are nearest to.
Both kinds of labels supervise a strong view of the batch seen by the student:

    L = L_u + lambda_c L_c

L_u is the cross-entropy of the student's logits with the pseudo-labels for them, L_c contrasts its representations with
the prototypes of their classes (:mod:`crosstask.ops.prototype_contrast`), by the pseudo-labels for representations. The
supervised loss L_s is the objective ``supervised``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

from crosstask.data.sample import Batch
from crosstask.errors import RecipeError, nearest
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.networks.projection import Projection, Representation
from crosstask.objectives.base import Objective, Step
from crosstask.objectives.shared.pseudo_quality import PseudoQuality
from crosstask.objectives.shared.teacher import Teacher
from crosstask.objectives.shared.views import StrongView
from crosstask.objectives.spaces.contrast import SpaceContrast
from crosstask.objectives.spaces.indicator import inert_indicator
from crosstask.objectives.spaces.labels import STRATEGIES, SpaceLabels, both_spaces, on_grid
from crosstask.ops.prototypes import Prototypes
from crosstask.ops.pseudo_labels import PixelLabels, confident_shares
from crosstask.ranges import Count, Positive, Share
from crosstask.tasks.base import Task
from crosstask.tasks.segmentation import Segmentation
from crosstask.tasks.term import Term

log = logging.getLogger(__name__)


class SpaceEngage(Objective):
    """Pseudo-labels of a segmentation task from logits and representations; other tasks are left alone.

    Pixels with a label keep it: pseudo-labels are for the others, and both kinds take part in the contrast. Prototypes
    are updated from the pixels that take part in the contrast.

    >>> from crosstask.objectives.example import example
    >>> tasks, network, step = example()
    >>> objective = SpaceEngage(tasks, network, task="semantic")
    >>> terms = objective(step)
    >>> {name: int(term.count) for name, term in terms.items()}
    {'pseudo': 1536, 'contrast': 6}

    Args:
        task: the segmentation task; may be left out where there is one only.
        strategy: mix, cross, logit or representation, see :data:`~crosstask.objectives.spaces.labels.STRATEGIES`.
        decay: of the teacher.
        batch_statistics: the teacher normalises by the batch at hand, see :class:`Teacher`.
        threshold: the least confidence of a pseudo-label that the logits learn from.
        unsupervised: ``mask`` averages the loss of confident labels over all unknown pixels, as published; ``share``
            that of all labels over the pixels that have one, images weighted by their share of confident pixels, as
            released.
        indicator_temperature: of the softmax over similarities that makes the confidence of representations. With the
            temperature of the contrast, 0.5, and 21 classes no confidence could exceed 0.73.
        momentum: of the prototypes.
        prototypes: made from the representations of the teacher, as published, or of the student, as released.
        warmup: iterations in which both spaces learn from the labels of logits.
        representation: the head for representations.
        contrast: how representations are contrasted.
        view: how strong views are made.

    Raises:
        RecipeError: there is no such segmentation task, or several to choose from.
        ValueError: a threshold is not in [0, 1), or a temperature not positive.
    """

    additive = False

    def __init__(
        self,
        tasks: Mapping[str, Task],
        network: MultiTaskNetwork,
        task: str | None = None,
        strategy: Literal["mix", "cross", "logit", "representation"] = "mix",
        decay: Share = 0.99,
        batch_statistics: bool = False,
        threshold: Share = 0.97,
        unsupervised: Literal["mask", "share"] = "mask",
        indicator_temperature: Positive = 0.1,
        momentum: Share = 0.99,
        prototypes: Literal["teacher", "student"] = "teacher",
        warmup: Count = 0,
        representation: Representation = Representation(),
        contrast: SpaceContrast = SpaceContrast(),
        view: StrongView = StrongView("cutmix"),
    ) -> None:
        super().__init__()
        if not 0 <= threshold < 1:
            raise ValueError(f"threshold must be in [0, 1), found {threshold}")
        if not indicator_temperature > 0:
            raise ValueError(f"indicator_temperature must be more than 0, found {indicator_temperature}")
        self.task = _segmentation(tasks, task)
        self.strategy, self.warmup, self.threshold, self.unsupervised = strategy, warmup, threshold, unsupervised
        self.indicator_temperature, self.prototypes_of = indicator_temperature, prototypes
        self.contrast, self.view = contrast, view
        self.maps = representation.chosen(network.strides)
        self.stride = network.strides[self.maps][0]
        self.projection = Projection(network.channels[self.maps], representation.width, representation.dimension)
        self.teacher = Teacher(network, decay, batch_statistics)
        self.teacher_projection = Teacher(self.projection, decay, batch_statistics)
        self.prototypes = Prototypes(self.task.channels, representation.dimension, momentum)
        self._quality = nn.ModuleDict(
            {space: PseudoQuality(self.task) for space in ("used", "logit", "representation")}
        )
        inert = inert_indicator(self.task.channels, indicator_temperature, strategy, threshold, contrast)
        if inert is not None:
            log.warning("objectives.spaces.%s", inert)

    @override
    def term_names(self) -> list[str]:
        return ["pseudo", "contrast"]

    @override
    def forward(self, step: Step) -> dict[str, Term]:
        batch, name = step.batch, self.task.name
        known = self.task.known(batch.targets[name])
        labels, candidates, representations = self._taught(step, known)
        view = self.view(batch.images, step.generator, labels.logits.label)
        features = step.network.features(view.images)
        height, width = batch.images.shape[-2:]
        prediction = step.network.heads_forward(features, (height, width))[name]
        pseudo = PixelLabels(
            view.move(labels.logits.label.where(~known, -1), -1),
            view.move(labels.logits.confidence.where(~known, 0.0), 0.0),
        )
        own = self.projection(features[self.maps])
        places = on_grid(view.move(candidates, -1), own, self.stride, -1)
        hard = self.contrast.hard(
            own, on_grid(prediction, own, self.stride, 0.0), places, self.prototypes, self.indicator_temperature
        )
        if self.prototypes_of == "teacher":
            self._update(representations, on_grid(candidates, own, self.stride, -1))
        else:
            self._update(own, places)
        total, count = self.contrast(own, places, hard, self.prototypes, step.generator)
        return {
            "pseudo": self._unsupervised(prediction, pseudo, known),
            "contrast": Term(total * self.contrast.weight_at(step.iteration), count),
        }

    @override
    def counts(self, batch: Batch) -> dict[str, Tensor] | None:
        if self.unsupervised == "share":
            return None
        return {"pseudo": (~self.task.known(batch.targets[self.task.name])).float().sum()}

    @override
    def after_step(self, network: MultiTaskNetwork, iteration: int) -> None:
        self.teacher.update(network)
        self.teacher_projection.update(self.projection)

    @override
    def chance(self) -> dict[str, float]:
        return {"contrast": self.contrast.chance}

    @override
    def measures(self) -> dict[str, float]:
        return {
            f"{space}/{key}": value
            for space, quality in self._quality.items()
            for key, value in quality.read().items()  # type: ignore[operator]
        }

    @torch.no_grad()
    def _taught(self, step: Step, known: Tensor) -> tuple[SpaceLabels, Tensor, Tensor]:
        """Pseudo-labels, the labels that take part in the contrast (B, H, W), and the teacher's representations."""
        batch, name = step.batch, self.task.name
        teacher: MultiTaskNetwork = self.teacher.module  # type: ignore[assignment]
        features = teacher.features(batch.images)
        height, width = batch.images.shape[-2:]
        logits = teacher.heads_forward(features, (height, width))[name]
        representations = self.teacher_projection.module(features[self.maps])
        logit, representation = both_spaces(
            logits, representations, self.stride, self.prototypes, self.indicator_temperature
        )
        strategy = "logit" if step.iteration < self.warmup else self.strategy
        labels = STRATEGIES[strategy](logit, representation)
        pseudo = labels.representations
        if self.contrast.mask == "representation" and strategy == "mix":
            pseudo = PixelLabels(pseudo.label, representation.confidence)
        candidates = batch.targets[name].where(known, pseudo.above(self.contrast.confidence))
        self._measure(batch, labels.logits, logit, representation)
        return labels, candidates, representations

    def _update(self, representations: Tensor, places: Tensor) -> None:
        rows = representations.detach().permute(0, 2, 3, 1).reshape(-1, representations.shape[1])
        self.prototypes.update(rows, places.flatten())

    def _unsupervised(self, prediction: Tensor, pseudo: PixelLabels, known: Tensor) -> Term:
        confident = (pseudo.confidence >= self.threshold).float()
        if self.unsupervised == "mask":
            return Term(self.task.loss(prediction, pseudo.label, confident).total, (~known).float().sum())
        shares = confident_shares(pseudo, self.threshold)[:, None, None].expand(pseudo.label.shape)
        return Term(self.task.loss(prediction, pseudo.label, shares).total, (pseudo.label >= 0).float().sum())

    def _measure(self, batch: Batch, used: PixelLabels, logit: PixelLabels, representation: PixelLabels) -> None:
        unknown, hidden = ~self.task.known(batch.targets[self.task.name]), batch.hidden.get(self.task.name)
        for space, labels in (("used", used), ("logit", logit), ("representation", representation)):
            covered = unknown & (labels.label >= 0)
            if space == "used":
                covered &= labels.confidence >= self.threshold
            self._quality[space].add(labels.label, covered, unknown, hidden)  # type: ignore[operator]


def _segmentation(tasks: Mapping[str, Task], name: str | None) -> Task:
    found = {each: task for each, task in tasks.items() if isinstance(task, Segmentation)}
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if name in found:
        return found[name]
    if name is None:
        reason = "there is none" if not found else f"say which of {', '.join(found)}"
        raise RecipeError(f"objectives.spaces.task: it needs a segmentation task, {reason}")
    raise RecipeError(f"objectives.spaces.task: there is no segmentation task {name!r}; {nearest(name, found)}")
