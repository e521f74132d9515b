"""Which task of a recipe plays which part, and which tag means which class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from crosstask.errors import RecipeError, nearest
from crosstask.tasks import Saliency, Segmentation, Tagging, Task

Kind = TypeVar("Kind", bound=Task)


@dataclass(frozen=True)
class Roles:
    """The tasks that pseudo-labels are made of and for.

    Attributes:
        segmentation: what is to be learned from tags.
        tags: what is known of every image.
        saliency: figure and ground; None where the recipe has no such task.
        classes: the class of each tag.
        background: the class that has no tag.
    """

    segmentation: Segmentation
    tags: Tagging
    saliency: Saliency | None
    classes: list[int]
    background: int

    @classmethod
    def of(cls, tasks: Mapping[str, Task]) -> Roles:
        """The roles of the tasks of a recipe.

        Raises:
            RecipeError: a part is missing or played twice, a tag names no class, a class has no id in the files, or
                there is not exactly one class without a tag.
        """
        segmentation, tags = _the_one(tasks, Segmentation), _the_one(tasks, Tagging)
        saliency = _the_one(tasks, Saliency) if any(isinstance(task, Saliency) for task in tasks.values()) else None
        names = segmentation.classes
        for tag in tags.classes:
            if tag not in names:
                raise RecipeError(f"tasks.{tags.name}: the tag {tag!r} is no class of {segmentation.name}; "
                                  f"{nearest(tag, names)}")  # fmt: skip
        ids = segmentation.remap
        orphans = [name for index, name in enumerate(names) if ids is not None and index not in ids.values()]
        if orphans:
            raise RecipeError(
                f"tasks.{segmentation.name}.remap: no id stands for the class {orphans[0]!r}: give it one"
            )
        rest = [name for name in names if name not in tags.classes]
        if len(rest) != 1:
            raise RecipeError(
                f"tasks.{segmentation.name}: needs one class that is no tag, the background, found "
                f"{', '.join(rest) or 'none'}: name the classes as the tags, and merge the others with remap"
            )
        return cls(segmentation, tags, saliency, [names.index(tag) for tag in tags.classes], names.index(rest[0]))


def _the_one(tasks: Mapping[str, Task], kind: type[Kind]) -> Kind:
    found = [task for task in tasks.values() if isinstance(task, kind)]
    if len(found) != 1:
        named = ", ".join(task.name for task in found) or "none"
        raise RecipeError(f"tasks: refine needs one task of kind {kind.kind}, found {named}")
    return found[0]
