"""Annotated images as rows of a table, with the tasks that a recipe needs for them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any, Literal

from crosstask.data.adapters.base import Output
from crosstask.data.adapters.image_tags import tags_cell
from crosstask.data.decode.files import image_size
from crosstask.data.exchange.items import Collection, Item, is_void
from crosstask.data.exchange.masks import class_map
from crosstask.data.table.table import RESERVED
from crosstask.errors import DataError
from crosstask.strict_yaml import dump_yaml
from crosstask.tasks.cells import typed

BACKGROUND = "background"
FEDERATED = (
    "only some classes were looked for in each image (federated): things neither named nor listed as absent are "
    "unknown, and so are pixels that no shape covers"
)
SEMANTIC = "semantic"
Labels = Literal["auto", "category", "tags"]


@dataclass
class Tabulated:
    """Rows, and what there is to say of them.

    Attributes:
        rows: cells by column.
        tasks: options of each task, as a recipe has them.
        notes: what could not be used, a line each.
    """

    rows: list[dict[str, str]]
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def recipe(self) -> str:
        """The section ``tasks`` of a recipe."""
        return dump_yaml({"tasks": self.tasks}, default_flow_style=None, width=110)


def tabulate(
    found: Collection,
    output: Output,
    *,
    labels: Labels = "auto",
    things: bool = False,
    empty: Literal["unknown", "background"] = "unknown",
) -> Tabulated:
    """Rows of a collection; class maps are written.

    Args:
        found: the collection.
        output: where files go.
        labels: what names of whole images become; auto: a category where every labelled image has exactly one.
        things: whether the names of all shapes and boxes of an image become its tags.
        empty: what an image is that nobody marked anything in: unlabelled, or all background.

    Raises:
        DataError: there is nothing that a task can learn from, or something is broken.
    """
    items = _named(found.items)
    made = Tabulated([{"id": item.id, "image": output.cell(item.image)} for item in items], notes=list(found.notes))
    made.notes += [FEDERATED] * found.federated
    if any(item.split for item in items):
        for row, item in zip(made.rows, items, strict=True):
            row["split"] = item.split
    _segmentation(found, items, made, output, empty)
    for question in dict.fromkeys(name for item in items for name in item.labels):
        _labels(question, found, items, made, labels)
    for question in dict.fromkeys(name for item in items for name in item.numbers):
        name = _column(question, made)
        made.tasks[name] = {"kind": "scalars", "names": [question]}
        for row, item in zip(made.rows, items, strict=True):
            row[name] = ";".join(f"{value:.9g}" for value in item.numbers.get(question, []))
    boxes = sum(len(item.boxes) for item in items)
    if things:
        _things(found, items, made)
    _account(found, boxes, made)
    if not made.tasks:
        what = "; ".join(made.notes) or "nothing at all"
        hint = ": --things true makes tags of the names" if boxes else ""
        raise DataError(f"of {len(items)} images there is no label that a task can use ({what}){hint}")
    return made


def _named(items: list[Item]) -> list[Item]:
    """The items, with ids that are unique: the split before it, or the ending, where two are the same."""
    for longer in (lambda item: f"{item.split}/{item.id}", lambda item: f"{item.id}{item.image.suffix}"):
        count = Counter(item.id for item in items)
        for item in items:
            if count[item.id] > 1:
                item.id = longer(item)
    twice = next((name for name, times in Counter(item.id for item in items).items() if times > 1), None)
    if twice is not None:
        raise DataError(f"two images are called {twice!r}: give each file its own name")
    return items


def _segmentation(found: Collection, items: list[Item], made: Tabulated, output: Output, empty: str) -> None:
    if not any(item.shapes for item in items):
        return
    drawn = {shape.label for item in items for shape in item.shapes}
    spoken = {name for item in items for names in item.labels.values() for name in names}
    classes = [name for name in found.classes if name in drawn or name not in spoken]
    own = next((place for place, name in enumerate(classes) if name.lower() == BACKGROUND), None)
    background = len(classes) if own is None else own
    unknown = 255 if max(background, len(classes) - 1) < 254 else 65535
    below = unknown if found.covering or found.federated else background
    bare = "images without any shape, which have no label"
    bare += "" if found.federated else " (--empty background: they show none)"
    index = {name: place for place, name in enumerate(classes)}
    counts: Counter[str] = Counter()

    def paint(item: Item) -> tuple[str, bool, int]:
        if not (item.shapes or item.boxes) and not (item.seen and empty == BACKGROUND):
            counts[bare] += 1
            return "", False, 0
        size = item.size or image_size(item.image)
        try:
            drawn, lost = class_map(item, size, index, background=below, unknown=unknown, seen=not found.covering)
        except DataError as error:
            raise DataError(f"{item.image}: {error}") from None
        name = item.id if not item.split or item.id.startswith(f"{item.split}/") else f"{item.split}/{item.id}"
        return output.save(f"{SEMANTIC}/{name}", drawn), own is None and bool((drawn == background).any()), lost

    results = output.each(paint, items)
    for row, (cell, _, _) in zip(made.rows, results, strict=True):
        row[SEMANTIC] = cell
    if any(used for _, used, _ in results):
        classes = [*classes, BACKGROUND]
        made.notes.append(f"what no shape covers is the class {BACKGROUND} (number {background}, the last)")
    counts["shapes that cover no pixel's centre"] = sum(lost for _, _, lost in results)
    crowds = sum(shape.unknown for item in items for shape in item.shapes)
    counts["crowds and void regions, whose pixels are unknown"] = crowds
    made.notes += [f"{count} {what}" for what, count in counts.items() if count]
    made.tasks[SEMANTIC] = {"kind": "segmentation", "classes": classes}
    if unknown != (255 if len(classes) <= 255 else 65535):
        made.tasks[SEMANTIC]["ignore"] = unknown


def _labels(question: str, found: Collection, items: list[Item], made: Tabulated, labels: Labels) -> None:
    given = [list(dict.fromkeys(item.labels[question])) for item in items if question in item.labels]
    one = all(len(names) == 1 for names in given)
    if labels == "category" and not one:
        odd = next(item for item in items if len(set(item.labels.get(question, ["?"]))) != 1)
        raise DataError(
            f"{odd.image}: has {len(set(odd.labels[question]))} labels ({question}), a category is one: "
            "leave out --labels category"
        )
    several = found.federated or question in found.several
    category = labels == "category" or (labels == "auto" and one and not several)
    spoken = list(dict.fromkeys(name for names in given for name in names))
    listed = found.names.get(question, found.classes)
    classes = [name for name in listed if name in spoken or SEMANTIC not in made.tasks]
    classes = [name for name in classes if not is_void(name)] + [name for name in spoken if name not in listed]
    name = _column(question, made, "category" if category else "tags")
    made.tasks[name] = {"kind": "category" if category else "tags", "classes": classes}
    for row, item in zip(made.rows, items, strict=True):
        names = [each for each in dict.fromkeys(item.labels.get(question, [])) if each in classes]
        if category:
            row[name] = names[0] if names else ""
        else:
            row[name] = _tags(found, item, names, classes) if question in item.labels else ""


def _things(found: Collection, items: list[Item], made: Tabulated) -> None:
    """Tags from the names of shapes and boxes."""
    said = [[*(shape.label for shape in item.shapes), *(box.label for box in item.boxes)] for item in items]
    shown = [{name for name in names if not is_void(name)} for names in said]
    classes = [name for name in found.classes if name.lower() != BACKGROUND]
    classes += sorted({name for names in shown for name in names} - {*classes, BACKGROUND})
    name = "tags" if "tags" not in made.tasks else "things"
    made.tasks[name] = {"kind": "tags", "classes": classes}
    for row, item, names in zip(made.rows, items, shown, strict=True):
        row[name] = _tags(found, item, names, classes) if item.seen else ""


def _tags(found: Collection, item: Item, present: Container[str], classes: list[str]) -> str:
    """The cell of what is present: all other tags are absent, or unknown where only some were looked for."""
    if not found.federated:
        return tags_cell((place for place, name in enumerate(classes) if name in present), classes)
    known = {name: int(name in present) for name in classes if name in present or name in item.absent}
    return typed(known) if known else ""


def _account(found: Collection, boxes: int, made: Tabulated) -> None:
    if boxes:
        where = "; their pixels are unknown" if SEMANTIC in made.tasks and not found.covering else ""
        made.notes.append(f"{boxes} boxes without a shape, of which no task can be made{where}")
    for what, count in found.unused.most_common():
        made.notes.append(f"{count} {what}, which no task can use")


def _column(question: str, made: Tabulated, usual: str = "number") -> str:
    """A name for the task: that of the question, where it is one that a person chose."""
    name = re.sub(r"\W+", "_", question).strip("_") or usual
    name = usual if question == "labels" else name
    while name in made.tasks or name in RESERVED or not name[0].isalpha():
        name = f"{usual}_{name}" if not name.startswith(usual) else f"{name}_2"
    return name
