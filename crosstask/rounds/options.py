"""What a recipe may say under ``refine``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from crosstask.ranges import Amount, Iterated, Share


@dataclass(frozen=True)
class RefineOptions:
    """How pseudo-labels are made, and how often.

    Args:
        rounds: how often the images are labelled anew after round 0, each time with a training behind it.
        stop: the rounds end when no larger part of the pixels than this changes its pseudo-label.
        tasks: the tasks the rounds train, the segmentation among them; all of the recipe where null.
        classifier: run directory of the classifier of stage 0; one is trained on the tags alone where null.
        classifier_recipe: what the recipe of that training does differently, {training: {epochs: 15}} say.
        saliency: column of the given saliency maps; that of the saliency task where null, "" for none at all.
        saliency_from: for images without such a map: the directory of a run that predicts saliency, or timm:NAME for
            the attention of a vision transformer.
        masks: column of masks that nothing is trained on, to measure pseudo-labels with. May be that of the
            segmentation task itself, whose training labels are hidden then.
        cam: class activation above which a pixel is of a class.
        salient: saliency above which a pixel is of the foreground.
        boundary: mean-field steps that draw predicted saliency to the edges of the image; 0 for none.
        hard: saliency is learned as 0 and 1, not as probabilities.
    """

    rounds: Amount = 4
    stop: Share = 0.01
    tasks: list[str] | None = None
    classifier: str | None = None
    classifier_recipe: dict[str, Any] = field(default_factory=dict)
    saliency: str | None = None
    saliency_from: str | None = None
    masks: str | None = None
    cam: Share = 0.2
    salient: Share = 0.06
    boundary: Iterated = 3
    hard: bool = True

    def __post_init__(self) -> None:
        for name, value in (("rounds", self.rounds), ("boundary", self.boundary)):
            if value < 0:
                raise ValueError(f"refine.{name} must not be negative, found {value}")
        for name, share in (("stop", self.stop), ("cam", self.cam), ("salient", self.salient)):
            if not 0 <= share < 1:
                raise ValueError(f"refine.{name} must be in [0, 1), found {share}")
