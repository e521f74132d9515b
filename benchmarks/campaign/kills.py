"""Commands killed at random moments and started again: everything is as if nothing had happened.

Every scenario is run once to its end. Then it is begun in a fresh folder, killed at a moment drawn from the time that
took, and started again as a person would, until it ends. All files are compared byte by byte, but for what tells times,
and names of files left over are counted.
"""

from __future__ import annotations

import csv
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from crosstask.cli import main
from crosstask.data.table.table import Table, read_table, write_table
from crosstask.writing import is_part
from tests.data.adapters.fake_cityscapes import write as write_cityscapes
from tests.objectives.cases import CASES
from tests.rounds.made import write_recipe as write_rounds
from tests.rounds.made import write_squares
from tests.tiny import write_recipe, write_tiny

TIMES = {"images_per_second", "seconds_per_step", "waiting_for_data", "peak_memory", "seconds",
         "relative_to_supervised", "memory_relative_to_supervised"}  # fmt: skip
"""Keys of logs and columns of tables that hold times and memory, and the quotients of these."""
TIMED_COLUMNS = ("s per step", "/ supervised", "memory")
"""The same in tables for people."""
UNCOMPARED = {"environment.json", "state.pt", "fingerprint.json", "error.txt", "log.txt", "said.txt"}
"""Files that tell times and machines; state.pt is compared through the weights that a resumed run ends with."""
COUNTED = ("trials", "killed", "failed", "different", "left")
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
        "regions by slic": Scenario(["regions", "BASE/data.csv", "--by", "slic", "--out", "regions", "--workers", "1"]),
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
    }  # fmt: skip
    return found


def prepare(base: Path) -> None:
    """Data with all that objectives need, a recipe, and a finished run."""
    table = read_table(write_tiny(base, count=8))
    rows = [row | {"mood": f"0.{index};-0.{index}", "fx": "40", "fy": "40", "cx": "24", "cy": "16"}
            for index, row in enumerate(table.rows)]  # fmt: skip
    write_table(Table(table.path, (*table.columns, "mood", "fx", "fy", "cx", "cy"), rows))
    (base / "tags.csv").write_text("class,cat,sofa\nindoor,1,0\noutdoor,0.2,0.8\n")
    (base / "mood.csv").write_text("class,valence,arousal\nindoor,0.5,-0.5\noutdoor,0,0\n")
    _must(["regions", "data.csv", "--by", "grid", "--write", "data.csv"], base)
    recipe = write_recipe(base, base / "data.csv")
    text = recipe.read_text().replace("labels: one", "labels: 'fraction:0.6', regions: true")
    text = text.replace("  place:", "  mood: {kind: scalars, names: [valence, arousal]}\n  place:")
    network = "{encoder: small, encoder_options: {width: 2, output_stride: 2}, decoder: affinity, "
    text = text.replace(
        "{encoder: small, encoder_options: {width: 4}}", network + "decoder_options: {width: 4, dilations: [1, 1]}}"
    )
    recipe.write_text(text)
    _must(["train", str(recipe), "--out", "run", "--quiet", *SMALL], base)
    (base / "labels.csv").write_text("id,image,weather\n000,image/000.png,sun\n001,image/001.png,rain\n")
    write_cityscapes(base / "cityscapes", train=2, test=1)
    (base / "rounds").mkdir()
    rounds = write_rounds(base / "rounds", write_squares(base / "rounds"))
    rounds.write_text(rounds.read_text().replace("iterations: 4", "iterations: 2"))


def _must(typed: list[str], folder: Path) -> None:
    if call(typed, folder):
        raise SystemExit(f"kills: cannot be prepared: {(folder / 'said.txt').read_text().splitlines()[-1]}")


def call(typed: list[str], folder: Path, kill_after: float | None = None) -> int:
    """Type a command in a folder, in a process of its own that has everything imported; its exit code."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setpgid(0, 0)
            os.chdir(folder)
            with open(folder / "said.txt", "a") as said:
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
            code = main(typed)
        finally:
            sys.stdout.flush()
            os._exit(code)
    if kill_after is not None:
        ends = time.monotonic() + kill_after
        while time.monotonic() < ends:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.002)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def files(folder: Path) -> dict[str, object]:
    """What a person would look at, by path: bytes, or what remains without times."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and path.name not in UNCOMPARED and not path.name.endswith(".lock"):
            found[name] = READERS.get(path.suffix, Path.read_bytes)(path)
    return found


def _values(value: Any) -> Any:
    """JSON without the keys that hold times."""
    if isinstance(value, dict):
        return {key: _values(each) for key, each in value.items() if key not in TIMES}
    return [_values(each) for each in value] if isinstance(value, list) else value


def _lines(path: Path) -> Any:
    return [_values(json.loads(line)) for line in path.read_text().splitlines()]


