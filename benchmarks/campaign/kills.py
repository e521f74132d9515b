"""Commands killed at random moments and started again: everything is as if nothing had happened.

Every scenario is run once to its end. Then it is begun in a fresh folder, killed at a moment drawn from the time that
took, and started again as a person would, until it ends. All files are compared byte by byte, but for what tells times,
and names of files left over are counted.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from crosstask.cli import main
from crosstask.data.table.table import Table, read_table, write_table
from crosstask.writing import is_part
from tests.objectives.cases import CASES
from tests.tiny import write_recipe, write_tiny

TIMES = {"images_per_second", "seconds_per_step", "waiting_for_data", "peak_memory", "seconds"}
UNCOMPARED = {
    "environment.json",
    "state.pt",
    "fingerprint.json",
    "error.txt",
    "report.html",
    "costs.csv",
    "comparison.md",
}
"""Files that tell times and machines; state.pt is compared through the weights that a resumed run ends with."""
COUNTED = ("trials", "killed", "failed", "different", "left")
SMALL = ["--training.iterations", "8", "--training.checkpoint_every", "2", "--training.evaluate_every", "4",
         "--training.log_every", "3", "--training.ema", "0.5", "--training.tensorboard", "false"]  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    """A command that is killed.

    Attributes:
        typed: the command; ``BASE`` stands for the folder with data and a finished run.
        again: the command after a kill, None for the same.
    """

    typed: list[str]
    again: list[str] | None = None


def scenarios(base: Path) -> dict[str, Scenario]:
    """One per objective, and one per command that writes files."""
    found = {}
    for name, case in CASES.items():
        options = json.dumps(dict(case.options)).replace("FOLDER", "BASE")
        objectives = f"{{supervised: {{}}, {case.kind}: {options}}}" if case.kind != "supervised" else "supervised"
        train = ["train", "BASE/recipe.yaml", "--out", "run", "--quiet", *SMALL, "--objectives", objectives]
        found[f"train {name}"] = Scenario([*train, "--resume", "auto"])
    found |= {
        "predict": Scenario(["predict", "BASE/run", "BASE/image", "--out", "out", "--quiet", "--overwrite"]),
        "regions": Scenario(["regions", "BASE/data.csv", "--by", "grid", "--out", "regions", "--write", "data.csv"]),
        "rooms": Scenario(
            ["rooms", "--out", "rooms", "--train", "8", "--val", "2", "--test", "2", "--size", "48", "64"]
        ),
        "relate": Scenario(["relate", "BASE/data.csv", "--of", "place", "--to", "tags", "--out", "out/related.csv"]),
        "export": Scenario(["export", "BASE/run", "--out", "out/network.pt2", "--overwrite"]),
        "eval": Scenario(["eval", "RUN", "--quiet"]),
        "report": Scenario(["report", "RUN"]),
        "compare": Scenario(
            ["compare", "BASE/recipe.yaml", "--objectives", "supervised,mean_teacher", "--seeds", "0", "--out", "grid",
             "--jobs", "1", "--quiet", *SMALL]
        ),
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
    """What a person would look at, by path: bytes, or the values of logs without times."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if not path.is_file() or path.name in UNCOMPARED or path.name == "said.txt" or path.suffix == ".html":
            continue
        if path.name == "metrics.jsonl":
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            found[name] = [{key: value for key, value in line.items() if key not in TIMES} for line in lines]
        elif path.suffix == ".pt2":
            found[name] = "there"  # an archive with times in it
        elif path.suffix == ".json" and "grid" in name:
            found[name] = "there"
        else:
            found[name] = path.read_bytes()
    return found


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
    killed = 0
    if draw is not None:
        killed = int(call(typed, folder, draw()) == -signal.SIGKILL)
    code = call([word.replace("BASE", str(base)) for word in scenario.again or scenario.typed], folder)
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
            began = time.monotonic()
            _, fault = trial(scenario, base, top / "whole", None)
            whole[name] = files(top / "whole"), time.monotonic() - began
            if fault:
                print(f"kills  {name}: cannot be run: {fault}", flush=True)
                del whole[name]
            shutil.rmtree(top / "whole")
        counts: dict[str, Counter[str]] = {name: Counter() for name in whole}
        for number in range(trials):
            name = list(whole)[number % len(whole)]
            expected, seconds = whole[name]
            folder = top / "trial"
            killed, fault = trial(chosen[name], base, folder, lambda most=seconds: rng.uniform(0, most))
            found = files(folder)
            different = [key for key in {*expected, *found} if expected.get(key) != found.get(key)]
            left = leftovers(folder)
            counts[name].update(trials=1, killed=killed, failed=bool(fault), different=bool(different), left=bool(left))
            if fault or different or left:
                print(f"kills  {name}: {fault} {sorted(different)[:4]} {left[:4]}", flush=True)
            shutil.rmtree(folder)
            if number % 10 == 9:
                print("kills  so far:", _words(sum(counts.values(), Counter())), flush=True)
    total = sum(counts.values(), Counter())
    for name, count in counts.items():
        print(f"kills  {name:32} {_words(count)}")
    print(f"kills: {_words(total)}", flush=True)
    return total["failed"] + total["different"] + total["left"] + len(chosen) - len(whole)


def _words(count: Counter[str]) -> str:
    return "  ".join(f"{count[key]:4} {key}" for key in COUNTED)
