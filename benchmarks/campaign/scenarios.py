"""What is killed: one training per objective, and every command that writes files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from crosstask.data.table.table import Table, read_table, write_table
from tests.data.adapters.fake_cityscapes import write as write_cityscapes
from tests.objectives.cases import CASES
from tests.rounds.made import write_recipe as write_rounds
from tests.rounds.made import write_squares
from tests.tiny import write_recipe, write_tiny

SMALL = ["--training.iterations", "8", "--training.checkpoint_every", "2", "--training.evaluate_every", "4",
         "--training.log_every", "3", "--training.ema", "0.5"]  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    """A command that is killed.

    Attributes:
        typed: the command; ``BASE`` stands for the folder with data and a finished run.
        again: the command after a kill that goes on with what ``begun`` is a part of; the same where that is not there.
        begun: a file.
        done: a file that this command does not write over, so that nothing is left to do where it is there.
    """

    typed: list[str]
    again: list[str] | None = None
    begun: str = ""
    done: str = ""

    def next(self, folder: Path) -> list[str] | None:
        """What a person types after a kill, None where all is done."""
        if self.done and (folder / self.done).exists():
            return None
        return self.again if self.again and (folder / self.begun).exists() else self.typed


def scenarios(base: Path) -> dict[str, Scenario]:
    """One per objective, and one per command that writes files."""
    found = {}
    for name, case in CASES.items():
        options = json.dumps(dict(case.options)).replace("FOLDER", "BASE")
        objectives = f"{{supervised: {{}}, {case.kind}: {options}}}" if case.kind != "supervised" else "supervised"
        train = ["train", "BASE/recipe.yaml", "--out", "run", "--quiet", *SMALL, "--objectives", objectives]
        found[f"train {name}"] = Scenario([*train, "--resume", "auto"])
    compare = ["compare", "BASE/recipe.yaml", "--seeds", "0", "--out", "grid", "--jobs", "1", "--quiet", *SMALL]
    table = ["table", "BASE", "--image", "image/*.png", "--depth", "depth/*.png", "--out", "table.csv"]
    found |= {
        "predict": Scenario(["predict", "BASE/run", "BASE/image", "--out", "out", "--quiet", "--overwrite"]),
        "predict a table": Scenario(["predict", "BASE/run", "BASE/data.csv", "--out", "out", "--quiet", "--overwrite"]),
        "regions": Scenario(["regions", "BASE/data.csv", "--by", "grid", "--out", "regions", "--write", "data.csv"]),
        "regions by slic": Scenario(["regions", "BASE/data.csv", "--by", "slic", "--out", "regions", "--workers", "1",
                                     "--write", "data.csv"]),
        "rooms": Scenario(
            ["rooms", "--out", "rooms", "--train", "8", "--val", "2", "--test", "2", "--size", "48", "64"]
        ),
        "convert": Scenario(["convert", "cityscapes", "BASE/cityscapes", "--geometry", "depth", "--out", "made.csv",
                             "--workers", "1", "--quiet", "--overwrite"]),
        "table": Scenario(table, done="table.csv"),
        "start": Scenario(["start", "BASE/data.csv", "--out", "start.yaml", "--workers", "0", "--quiet"],
                          done="start.yaml"),
        "merge": Scenario(["merge", "BASE/data.csv", "BASE/labels.csv", "--out", "merged.csv", "--overwrite"]),
        "relate": Scenario(["relate", "BASE/data.csv", "--of", "place", "--to", "tags", "--out", "out/r.csv",
                            "--overwrite"]),
        "align": Scenario(["align", "RUN", "--objectives", "supervised,consistency", "--batches", "2", "--fit", "1",
                           "--quiet"]),
        "export": Scenario(["export", "BASE/run", "--out", "out/network.pt2", "--overwrite"]),
        "eval": Scenario(["eval", "RUN", "--quiet"]),
        "report": Scenario(["report", "RUN"]),
        "compare": Scenario([*compare, "--objectives", "supervised,mean_teacher"]),
        "compare with single tasks": Scenario([*compare, "--objectives", "single,supervised"]),
        "refine": Scenario(["refine", "BASE/rounds/recipe.yaml", "--out", "refined", "--quiet"],
                           ["refine", "--resume", "refined", "--quiet"], "refined/recipe.yaml"),
        "refine by teachers": Scenario(["refine", "BASE/recipe.yaml", "--out", "refined", "--quiet", *SMALL,
                                        "--refine", "{by: teachers, rounds: 1, folds: 0}"],
                                       ["refine", "--resume", "refined", "--quiet"], "refined/recipe.yaml"),
        "suggest": Scenario(["suggest", "RUN", "--budget", "3", "--quiet", "--overwrite"]),
        "audit": Scenario(["audit", "RUN", "--quiet"]),
        "audit in folds": Scenario(["audit", "RUN", "--folds", "2", "--tasks", "semantic,depth", "--quiet"]),
        "agree": Scenario(["agree", "BASE/annotators.csv", "--fuse", "fused.csv", "--weights", "estimate", "--quiet",
                           "--overwrite"]),
        "pack": Scenario(["pack", "BASE/data.csv", "--out", "packed", "--shard-mb", "1", "--quiet"]),
        "annotate": Scenario(["annotate", "BASE/data.csv", "BASE/recipe.yaml", "--as", "coco", "--out", "coco",
                              "--quiet", "--overwrite"]),
        "predict for a tool": Scenario(["predict", "BASE/run", "BASE/image", "--out", "out", "--as", "coco", "--quiet",
                                        "--overwrite"]),
        "convert from a tool": Scenario(["convert", "datumaro", "BASE/coco", "--format", "coco", "--out", "made.csv",
                                         "--workers", "1", "--quiet", "--overwrite"]),
    }  # fmt: skip
    return found


def prepare(base: Path, must: Callable[[list[str], Path], None]) -> None:
    """Data with all that objectives need, a recipe, and a finished run; ``must`` runs a command that may not fail."""
    table = read_table(write_tiny(base, count=8))
    rows = [row | {"mood": f"0.{index};-0.{index}", "fx": "40", "fy": "40", "cx": "24", "cy": "16"}
            for index, row in enumerate(table.rows)]  # fmt: skip
    write_table(Table(table.path, (*table.columns, "mood", "fx", "fy", "cx", "cy"), rows))
    (base / "tags.csv").write_text("class,cat,sofa\nindoor,1,0\noutdoor,0.2,0.8\n")
    (base / "mood.csv").write_text("class,valence,arousal\nindoor,0.5,-0.5\noutdoor,0,0\n")
    must(["regions", "data.csv", "--by", "grid", "--write", "data.csv"], base)
    recipe = write_recipe(base, base / "data.csv")
    text = recipe.read_text().replace("labels: one", "labels: 'fraction:0.6', regions: true")
    text = text.replace("  place:", "  mood: {kind: scalars, names: [valence, arousal]}\n  place:")
    network = "{encoder: small, encoder_options: {width: 2, output_stride: 2}, decoder: affinity, "
    text = text.replace(
        "{encoder: small, encoder_options: {width: 4}}", network + "decoder_options: {width: 4, dilations: [1, 1]}}"
    )
    recipe.write_text(text)
    must(["train", str(recipe), "--out", "run", "--quiet", *SMALL], base)
    (base / "labels.csv").write_text("id,image,weather\n000,image/000.png,sun\n001,image/001.png,rain\n")
    write_cityscapes(base / "cityscapes", train=2, test=1)
    (base / "rounds").mkdir()
    rounds = write_rounds(base / "rounds", write_squares(base / "rounds"))
    rounds.write_text(rounds.read_text().replace("iterations: 4", "iterations: 2"))

    must(["annotate", "data.csv", "recipe.yaml", "--as", "coco", "--out", "coco", "--quiet"], base)
    masks = sorted(path.name for path in (base / "semantic").glob("*.png"))
    with open(base / "annotators.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "annotator", "semantic"])
        for index, name in enumerate(masks):
            writer.writerows([f"image/{name}", who, f"semantic/{masks[index - shift]}"]
                             for shift, who in enumerate(("anna", "ben")))  # fmt: skip