def _rows(path: Path) -> Any:
    with open(path, newline="") as file:
        return [{key: cell for key, cell in row.items() if key not in TIMES} for row in csv.DictReader(file)]


def _markdown(path: Path) -> Any:
    """The lines, those of tables without the columns of times."""
    lines, timed = [], set()
    for line in path.read_text().splitlines():
        cells = line.split(" | ") if line.startswith("|") else None
        if cells is None:
            timed = set()
        elif not timed:
            timed = {index for index, cell in enumerate(cells) if cell.strip("| ") in TIMED_COLUMNS} or {-1}
        lines.append([cell for index, cell in enumerate(cells) if index not in timed] if cells else line)
    return lines


def _archive(path: Path) -> Any:
    """The weights and constants in an exported program; the program itself numbers its nodes as it likes."""
    with zipfile.ZipFile(path) as archive:
        members = {each.filename.partition("/")[2]: each.CRC for each in archive.infolist()}
    return {name: crc for name, crc in members.items() if re.search("weights|constants", name) and "json" not in name}


READERS: dict[str, Callable[[Path], Any]] = {
    ".json": lambda path: _values(json.loads(path.read_text())),
    ".jsonl": _lines,
    ".csv": _rows,
    ".md": _markdown,
    ".pt2": _archive,
    ".html": lambda path: "there",  # shows times and memory in its charts
}


def leftovers(folder: Path) -> list[str]:
    """Files and folders that only a killed process leaves."""
    return [str(path.relative_to(folder)) for path in folder.rglob(".*") if is_part(path.name) or "lock" in path.name]


def trial(scenario: Scenario, base: Path, folder: Path, draw: Callable[[], float] | None) -> tuple[int, str]:
    """Run a scenario in a new folder, killed once where ``draw`` gives a moment; how often it was killed, and what went
    wrong."""
    folder.mkdir()
    if any("RUN" in word for word in scenario.typed):
        shutil.copytree(base / "run", folder / "RUN")
    typed = [word.replace("BASE", str(base)) for word in scenario.typed]
    killed, following = 0, scenario.typed
    if draw is not None:
        code = call(typed, folder, draw())
        killed = int(code == -signal.SIGKILL)
        following = scenario.next(folder) if killed else None
    if following is not None:
        code = call([word.replace("BASE", str(base)) for word in following], folder)
    elif killed:
        code = 0
    said = (folder / "said.txt").read_text().strip().splitlines()
    return killed, "" if code == 0 else f"exit code {code}: {said[-1] if said else ''}"


def run(trials: int, seed: int, only: str = "") -> int:
    """Print counts by scenario; returns how many trials were not as if nothing had happened."""
    torch.set_num_threads(1)
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as text:
        top = Path(text)
        base = top / "base"
        base.mkdir()
        prepare(base)
        chosen = {name: each for name, each in scenarios(base).items() if only in name}
        whole: dict[str, tuple[dict[str, object], float]] = {}
        for name, scenario in chosen.items():
            for _ in range(2):  # two that were not killed: what differs between these is no promise
                began = time.monotonic()
                _, fault = trial(scenario, base, top / "trial", None)
                found, seconds = files(top / "trial"), time.monotonic() - began
                shutil.rmtree(top / "trial")
                if fault:
                    break
                if name in whole and (odd := _different(whole[name][0], found)):
                    fault = f"differs without being killed: {odd[:4]}"
                whole[name] = found, seconds
            if fault:
                print(f"kills  {name}: cannot be run: {fault}", flush=True)
                whole.pop(name, None)
        counts: dict[str, Counter[str]] = {name: Counter() for name in whole}
        for number in range(trials):
            name = list(whole)[number % len(whole)]
            expected, seconds = whole[name]
            folder = top / "trial"
            killed, fault = trial(chosen[name], base, folder, lambda most=seconds: rng.uniform(0, most))
            found = files(folder)
            different = _different(expected, found)
            left = leftovers(folder)
            counts[name].update(trials=1, killed=killed, failed=bool(fault), different=bool(different), left=bool(left))
            if fault or different or left:
                print(f"kills  {name}: {fault} {different[:4]} {left[:4]}", flush=True)
            shutil.rmtree(folder)
            if number % 10 == 9:
                print("kills  so far:", _words(sum(counts.values(), Counter())), flush=True)
    total = sum(counts.values(), Counter())
    for name, count in counts.items():
        print(f"kills  {name:32} {_words(count)}")
    print(f"kills: {_words(total)}", flush=True)
    return total["failed"] + total["different"] + total["left"] + len(chosen) - len(whole)


def _different(one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    return sorted(key for key in {*one, *other} if one.get(key) != other.get(key))


def _words(count: Counter[str]) -> str:
    return "  ".join(f"{count[key]:4} {key}" for key in COUNTED)
