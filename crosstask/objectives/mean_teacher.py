"""Consistency with a teacher, for any task: the mean teacher and its relatives.

Tarvainen and Valpola, NeurIPS 2017 (the teacher); Sohn et al., "FixMatch", NeurIPS 2020 (confident labels of a weak
view for a strong one); French et al., BMVC 2020 (CutMix for segmentation); Yang et al., "UniMatch", CVPR 2023 (two
strong views, and dropped features). A teacher labels the images of the batch; wherever a label is unknown, pixel by
pixel, the student learns from the teacher's:

    L_t = 1 / U_t sum_u w_u l_t(student_u, decide(teacher_u)),      w_u = [confidence_u >= threshold]

with the loss l_t of the task and the U_t unknown entries u of the batch. Entries the teacher is not sure of stay in the
average, as in FixMatch, so the loss grows with its confidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override

from crosstask.data.sample import Batch
from crosstask.errors import RecipeError
from crosstask.networks.multitask import MultiTaskNetwork
from crosstask.objectives.base import Objective, Step
from crosstask.objectives.shared.chosen import chosen
from crosstask.objectives.shared.pseudo_quality import PseudoQuality
from crosstask.objectives.shared.teacher import Teacher, raw_labels
from crosstask.objectives.shared.views import StrongView, View
from crosstask.objectives.shared.whole_batch import whole_loss
from crosstask.ranges import Share, Size
from crosstask.tasks.base import Task
from crosstask.tasks.segmentation import Segmentation
from crosstask.tasks.term import Term


class PseudoLabel(NamedTuple):
    """What a teacher says of a task.

    Attributes:
        target: in the format of a target, known everywhere.
        weight: in the shape of the known mask; 0 where it is not to be learnt from.
    """

    target: Tensor
    weight: Tensor


class MeanTeacher(Objective):
    """Labels of a teacher wherever there is no other; one term per task.

    The teacher sees the batch as it is (the weak view). The student learns on the same images, or with ``view`` on
    strong views of them, at the cost of a forward each. Image-level tasks keep to the batch as it is where images are
    mixed, for a mixed image has no label of its own. Each task learns with its own loss: classes from the most likely
    one, tags and saliency from probabilities, everything else from the value.

    Use ``start`` and ``ramp`` of every objective to wait, in iterations, until the teacher is worth listening to.

    >>> from crosstask.objectives.example import example
    >>> tasks, network, step = example()
    >>> objective = MeanTeacher(tasks, network)
    >>> terms = objective(step)
    >>> {name: int(term.count) for name, term in terms.items()}
    {'semantic': 1536, 'depth': 1536, 'normals': 1536, 'room': 1, 'objects': 13, 'measures': 3}

    Args:
        only: the tasks that learn so; all by default.
        decay: of the teacher, see :class:`Teacher`; 0 for the network itself.
        threshold: confidence below which a label of the teacher is not used; depth, normals and scalars have none.
        weigh: weigh labels by the teacher's confidence.
        flip: average the teacher's labels with those of the mirrored images.
        view: how strong views are made; null for none.
        views: number of strong views.
        feature_dropout: probability with which a channel of the features is dropped, in one view more, of the batch as
            it is; 0 for no such view.

    Raises:
        RecipeError: ``only`` names no task, or classmix has no segmentation to cut along.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        network: MultiTaskNetwork,
        only: list[str] | None = None,
        decay: Share = 0.99,
        threshold: Share = 0.0,
        weigh: bool = False,
        flip: bool = False,
        view: StrongView | None = None,
        views: Size = 1,
        feature_dropout: Share = 0.0,
    ) -> None:
        super().__init__()
        self.tasks = chosen(tasks, only, "objectives.mean_teacher.only")
        self.teacher = Teacher(network, decay)
        self.threshold, self.weigh, self.flip = threshold, weigh, flip
        self.view, self.views, self.feature_dropout = view, views, feature_dropout
        self.additive = view is None and not feature_dropout
        self.classes = next((name for name, task in self.tasks.items() if isinstance(task, Segmentation)), None)
        if view is not None and view.mix == "classmix" and self.classes is None:
            raise RecipeError("objectives.mean_teacher.view.mix: classmix needs a segmentation task: choose cutmix")
        self._quality = nn.ModuleList(PseudoQuality(task) for task in self.tasks.values())

    @override
    def term_names(self) -> list[str]:
        return list(self.tasks)

    @override
    def forward(self, step: Step) -> dict[str, Term]:
        labels = self._labels(step.batch)
        students = self._students(step, labels)
        counts = self.counts(step.batch)
        terms = {}
        for name, task in self.tasks.items():
            losses = [
                whole_loss(task, predictions[name], *self._moved(name, labels[name], view)).total
                for predictions, view in students
            ]
            terms[name] = Term(torch.stack(losses).mean(), counts[name])
        return terms

    @override
    def counts(self, batch: Batch) -> dict[str, Tensor]:
        return {name: self._unknown(batch, name).float().sum() for name in self.tasks}

    @override
    def after_step(self, network: MultiTaskNetwork, iteration: int) -> None:
        self.teacher.update(network)

    @override
    def measures(self) -> dict[str, float]:
        return {key: value for quality in self._quality for key, value in quality.read().items()}  # type: ignore[operator]

    def _unknown(self, batch: Batch, name: str) -> Tensor:
        return ~self.tasks[name].known(batch.targets[name])

    @torch.no_grad()
    def _labels(self, batch: Batch) -> dict[str, PseudoLabel]:
        labels = {}
        predicted = raw_labels(self.teacher.module, batch.images, self.tasks, self.flip)
        for (name, task), quality in zip(self.tasks.items(), self._quality, strict=True):
            prediction, unknown = predicted[name], self._unknown(batch, name)
            confidence = task.confidence(prediction)
            used = unknown & (confidence >= self.threshold)
            weight = (confidence if self.weigh else torch.ones_like(confidence)).where(used, 0.0)
            labels[name] = PseudoLabel(task.decide(prediction), weight)
            quality.add(labels[name].target, used, unknown, batch.hidden.get(name))  # type: ignore[operator]
        return labels

    def _students(self, step: Step, labels: Mapping[str, PseudoLabel]) -> list[tuple[dict[str, Tensor], View | None]]:
        """Predictions of each view, with the view itself where it is a strong one."""
        students: list[tuple[dict[str, Tensor], View | None]] = []
        if self.view is None:
            students.append((step.predictions, None))
        else:
            classes = None if self.classes is None else labels[self.classes].target
            for _ in range(self.views):
                view = self.view(step.batch.images, step.generator, classes)
                students.append((self._seen(step, view), view))
        if self.feature_dropout:
            size = step.batch.images.shape[-2:]
            dropped = [self._dropped(maps, step.generator) for maps in step.features]
            students.append((step.network.heads_forward(dropped, (size[0], size[1])), None))
        return students

    def _seen(self, step: Step, view: View) -> dict[str, Tensor]:
        predictions = step.network(view.images)
        if view.keep is None:
            return predictions
        return {name: predictions[name] if task.dense else step.predictions[name] for name, task in self.tasks.items()}

    def _dropped(self, maps: Tensor, generator: torch.Generator) -> Tensor:
        kept = torch.rand(maps.shape[:2], generator=generator) >= self.feature_dropout
        return maps * (kept / (1 - self.feature_dropout)).to(maps)[..., None, None]

    def _moved(self, name: str, label: PseudoLabel, view: View | None) -> PseudoLabel:
        if view is None or not self.tasks[name].dense:
            return label
        return PseudoLabel(view.move(label.target, self.tasks[name].target_type.UNKNOWN), view.move(label.weight, 0.0))
