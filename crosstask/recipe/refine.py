"""What a recipe may say under ``refine``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from crosstask.ranges import Amount, Iterated, Positive, Range, Share, Size


@dataclass(frozen=True)
class RefineOptions:
    """How pseudo-labels are made, and how often.

    Args:
        by: teachers (networks and models label the blank cells of every task) or activations (a segmentation from the
            activation maps of tags); null for the latter where the tags name all classes but one.
        teachers: by task who labels it: ``round`` (the network of the last round; all tasks by default), ``labels`` (a
            network that reads the labels an image has), a run directory, an exported file (``.pt2``, ``.onnx``), or a
            model of the transformers library by its name or folder. Of several in a list each view has one say: a run
            has one per scale and flip (``labels`` per flip), a model or an exported file one in all. An empty list
            leaves the task to its labels. Options may stand for a name: ``{model: NAME, names: {sea: water}}``.
        snapshots: ``round`` stands for the networks of so many last rounds.
        networks: so many networks every round but the last trains, with seeds of their own, and all of them teach; the
            first is the one that is measured.
        flip: teachers also see each image mirrored.
        scales: resolutions at which teachers see each image.
        folds: for ``labels``: parts the images are cut into, for predictions of missing labels by networks that have
            seen none of the image's; 0 to learn to read from images with several labels alone.
        keep: of each class, the surest part that is kept, round by round; the last one for all that follow.
        student: what the recipe of the runs on pseudo-labels does differently, {training: {epochs: 100}} say; with
            {network: {encoder: resnet18}, data: {size: [96, 128]}} a large network that sees more teaches a small one.
        start: whether such a run starts as the recipe says (recipe) or from the run before (last; as the recipe says
            too where that is of another network).
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

    by: Literal["teachers", "activations"] | None = None
    teachers: dict[str, Any] = field(default_factory=dict)
    snapshots: Size = 1
    networks: Size = 1
    folds: Annotated[int, Range(0, 100)] = 2
    flip: bool = True
    scales: list[Positive] = field(default_factory=lambda: [1.0])
    keep: list[Share] = field(default_factory=lambda: [0.5, 0.75, 1.0])
    student: dict[str, Any] = field(default_factory=dict)
    start: Literal["recipe", "last"] = "recipe"
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
        if self.folds == 1:
            raise ValueError("refine.folds is 1: give 2 or more, or 0 for none")
        if not self.scales:
            raise ValueError("refine.scales is empty: give at least one, [1.0] say")
        for name in ("classifier", "saliency_from"):
            value = getattr(self, name)
            if value is not None and not value.strip():
                raise ValueError(f"refine.{name} is blank: name a run, or set it to null")
        if self.tasks is not None and not self.tasks:
            raise ValueError("refine.tasks is empty: name some, or set it to null for all of the recipe")
        if not self.keep or not all(self.keep):
            raise ValueError(f"refine.keep must be shares above 0, found {self.keep}")
        for name, share in (("stop", self.stop), ("cam", self.cam), ("salient", self.salient)):
            if not 0 <= share < 1:
                raise ValueError(f"refine.{name} must be in [0, 1), found {share}")
