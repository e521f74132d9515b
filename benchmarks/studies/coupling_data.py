"""The data of the coupling study: small pictures, each with a class and attributes, in the splits train, joint (a few
samples to count relatedness on) and test."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from crosstask.data.table.table import Table, read_table, write_table
from crosstask.relatedness import Relatedness, infer, read_relatedness
from crosstask.rooms.dataset import RoomsDataset
from crosstask.rooms.vocabulary import OBJECTS, TYPES
from crosstask.seeding import derive
from crosstask.tasks import Category, Tagging

SIDE = 32
ANIMALS = ("mammal", "bird", "reptile", "fish", "amphibian", "insect", "invertebrate")
SEEN = ("airborne", "aquatic", "predator", "fins", "legs", "tail", "domestic", "catsize")
"""What the network sees of an animal; it predicts the type and the other eight attributes."""


@dataclass(frozen=True)
class Study:
    """One data set of the study.

    Attributes:
        make: (folder for pictures, folder of the data sets, seed) -> rows with a class, attributes and a split.
        attribute_labels: training samples with attribute labels.
        class_labels: training samples with a class label, by the ratio of the two.
        iterations: length of a run.
        flip: mirror half of the training pictures.
        network: options of the network.
        exact: name of a shipped table of the true relatedness; counted on all rows but the test rows where None.
    """

    make: Callable[[Path, Path, int], Table]
    attribute_labels: int
    class_labels: Mapping[str, int]
    iterations: int
    flip: bool = True
    network: Mapping[str, object] = field(default_factory=lambda: {"encoder": "plain"})
    exact: str | None = None


def tasks_of(table: Table) -> tuple[Category, Tagging]:
    """The class and the attributes, named by what the table holds."""
    traits = {trait for row in table.rows for trait in row["traits"].split(";")} - {"-"}
    return (
        Category("kind", classes=sorted({row["kind"] for row in table.rows})),
        Tagging("traits", classes=sorted(traits)),
    )


def true_relatedness(study: Study, table: Table) -> Relatedness:
    """R as it is known, or as it is counted on everything but the test rows."""
    kind, traits = tasks_of(table)
    if study.exact is not None:
        return read_relatedness(study.exact).aligned(kind.classes, traits.classes)
    return infer(table.only({row["id"] for row in table.rows if row["split"] != "test"}), kind, traits).table


def cells(folder: Path, data: Path, seed: int, side: int = SIDE) -> Table:
    """White blood cells (WBCAtt): 5 types, 31 values of 11 attributes."""
    name = "cells" if side == SIDE else f"cells_{side}"
    path, pictures, rows = folder / f"{name}.csv", folder / name, []
    if path.exists():
        return read_table(path)
    for split, source in (("train", "train"), ("joint", "val"), ("test", "test")):
        with open(data / "wbcatt" / f"{source}.csv", newline="") as file:
            for row in list(csv.DictReader(file))[: 60 if split == "joint" else None]:
                name, kind = row.pop("id"), row.pop("label")
                picture = Image.open(data / "wbcatt" / source / "rgb" / f"{name}.jpg")
                image = _saved(picture.resize((side, side), Image.Resampling.BOX), pictures / f"{name}.png")
                traits = ";".join(f"{attribute}={value}" for attribute, value in row.items())
                rows.append({"id": name, "image": image, "split": split, "kind": kind, "traits": traits})
    return _written(rows, path)


def rooms(folder: Path, data: Path, seed: int) -> Table:
    """Made-up rooms: 5 types, 13 objects that are drawn given the type, so that R is known exactly."""
    path, rows, start = folder / "rooms.csv", [], 0
    if path.exists():
        return read_table(path)
    tasks = {"kind": Category("kind", classes=list(TYPES)), "traits": Tagging("traits", classes=list(OBJECTS))}
    for split, count in (("train", 2000), ("joint", 60), ("test", 800)):
        dataset = RoomsDataset(count, tasks, size=(48, 72), start=start)
        for sample in (dataset[index] for index in range(count)):
            pixels = (sample.image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
            picture = Image.fromarray(pixels).resize((SIDE * 3 // 2, SIDE), Image.Resampling.BOX)
            image = _saved(picture, folder / "rooms" / f"{sample.id}.png")
            labels = {name: task.encode(sample.targets[name])["cell"] for name, task in tasks.items()}
            rows.append({"id": sample.id, "image": image, "split": split, **labels})
        start += count
    return _written(rows, path)


def zoo(folder: Path, data: Path, seed: int) -> Table:
    """Animals (UCI Zoo): 7 types, 8 attributes to be told from 8 others, painted as strips of grey. Splits by seed."""
    rows = []
    with open(data / "zoo" / "zoo.csv", newline="") as file:
        animals = list(csv.DictReader(file))
    order = sorted(range(len(animals)), key=lambda index: derive("zoo", seed, index))
    for place, index in enumerate(order):
        row = animals[index]
        grey = [float(row[name]) / (8 if name == "legs" else 1) for name in SEEN]
        strips = np.repeat(np.array(grey)[None] * 255, SIDE, 0).repeat(SIDE // len(SEEN), 1).astype(np.uint8)
        name = f"{index:03d}_{row.pop('animal_name')}"
        image = _saved(Image.fromarray(strips).convert("RGB"), folder / "zoo" / f"{name}.png")
        kind = ANIMALS[int(row.pop("type")) - 1]
        traits = ";".join(trait for trait, value in row.items() if trait not in SEEN and value == "1") or "-"
        split = "test" if place < 36 else "joint" if place < 51 else "train"
        rows.append({"id": name, "image": image, "split": split, "kind": kind, "traits": traits})
    return _written(rows, folder / f"zoo_{seed}.csv")


def _saved(picture: Image.Image, path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return str(path.resolve())


def _written(rows: list[dict[str, str]], path: Path) -> Table:
    return write_table(Table(path, ("id", "image", "split", "kind", "traits"), rows))


STUDIES = {
    "cells": Study(cells, 500, {"1:1": 500, "1:10": 50, "1:100": 5}, iterations=80),
    "cells_imagenet": Study(
        partial(cells, side=64),
        500,
        {"1:1": 500, "1:10": 50, "1:100": 5},
        iterations=120,
        network={"encoder": "tf_efficientnet_lite0", "pretrained": True},
    ),
    "rooms": Study(rooms, 600, {"1:1": 600, "1:10": 60, "1:100": 6}, iterations=200, exact="rooms"),
    "zoo": Study(zoo, 25, {"1:1": 25, "1:5": 5}, iterations=120, flip=False, network={"encoder": "strips"}),
}
"""The data sets by name."""
