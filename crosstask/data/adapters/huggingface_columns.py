"""Columns of Hugging Face's data sets, each as a task: what its features say it is."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from crosstask.data.adapters.base import Output
from crosstask.data.adapters.huggingface_pictures import is_broken, picture
from crosstask.data.decode.files import load_classes, load_label
from crosstask.data.table.table import RESERVED
from crosstask.errors import DataError

_CALLED_LABEL = ("label", "labels", "category", "class", "target")


class Column:
    """A column of labels. What its values show of it is gathered while cells are made.

    Args:
        source: its name in the set.
        kind: the kind of the task.
        classes: the names, where the set has them.
    """

    def __init__(self, source: str, kind: str, classes: list[str] | None = None) -> None:
        self.source, self.kind, self.classes = source, kind, classes
        self.name = f"{source}_label" if source in RESERVED else source
        self.seen: set[Any] = set()
        self.length = 0
        self._refused = ""
        self._lock = threading.Lock()

    @property
    def refusal(self) -> str:
        """Why the column is no label, as far as its values have been seen; empty where it is one."""
        untold = self.kind in ("segmentation", "category") and not (self.classes or self.seen)
        return self._refused or ("nothing but blanks" if untold else "")

    def task(self) -> dict[str, Any]:
        """The options of the task in a recipe."""
        if self.kind == "segmentation":
            values = self.seen - {255}
            if self.seen == {0, 255} or self.seen == {255}:
                return {"kind": "saliency"}
            return {"kind": "segmentation", "classes": int(max(values, default=1)) + 1}
        if self.kind == "scalars":
            one = self.length <= 1
            return {
                "kind": "scalars",
                "names": [self.source] if one else [f"{self.source}_{i}" for i in range(self.length)],
            }
        if self.kind == "depth":
            return {"kind": "depth"}
        return {"kind": self.kind, "classes": self.classes or sorted(map(str, self.seen), key=_order)}

    def cell(self, value: Any, name: str, output: Output, where: str) -> str:
        """What the table holds for a value; blank for none.

        Raises:
            DataError: it is not what the column should hold.
        """
        if value is None:
            return ""
        if self.kind in ("segmentation", "depth"):
            return self._map(value, name, output, where)
        if self.kind == "scalars":
            return self._numbers(value, where)
        if self.kind == "tags":
            if isinstance(value, bool):
                return self.classes[0] if value and self.classes else "-"
            present = sorted({int(each) for each in value})
            return ";".join(self._class(each, where) for each in present) or "-"
        if self.classes is not None:
            return "" if int(value) == -1 else self._class(int(value), where)
        text = str(value).strip()
        with self._lock:
            self.seen |= {text} if text else set()
        return text

    def _class(self, number: int, where: str) -> str:
        if self.classes is None or not 0 <= number < len(self.classes):
            raise DataError(f"{where}, column {self.source}: class {number} of {len(self.classes or [])}: mend the set")
        return self.classes[number]

    def _numbers(self, value: Any, where: str) -> str:
        values = [
            float(each) if each is not None else math.nan for each in (value if isinstance(value, list) else [value])
        ]
        with self._lock:
            self.length = self.length or len(values)
        if len(values) != self.length:
            raise DataError(
                f"{where}, column {self.source}: {len(values)} numbers, others have {self.length}: --leave it"
            )
        if all(math.isnan(each) for each in values):
            return ""
        shown = [None if math.isnan(each) else float(f"{each:.9g}") for each in values]
        return json.dumps(shown) if None in shown else ";".join(f"{each:.9g}" for each in values)

    def _map(self, value: Any, name: str, output: Output, where: str) -> str:
        if self._refused:
            return ""
        path = picture(value, name, output, f"{where}, column {self.source}")
        try:
            stored = load_label(path) if self.kind == "depth" else load_classes(path)
        except DataError as error:
            if is_broken(path):
                raise
            self._refused = str(error)
            return ""
        grey = stored.ndim == 2 or bool((stored[..., :1] == stored).all())
        ids = stored if stored.ndim == 2 else stored[..., 0]
        if not grey or ids.dtype.kind == "f" or (ids.size and (ids.min() < 0 or ids.max() > 65535)):
            self._refused = "pictures of several channels, or of floats"
            return ""
        with self._lock:
            self.seen |= set(np.unique(ids).tolist())
        return output.cell(path) if stored.ndim == 2 else output.save(name, ids)


def columns_of(
    features: Mapping[str, Any], without: set[str], asked: Mapping[str, str]
) -> tuple[list[Column], list[str]]:
    """The columns that are labels, and which are not, each with why.

    Args:
        features: what the library says of each column.
        without: columns that are no labels.
        asked: the kind of task of a column, where a person has said it.
    """
    import datasets

    columns: list[Column] = []
    left: list[str] = []
    for name, feature in features.items():
        if name in without:
            continue
        inner = getattr(feature, "feature", None)
        number = isinstance(feature, datasets.Value) and feature.dtype
        if isinstance(feature, datasets.ClassLabel):
            columns.append(Column(name, "category", list(feature.names)))
        elif isinstance(inner, datasets.ClassLabel):
            columns.append(Column(name, "tags", list(inner.names)))
        elif isinstance(feature, datasets.Image):
            deep = "depth" in name.lower() and name not in asked
            columns.append(Column(name, "depth" if deep else "segmentation"))
        elif name in asked or (number and not number.startswith("float") and name in _CALLED_LABEL):
            columns.append(Column(name, asked.get(name, "category")))
        elif number == "bool":
            columns.append(Column(name, "tags", [name]))
        elif (number and number.startswith("float")) or (
            isinstance(inner, datasets.Value) and inner.dtype.startswith("float")
        ):
            columns.append(Column(name, "scalars"))
        elif name not in ("id", "image_id", "file_name"):
            what = number or type(feature).__name__.lower()
            left.append(f"{name} ({what})" + (": --categories takes it for one" if number else ""))
    return columns, left


def _order(name: str) -> tuple[bool, float, str]:
    """Numbers by their value, before names."""
    try:
        return False, float(name), name
    except ValueError:
        return True, 0.0, name
