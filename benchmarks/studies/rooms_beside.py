"""A table of real images with one label each, and made-up rooms with depth and normals beside them.

    crosstask rooms --out rooms --train 1200 --val 0 --test 0 --size 96 128
    python -m benchmarks.studies.rooms_beside nyuv2_128x96/tune.csv rooms/table.csv --out nyuv2_128x96/beside.csv
    crosstask train best_dense --data.table nyuv2_128x96/beside.csv --data.labels full --out runs/beside

Real images keep the labels that `data.labels: one` leaves; rooms' normals are written in the axes of NYU-v2's files.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from crosstask.data.loading.dataset import TableDataset
from crosstask.data.table.table import INTRINSICS, read_table, write_table
from crosstask.recipe import Recipe
from crosstask.rounds.given import given_labels
from crosstask.tasks import Normals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("rooms", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    recipe = Recipe.load("best_dense", ["--data.table", str(arguments.table)])
    tasks = recipe.tasks()
    real = given_labels(read_table(arguments.table), recipe.data, tasks).rebased(arguments.out.resolve())
    rooms = read_table(arguments.rooms).rebased(arguments.out.resolve())
    dataset = TableDataset(rooms, {"normals": Normals("normals")})
    folder = arguments.out.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    kept = ("id", "image", "split", "depth", *INTRINSICS)
    rows = []
    for index, row in enumerate(rooms.rows):
        encoded = tasks["normals"].encode(dataset[index].targets["normals"].as_subclass(Tensor))
        assert isinstance(encoded, np.ndarray)
        Image.fromarray(encoded.astype(np.uint8)).save(folder / f"{row['id']}.png")
        rows.append({name: row[name] for name in kept} | {"normals": f"{folder.name}/{row['id']}.png"})
    beside = [{column: row.get(column, "") for column in real.columns} for row in (*real.rows, *rows)]
    write_table(replace(real, rows=beside))
    print(f"{arguments.out}: {len(real.rows)} real rows, {len(rows)} rooms")


if __name__ == "__main__":
    main()
