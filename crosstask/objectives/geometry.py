"""Geometry: depth and surface normals of one image say the same thing twice, given the camera. Our own objective.

The normals of a depth map are known up to the fit of a plane (:func:`~crosstask.ops.geometry.normals_from_depth`), and
the normals of neighbouring pixels p and q say the ratio of their depths
(:func:`~crosstask.ops.geometry.depth_steps`):

    log z_q - log z_p = log (n·r_p) / (n·r_q)                                   r: the rays of the pixels

So a known depth teaches the normals of its image, and known normals teach its depth. Each is taught in its own terms:
normals by the angle to those of the depth, with the loss of their task; depth by the steps of its logarithm,

    | (log z_q - log z_p) - step that the normals imply |, at most ``edge``.

(Depth taught by the angle between its normals and the given ones converges several times more slowly: the angle of a
fitted plane is a hundred times more sensitive to noise than to what a step of depth adds up to over the image.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

from crosstask.data.sample import Batch
from crosstask.errors import RecipeError
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.objectives.base import Objective, Step
from crosstask.objectives.shared.pairs import labelled
from crosstask.ops.geometry import depth_steps, normals_from_depth
from crosstask.ranges import Positive, Size
from crosstask.tasks.base import Task
from crosstask.tasks.term import Term

NORMALS, DEPTH = "normals_from_depth", "depth_from_normals"


class Steps(NamedTuple):
    """Steps of log depth over a distance.

    Attributes:
        axis: -1 to the right, -2 downwards.
        distance: in pixels.
        implied: (n, H, W - distance) or (n, H - distance, W), NaN unknown.
    """

    axis: int
    distance: int
    implied: Tensor


class Geometry(Objective):
    """Depth teaches normals and normals teach depth, on images where the one is known and the other is not.

    Two terms, averaged over the pixels and over the pairs of pixels that were compared: ``normals_from_depth`` and
    ``depth_from_normals``. Images without known intrinsics teach nothing.

    What a depth *label* teaches normals is what ``data.derive: {normals: depth}`` gives them as targets; use one of the
    two. Across an occlusion the steps of depth have nothing to do with the normals: ``edge`` bounds what such a pair
    does, ``regions`` leaves out pairs that are not in one region.

    >>> from crosstask.objectives.example import example
    >>> tasks, network, step = example()
    >>> objective = Geometry(tasks, network)
    >>> terms = objective(step)
    >>> {name: int(term.count) for name, term in terms.items()}
    {'normals_from_depth': 1536, 'depth_from_normals': 5739}

    Args:
        depth: the depth task; null for the only one there is.
        normals: the normals task; null for the only one there is.
        teach: what learns: both, depth or normals.
        predictions: where neither is labelled, predictions teach each other.
        detach: no gradient into the prediction that teaches.
        regions: only compare the depths of pixels in the same region (needs ``data.regions``).
        distances: between the pixels whose depths are compared, right and downwards.
        edge: difference of log depth from which a pair is taken for an occlusion and teaches nothing; null for never.
        window: pixels across the window in which planes are fitted to depth, odd.

    Raises:
        RecipeError: there is no task of a kind, or several and none is named; an option is not valid.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        network: MultiTaskNetwork,
        depth: str | None = None,
        normals: str | None = None,
        teach: Literal["both", "depth", "normals"] = "both",
        predictions: bool = False,
        detach: bool = True,
        regions: bool = False,
        distances: Sequence[Size] = (1, 4),
        edge: Positive | None = 0.1,
        window: Size = 7,
    ) -> None:
        super().__init__()
        self.depth, self.normals = _find(tasks, "depth", depth), _find(tasks, "normals", normals)
        if not distances or min(distances) < 1:
            raise RecipeError(f"objectives.geometry.distances: expected pixels from 1, found {list(distances)}")
        if edge is not None and edge <= 0:
            raise RecipeError(f"objectives.geometry.edge: expected a positive number or null, found {edge}")
        if window < 3 or window % 2 == 0:
            raise RecipeError(f"objectives.geometry.window: expected an odd number from 3, found {window}")
        self.learns = {NORMALS: teach != "depth", DEPTH: teach != "normals"}
        self.predictions, self.detach, self.regions = predictions, detach, regions
        self.distances, self.edge, self.window = tuple(distances), edge or math.inf, window

    @override
    def term_names(self) -> list[str]:
        return [name for name in (NORMALS, DEPTH) if self.learns[name]]

    @override
    def forward(self, step: Step) -> dict[str, Term]:
        terms = {}
        if self.learns[NORMALS]:
            terms[NORMALS] = self._teach_normals(step.batch, step.predictions)
        if self.learns[DEPTH]:
            terms[DEPTH] = self._teach_depth(step.batch, step.predictions)
        return terms

    @override
    def counts(self, batch: Batch) -> dict[str, Tensor] | None:
        if self.predictions:
            return None
        counts = {}
        if self.learns[NORMALS]:
            counts[NORMALS] = self.normals.count(self._derived(batch, None)[1])
        if self.learns[DEPTH]:
            compared = [(~steps.implied.isnan()).sum() for steps in self._implied(batch, None)[1]]
            counts[DEPTH] = sum(compared, Term.zero(batch.images).count)
        return counts

    def _teach_normals(self, batch: Batch, predictions: Mapping[str, Tensor]) -> Term:
        images, derived = self._derived(batch, predictions[self.depth.name])
        taught = predictions[self.normals.name]
        if not len(images):
            return Term.zero(taught)
        return self.normals.loss(taught[images], derived)

    def _teach_depth(self, batch: Batch, predictions: Mapping[str, Tensor]) -> Term:
        images, implied = self._implied(batch, predictions[self.normals.name])
        taught = predictions[self.depth.name]
        total, count = Term.zero(taught)
        logarithm = self.depth.decide(taught[images])[:, 0].log()
        for axis, distance, expected in implied:
            first, second = _ends(logarithm, axis, distance)
            known = ~expected.isnan()
            error = (second - first - expected.where(known, 0.0)).abs().where(known, 0.0)
            total = total + error.clamp(max=self.edge).sum()
            count = count + known.sum()
        return Term(total, count)

    def _derived(self, batch: Batch, prediction: Tensor | None) -> tuple[Tensor, Tensor]:
        """The images whose normals learn, (n,), and the normals of their depth, (n, 3, H, W)."""
        images, depth = self._known(batch, self.depth, self.normals, prediction)
        return images, normals_from_depth(depth, batch.intrinsics[images], self.window)

    def _implied(self, batch: Batch, prediction: Tensor | None) -> tuple[Tensor, list[Steps]]:
        """The images whose depth learns, (n,), and the steps of depth that their normals imply."""
        images, normals = self._known(batch, self.normals, self.depth, prediction)
        steps = []
        for axis in (-1, -2):
            for distance in self.distances:
                if distance < normals.shape[axis]:
                    implied = depth_steps(normals, batch.intrinsics[images], distance, axis)
                    if self.regions:
                        first, second = _ends(self._regions(batch)[images], axis, distance)
                        implied = implied.where((first == second) & (first >= 0), torch.nan)
                    steps.append(Steps(axis, distance, implied))
        return images, steps

    def _known(self, batch: Batch, source: Task, taught: Task, prediction: Tensor | None) -> tuple[Tensor, Tensor]:
        """The images on which ``source`` can teach, (n,), and its labels there, or predictions where it has none."""
        known = labelled(batch, {task.name: task for task in (source, taught)})
        teaches = ~known[taught.name] & batch.intrinsics.isfinite().all(1)
        if not self.predictions or prediction is None:
            images = (teaches & known[source.name]).nonzero()[:, 0]
            return images, batch.targets[source.name][images]
        images = teaches.nonzero()[:, 0]
        values = source.decide(prediction[images])
        given = known[source.name][images, None, None, None]
        return images, batch.targets[source.name][images].where(given, values.detach() if self.detach else values)

    def _regions(self, batch: Batch) -> Tensor:
        if batch.regions is None:
            raise RecipeError(
                "objectives.geometry.regions: the batch has no regions: make them with 'crosstask regions' and set "
                "data.regions: true"
            )
        return batch.regions


def _ends(maps: Tensor, axis: int, distance: int) -> tuple[Tensor, Tensor]:
    length = maps.shape[axis] - distance
    return maps.narrow(axis, 0, length), maps.narrow(axis, distance, length)


def _find(tasks: Mapping[str, Task], kind: str, given: str | None) -> Task:
    names = [name for name, task in tasks.items() if task.kind == kind]
    if given in names or (given is None and len(names) == 1):
        return tasks[given or names[0]]
    found = ", ".join(names) or "none"
    raise RecipeError(f"objectives.geometry.{kind}: found {given or 'null'}; name one of the {kind} tasks: {found}")
