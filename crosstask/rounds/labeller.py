"""Pseudo-labels of one image from a trained network, its tags and what is given of its saliency."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from crosstask.data.sample import Sample
from crosstask.errors import UserError
from crosstask.evaluation.scale import show
from crosstask.ops.mean_field import mean_field
from crosstask.recipe.refine import RefineOptions
from crosstask.rounds.fusion import fuse
from crosstask.rounds.roles import Roles
from crosstask.trained import TrainedRun


class PseudoLabels(NamedTuple):
    """What an image is labelled with.

    Attributes:
        classes: int64 (H, W), -1 unknown.
        saliency: float (1, H, W) in [0, 1], NaN unknown; None where nothing is known of saliency in the whole set.
    """

    classes: Tensor
    saliency: Tensor | None


class Labeller:
    """Labels images with a network that predicts their tags, and perhaps their saliency, at the size it was
    measured at.

    Saliency is the mean of the given map and the predicted one, or the one there is. Drawn to the edges of the image
    where a prediction takes part in it, it decides with the activation maps of the tags about the class of each pixel:
    see :func:`~crosstask.rounds.fusion.fuse`.

    Args:
        run: the network.
        roles: the tasks.
        source: the target of the samples that holds the given saliency; None where none is given.
        options: thresholds and steps.
        device: where to compute.

    Raises:
        UserError: the network does not predict the tags.
    """

    def __init__(
        self,
        run: TrainedRun,
        roles: Roles,
        source: str | None,
        options: RefineOptions,
        device: torch.device | str,
    ) -> None:
        known = run.tasks.get(roles.tags.name)
        if known is None or known.classes != roles.tags.classes:
            raise UserError(
                f"{run.run.path} does not predict the {len(roles.tags.classes)} tags of {roles.tags.name!r}: give a "
                "classifier trained with the tasks of the recipe, or leave refine.classifier out"
            )
        self.roles, self.source, self.options = roles, source, options
        self.network, self.device = run.network.to(device).eval(), device
        self.size = run.recipe.data.shown_size
        salient = roles.saliency is not None and roles.saliency.name in run.tasks
        self.predicted = roles.saliency if salient else None

    @torch.inference_mode()
    def __call__(self, sample: Sample) -> PseudoLabels:
        """The pseudo-labels of a sample with the targets of the tags and of the given saliency, on the CPU."""
        image = sample.image.as_subclass(Tensor)[None].to(self.device)
        shown = show(image, self.size)
        size = (shown.images.shape[-2], shown.images.shape[-1])
        features = self.network.features(shown.images)
        activations = self.network.activations(features, self.roles.tags.name, size)
        tags = sample.targets[self.roles.tags.name].as_subclass(Tensor).to(self.device)
        saliency = None if self.source is None else sample.targets[self.source].as_subclass(Tensor).to(self.device)
        if self.predicted is not None:
            raw = self.network.heads_forward(features, size)[self.predicted.name]
            saliency = self._saliency(self.predicted.activate(shown.back(raw)), saliency, image)
        classes = fuse(
            shown.back(activations)[0],
            tags,
            None if saliency is None else saliency[0],
            self.roles.classes,
            self.roles.background,
            self.options.cam,
            self.options.salient,
        )
        return PseudoLabels(classes.cpu(), None if saliency is None else self._label(saliency).cpu())

    def _saliency(self, predicted: Tensor, given: Tensor | None, image: Tensor) -> Tensor:
        mixed = predicted
        if given is not None:
            mixed = ((predicted + given) / 2).where(~given.isnan(), predicted)
        return mean_field(torch.cat([1 - mixed, mixed], 1), image, self.options.boundary)[0, 1:]

    def _label(self, saliency: Tensor) -> Tensor:
        if not self.options.hard:
            return saliency
        return (saliency > 0.5).float().where(~saliency.isnan(), torch.nan)
