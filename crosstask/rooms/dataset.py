"""Made-up rooms as a data set: nothing is read, every sample is drawn when it is asked for."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter

import torch
from torch import Tensor
from torchvision import tv_tensors

from crosstask.data.sample import Sample
from crosstask.errors import RecipeError, nearest
from crosstask.rooms.room import Room, make_room
from crosstask.rooms.vocabulary import CLASSES, MEASURES, OBJECTS, TYPES
from crosstask.tasks.base import Task
from crosstask.tasks.targets import Regions, Target, as_target


class RoomsDataset:
    """Rooms ``start`` to ``start + count - 1`` of a world; every room has labels of all kinds.

    The targets of a task are chosen by its kind, its classes by name, in any order. A segmentation task may leave
    classes out (their pixels are unknown), tags and scalars those it does not want; a category task names all types.

    Args:
        count: how many rooms.
        tasks: the tasks of the recipe.
        size: height and width of the images; another size shows the same rooms, at other resolution.
        seed: the world. Rooms of two worlds have nothing in common.
        start: number of the first room: data sets with disjoint numbers are disjoint.
        hidden: give the labels that :meth:`keep` leaves out as ``Sample.hidden``.

    Raises:
        RecipeError: a task names a class that rooms do not have.
    """

    def __init__(
        self,
        count: int,
        tasks: Mapping[str, Task],
        *,
        size: tuple[int, int] = (64, 96),
        seed: int = 0,
        start: int = 0,
        hidden: bool = False,
    ) -> None:
        self.tasks = dict(tasks)
        self.size, self.seed, self.start, self.hidden = (size[0], size[1]), seed, start, hidden
        self.ids = [f"room-{seed}-{start + i:06d}" for i in range(count)]
        self._labels = {name: _LABELS[task.kind](task) for name, task in tasks.items()}
        self._labelled = torch.ones(count, len(tasks), dtype=torch.bool)

    def __len__(self) -> int:
        return len(self.ids)

    def labelled(self) -> Tensor:
        """Which rooms have a label of which task, bool (N, T)."""
        return self._labelled.clone()

    def given(self) -> Tensor:
        """All of the labels."""
        return self.labelled()

    def calibrated(self) -> Tensor:
        """Which rooms have known intrinsics: all, bool (N,)."""
        return torch.ones(len(self), dtype=torch.bool)

    def keep(self, mask: Tensor) -> RoomsDataset:
        """The same rooms without the labels outside ``mask``, bool (N, T)."""
        fewer = copy.copy(self)
        fewer._labelled = self._labelled & mask
        return fewer

    def room(self, index: int) -> Room:
        """Everything there is to know of a room of this data set."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"room {index} of {len(self)}")
        return make_room(self.seed, self.start + index % len(self), self.size)

    def __getitem__(self, index: int) -> Sample:
        room = self.room(index)
        known = self._labelled[index]
        return Sample(
            id=self.ids[index],
            image=tv_tensors.Image(room.image),
            targets=self._targets(room, known),
            regions=as_target(Regions, room.instances),
            intrinsics=room.intrinsics,
            hidden=self._targets(room, ~known) if self.hidden else {},
        )

    def _targets(self, room: Room, known: Tensor) -> dict[str, Target]:
        return {
            name: as_target(task.target_type, self._labels[name](room)) if use else task.unknown(self.size)
            for (name, task), use in zip(self.tasks.items(), known.tolist(), strict=True)
        }


Label = Callable[[Room], Tensor]


def _places(task: Task, words: Sequence[str], what: str) -> list[int]:
    """The position among ``words`` of each class of a task; a task with a mere number of classes has them all.

    Raises:
        RecipeError: a class is not among the words.
    """
    if task.classes == [str(i) for i in range(len(words))]:
        return list(range(len(words)))
    for name in task.classes:
        if name not in words:
            raise RecipeError(f"tasks.{task.name}: rooms have no {what} {name!r}: {nearest(name, words)}")
    return [words.index(name) for name in task.classes]


def _semantic(task: Task) -> Label:
    ids = torch.full((len(CLASSES),), -1)
    ids[_places(task, CLASSES, "class")] = torch.arange(task.channels)
    return partial(_looked_up, ids, "semantic")


def _category(task: Task) -> Label:
    places = _places(task, TYPES, "type")
    if len(places) < len(TYPES):
        raise RecipeError(f"tasks.{task.name}: rooms have {len(TYPES)} types, name all: {', '.join(TYPES)}")
    return partial(_looked_up, torch.tensor(places).argsort(), "kind")


def _tags(task: Task) -> Label:
    return partial(_picked, _places(task, OBJECTS, "object"), "tags")


def _measures(task: Task) -> Label:
    return partial(_picked, _places(task, MEASURES, "measure"), "measures")


# Functions of a module, not of one another: loading workers that are not forked are sent the data set as a pickle.


def _looked_up(ids: Tensor, name: str, room: Room) -> Tensor:
    return ids[getattr(room, name)]


def _picked(places: list[int], name: str, room: Room) -> Tensor:
    return getattr(room, name)[places]


def _disparity(room: Room) -> Tensor:
    return 1 / room.depth


_LABELS: dict[str, Callable[[Task], Label]] = {
    "segmentation": _semantic,
    "depth": lambda task: attrgetter("depth"),
    "disparity": lambda task: _disparity,
    "normals": lambda task: attrgetter("normals"),
    "saliency": lambda task: attrgetter("saliency"),
    "tags": _tags,
    "category": _category,
    "scalars": _measures,
}
