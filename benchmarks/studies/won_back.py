"""How much of what missing labels cost is won back? NYU-v2 at equal total steps, those of teachers counted, over seeds.

    python -m benchmarks.studies.won_back nyuv2_128x96/table.csv --size 96,128 --steps 3000 --labels one --out runs/one

*supervised*, *geometry* and *all* (supervised with all labels) are single trainings of that many steps; *rounds* is
three networks that teach together, twice, whose seven trainings share them, *round* one teacher and one student;
*larger* is a round whose teacher sees the larger files of ``--large``. The stem and the first two stages of the encoder
are frozen, zooms are 1 to 1.5 unless told, last weights are measured, seen once and seen mirrored at scales 1 and 1.25.
A seed draws the labels, the weights and the order. What is finished is passed over, what was interrupted goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from math import isnan
from pathlib import Path
from statistics import mean, stdev

from crosstask.cli import main as crosstask
from crosstask.compare.statistics import Interval, holm, p_value, recovered, t_interval
from crosstask.rounds.layout import Layout
from crosstask.training.run import Run

FROZEN = "{encoder.stem: {frozen: true}, encoder.stages.0: {frozen: true}, encoder.stages.1: {frozen: true}}"
METHODS = ("supervised", "geometry", "round", "rounds", "all")
NETWORKS = {"round": (1, 1), "rounds": (3, 2), "larger": (1, 1)}
"""How many networks each round but the last trains, and how many rounds follow the first."""
VIEWS = {"once": (), "several": ("--flip", "--scales", "1,1.25")}
BETTER = {"semantic": 1, "depth": -1, "normals": -1}

Scores = dict[str, float]
"""Primary metric by task."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--size", default="96,128", help="height and width of its files")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--labels", default="one")
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--split", default="test")
    parser.add_argument("--large", type=Path, help="for *larger*: the same table with larger files")
    parser.add_argument("--large-size", default="192,240", help="height and width of these")
    parser.add_argument("--zoom", default="1.0,1.5", help="least and greatest zoom of training")
    parser.add_argument("--scales", default="1.0,1.25", help="at which images are looked at by teachers")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    found: dict[str, dict[str, dict[int, Scores]]] = {views: {} for views in VIEWS}
    for seed in seeds:
        for method in arguments.methods.split(","):
            run = trained(arguments, method, seed)
            for views in VIEWS:
                scores = measured(run, arguments, views)
                found[views].setdefault(method, {})[seed] = scores
                print(method, seed, views, scores, flush=True)
    for views, methods in found.items():
        print(f"\n{arguments.labels} labels, {arguments.steps} steps in all, {len(seeds)} seeds, seen {views}\n")
        print("\n".join(rows(methods)), flush=True)


def trained(arguments: argparse.Namespace, method: str, seed: int) -> Path:
    """The run of a method, trained to its end."""
    folder = arguments.out / f"{method}_{seed}"
    networks, rounds = NETWORKS.get(method, (1, 0))
    run = Layout(folder).round(rounds) if rounds else folder
    if (folder / "finished").exists():
        return run
    size, large = f"[{arguments.size}]", f"[{arguments.large_size}]"
    steps = arguments.steps // (networks * rounds + 1)
    options = {
        "data.table": arguments.table, "data.size": size, "data.workers": 0, "data.zoom": f"[{arguments.zoom}]",
        "network.encoder": "tf_efficientnet_lite0",
        "data.labels": "full" if method == "all" else arguments.labels, "data.labels_seed": seed,
        "training.seed": seed, "training.iterations": steps, "training.evaluate_every": steps,
        "training.groups": FROZEN, "training.precision": "auto",
    }  # fmt: skip
    if rounds:
        options |= {"refine.networks": networks, "refine.rounds": rounds, "refine.scales": f"[{arguments.scales}]"}
    if method == "larger":
        options |= {"data.table": arguments.large, "data.size": large, "refine.student.data.size": size}
    if method in ("supervised", "all"):
        options["objectives.geometry.weight"] = 0
    command = "refine" if rounds else "train"
    begun = Layout(folder).recipe.exists() if rounds else Run(folder).exists()
    words = ["--resume", folder] if begun else ["nyuv2_rounds" if rounds else "best_dense", "--out", folder]
    typed = [] if begun else [word for key, value in options.items() for word in (f"--{key}", value)]
    if crosstask([command, *map(str, (*words, *typed))]):
        raise SystemExit(f"{folder}: the training did not end")
    (folder / "finished").touch()
    return run


def measured(run: Path, arguments: argparse.Namespace, views: str) -> Scores:
    """The scores of a run on the table itself, read where they were written before."""
    out, table, split = arguments.out, str(arguments.table), arguments.split
    path = out / "scores" / f"{run.relative_to(out).as_posix().replace('/', '_')}_{split}_{views}.json"
    if not path.exists():
        typed = ["eval", str(run), "--table", table, "--weights", "last", "--split", split, "--json", "--quiet"]
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            if crosstask([*typed, *VIEWS[views]]):
                raise SystemExit(f"{run}: cannot be measured")
        tasks = json.loads(text.getvalue())["results"]["tasks"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({name: each["numbers"][each["primary"]]["value"] for name, each in tasks.items()}))
    return json.loads(path.read_text())


def rows(methods: dict[str, dict[int, Scores]]) -> list[str]:
    """A table: mean ± sd, the paired difference to supervised with its t interval, p after Holm's correction for all of
    the table, and the share of the gap to all labels with Fieller's interval."""
    lines = ["| method | task | mean ± sd | difference, 95 % t | p, Holm | won back |", "|---|---|---|---|---|---|"]
    base, compared = methods.get("supervised"), []
    for method, runs in methods.items():
        for task, better in BETTER.items():
            values = {seed: scores[task] for seed, scores in runs.items()}
            cells = [method, task, spread(list(values.values()))]
            if base is None or method == "supervised":
                lines.append("| " + " | ".join([*cells, "", "", ""]) + " |")
                continue
            gains = [values[seed] - base[seed][task] for seed in values]
            won = ""
            if method != "all" and "all" in methods:
                gaps = [better * (methods["all"][seed][task] - base[seed][task]) for seed in values]
                share = recovered([better * gain for gain in gains], gaps)
                won = between(share.fraction, share.interval, ".0%")
            compared.append((cells, between(mean(gains), t_interval(gains), "+.3g"), p_value(gains), won))
    for (cells, gain, _, won), p in zip(compared, holm([each[2] for each in compared]), strict=True):
        lines.append("| " + " | ".join([*cells, gain, "" if isnan(p) else f"{p:.2g}", won]) + " |")
    return lines


def between(value: float, interval: Interval, form: str) -> str:
    """A number and its interval, which one seed has none of; nothing where there is no number."""
    if isnan(value):
        return ""
    return f"{value:{form}}" + ("" if isnan(interval.low) else f" ({interval.low:{form}} to {interval.high:{form}})")


def spread(values: list[float]) -> str:
    """Mean and standard deviation over seeds."""
    return f"{mean(values):.4g} ± {stdev(values):.2g}" if len(values) > 1 else f"{values[0]:.4g}"


if __name__ == "__main__":
    main()
