"""The tables of the affinity study.

    python -m benchmarks.studies.affinity_data ../shared/data --out runs/affinity/data

writes ``ccp.csv`` (tags of 12 garments and body parts for all images, masks and the figure of the person for most),
``ccp_bare.csv`` (the same without figures for training images), ``figures.csv`` (horses, and the figures of a few
people) and ``rooms/table.csv`` (made-up rooms).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from crosstask.cli import main as crosstask
from crosstask.data.adapters.image_tags import tags_cell
from crosstask.data.table.folders import make_table
from crosstask.data.table.table import Table, concatenate, read_table, write_table
from crosstask.seeding import derive

FEW = 50
"""People whose figure the network of figures is shown."""


def ccp(folder: Path, out: Path) -> Table:
    """Clothing Co-Parsing, its tags merged as its masks are."""
    meta = json.loads((folder / "meta.json").read_text())
    patterns = {
        "image": "{split}/rgb/*.jpg",
        "semantic": "{split}/semseg13/*.png",
        "saliency": "{split}/saliency/*.png",
        "tags": "tags.json",
    }
    table = make_table(folder, patterns, out, ["train", "test"]).table
    merged, names = meta["map59to13"], meta["classes13"]
    rows = []
    for row in table.rows:
        present = {merged[tag] for tag in json.loads(row["tags"] or "[]")} - {0}
        rows.append({**row, "tags": tags_cell(present, names) if row["tags"] else ""})
    return write_table(replace(table, rows=rows))


def bare(table: Table, out: Path) -> Table:
    """The table without the saliency maps of its training rows."""
    rows = [{**row, "saliency": "" if row["split"] == "train" else row["saliency"]} for row in table.rows]
    return write_table(replace(table, rows=rows), out)


def figures(people: Table, horses: Path, out: Path, few: int = FEW) -> Table:
    """Figures of horses, and of a few people of the training split; nothing else is known of any image."""
    patterns = {"image": "{split}/rgb/*.jpg", "saliency": "{split}/saliency/*.png"}
    animals = make_table(horses, patterns, out, ["train", "test"]).table
    known = [row for row in people.rows if row["split"] == "train" and row["saliency"]]
    chosen = sorted(known, key=lambda row: derive("few", row["id"]))[:few]
    rows = [{name: row[name] for name in ("id", "image", "split", "saliency")} for row in chosen]
    return write_table(concatenate([animals, Table(people.path, ("id", "image", "split", "saliency"), rows)], out))


def rooms(out: Path, train: int, test: int) -> Table:
    """Made-up rooms as files."""
    counts = ["--train", str(train), "--val", "0", "--test", str(test), "--size", "64", "96"]
    if crosstask(["rooms", "--out", str(out), *counts]):
        raise SystemExit(1)
    return read_table(out / "table.csv")


def shortened(table: Table, train: int, test: int) -> Table:
    """The first rows of each split."""
    kept = [row for split, count in (("train", train), ("test", test))
            for row in [row for row in table.rows if row["split"] == split][:count]]  # fmt: skip
    return write_table(replace(table, rows=kept))


def prepare(shared: Path, out: Path, tiny: bool = False) -> None:
    """All tables, those that are there already left out."""
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "rooms" / "table.csv").exists():
        rooms(out / "rooms", *((6, 3) if tiny else (600, 120)))
    if (out / "figures.csv").exists() or not (shared / "ccp").is_dir():
        return
    people = ccp(shared / "ccp", out / "ccp.csv")
    people = shortened(people, 6, 3) if tiny else people
    bare(people, out / "ccp_bare.csv")
    animals = figures(people, shared / "horses", out / "figures.csv")
    if tiny:
        shortened(animals, 6, 3)


def main(typed: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="folder that holds ccp and horses")
    parser.add_argument("--out", type=Path, default=Path("runs/affinity/data"), help="folder of the tables")
    parser.add_argument("--tiny", action="store_true", help="a few rows of each")
    arguments = parser.parse_args(typed)
    prepare(arguments.shared, arguments.out, arguments.tiny)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
