"""Every objective with small options, on one network, one set of tasks and batches with uneven labels.

A new objective gets a line in ``CASES``; the contract tests then run over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from crosstask.data.sample import Batch
from crosstask.networks import MultiTaskNetwork
from crosstask.objectives import OBJECTIVES, Objective, Step
from crosstask.recipe import Recipe
from crosstask.tasks import KINDS, Task
from tests.training.toys import toy_batch, toy_tasks

SIZE = (6, 8)
LABELLED = [{"semantic", "place"}, {"depth", "tags"}, {"normals", "mood"}, {"semantic", "depth", "tags", "place"}]
"""What is labelled in each image of a batch."""


@dataclass(frozen=True)
class Case:
    """An objective to be tested.

    Attributes:
        kind: its name in ``OBJECTIVES``.
        options: as in a recipe; ``FOLDER`` in a text stands for a folder with the tables of :func:`write_tables`.
        unlabelled: it learns from images without any label, so a batch of these is no zero.
        random: its draws depend on the place of an image in the batch.
    """

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    unlabelled: bool = False
    random: bool = False


MAPPING = {"stem": 4, "widths": [4], "layers": [1]}
COUPLED = {"classes": "place", "attributes": "tags", "relatedness": "FOLDER/tags.csv"}
SMALL_REGENERATION = {"stride": 1, "widths": [4, 6], "redaction": {"cell": 2}}
SMALL_SPACES = {"representation": {"width": 4, "dimension": 4}, "contrast": {"anchors": 4, "negatives": 4}}
CASES = {
    "supervised": Case("supervised"),
    "made_labels": Case("made_labels"),
    "single-task": Case("supervised", {"only": ["depth"]}),
    "read_labels": Case("read_labels", {"width": 4}, random=True),
    "pairwise": Case("pairwise", {**MAPPING, "layers": [1, 1]}),
    "region_contrast": Case("region_contrast", {**MAPPING, "minimum": 1, "reduce": 1}),
    "joint_task": Case("joint_task", {"widths": [4, 6], "sample": False}),
    "joint_task, drawn": Case("joint_task", {"widths": [4]}, random=True),
    "consistency": Case("consistency", unlabelled=True, random=True),
    "direct map": Case("cross_map", {"widths": [4], "reduce": 1}),
    "perceptual map": Case("cross_map", {"mode": "perceptual", "widths": [4], "reduce": 1}),
    "hard_pixels": Case("hard_pixels", {"kept": 20, "threshold": 0.01}),
    "geometry": Case("geometry"),
    "geometry of predictions": Case("geometry", {"predictions": True, "detach": False}, unlabelled=True),
    "mean_teacher": Case("mean_teacher", unlabelled=True),
    "mean_teacher on views": Case("mean_teacher", {"view": {"mix": "cutmix"}}, unlabelled=True, random=True),
    "regeneration": Case("regeneration", SMALL_REGENERATION, unlabelled=True),
    "regeneration of random blocks": Case(
        "regeneration", {**SMALL_REGENERATION, "redaction": {"mode": "blocks", "cell": 2}}, unlabelled=True, random=True
    ),
    "regeneration of a band": Case(
        "regeneration", {"stride": 2, "redaction": {"mode": "band_stop"}, "labels": True}, unlabelled=True
    ),
    "spaces": Case("spaces", {**SMALL_SPACES, "threshold": 0.0}, unlabelled=True, random=True),
    "initial": Case("initial"),
    "distribution_matching": Case("distribution_matching", COUPLED, unlabelled=True),
    "soft_coannotation": Case("soft_coannotation", COUPLED),
    "hard_coannotation": Case("hard_coannotation", COUPLED),
    "scalar_matching": Case(
        "scalar_matching", {"classes": "place", "scalars": "mood", "means": "FOLDER/mood.csv"}, unlabelled=True
    ),
}


def tasks() -> dict[str, Task]:
    """Three dense tasks and three of whole images."""
    return {
        **toy_tasks(),
        "place": KINDS["category"]("place", classes=["den", "hall", "yard"]),
        "mood": KINDS["scalars"]("mood", names=["valence", "arousal"]),
    }


def write_tables(folder: Path) -> None:
    """How places are related to tags and moods."""
    (folder / "tags.csv").write_text("class,a,b\nden,1,0\nhall,0.2,0.8\nyard,0,1\n")
    (folder / "mood.csv").write_text("class,valence,arousal\nden,0.5,-0.5\nhall,0,0\nyard,0.2,0.8\n")


def network(seed: int = 0) -> MultiTaskNetwork:
    """A network that every objective can be used with; it refines its dense predictions."""
    torch.manual_seed(seed)
    return MultiTaskNetwork(
        tasks(),
        encoder_options={"width": 2, "output_stride": 2},
        decoder="affinity",
        decoder_options={"width": 4, "dilations": [1, 1]},
    )


def make(case: Case, net: MultiTaskNetwork, folder: Path, seed: int = 0) -> Objective:
    """The objective of a case, as a recipe makes it."""
    write_tables(folder)
    options = {
        key: value.replace("FOLDER", str(folder)) if isinstance(value, str) else value
        for key, value in case.options.items()
    }
    recipe = Recipe.of(
        {
            "data": {"table": "none.csv"},
            "tasks": {"depth": {"kind": "depth"}},
            "objectives": {"tested": {"kind": case.kind, **options}},
            "training": {"seed": seed},
        }
    )
    (objective,) = recipe.learner(tasks(), net).objectives.values()
    assert isinstance(objective, OBJECTIVES[case.kind])
    return objective


def batch(labelled: list[set[str]], seed: int = 0) -> Batch:
    """Images of a known camera with regions, each with labels of the given tasks only."""
    made = toy_batch(labelled, seed, dtype=torch.float32)
    rng = torch.Generator().manual_seed(seed + 100)
    count = len(labelled)
    places = torch.randint(3, (count,), generator=rng)
    moods = torch.rand(count, 2, generator=rng)
    known = torch.tensor([[name in names for name in ("place", "mood")] for names in labelled])
    made.targets["place"] = places.where(known[:, 0], -1)
    made.targets["mood"] = moods.where(known[:, 1, None], torch.nan)
    made.regions = (torch.arange(48).reshape(1, *SIZE) * 4 // 48).int().repeat(count, 1, 1)
    made.intrinsics = torch.tensor([9.0, 8.0, 3.5, 2.5]).repeat(count, 1)
    last, third = torch.arange(count) == count - 1, torch.arange(count) == 2
    made.made = {"depth": last, "mood": third}  # these labels come from a network
    return made


def step(net: MultiTaskNetwork, of: Batch, seed: int = 0) -> Step:
    """A step on a batch; drawing begins anew."""
    features = net.features(of.images)
    predictions = net.heads_forward(features, SIZE)
    return Step(of, net, predictions, features, 0, 10, torch.Generator().manual_seed(seed))


def permuted(of: Batch, order: list[int]) -> Batch:
    """The same samples in another order."""
    assert of.regions is not None
    return Batch(
        of.images[order],
        {name: target[order] for name, target in of.targets.items()},
        [of.ids[index] for index in order],
        of.regions[order],
        of.intrinsics[order],
        {},
        made={name: made[order] for name, made in of.made.items()},
    )
