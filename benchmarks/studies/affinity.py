"""What tags, saliency, affinities and rounds are worth: the ablations of AuxSegNet (arXiv 2107.11787).

    python -m benchmarks.studies.affinity --shared ../shared/data --out runs/affinity --sets rooms,ccp --seeds 0,1,2
    python -m benchmarks.studies.affinity --sets rooms --seeds 0 --training.iterations 250 --data.size '[32, 48]'
    python -m benchmarks.studies.affinity --tiny --out runs/affinity_tiny --seeds 0

All variants of a set and seed start from one classifier and the same pseudo-labels; what is finished is passed over, so
that the command can be stopped and started again. Flags of the recipe (``--training.iterations 250``) go
to all but the network of figures.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks.studies.affinity_data import prepare
from crosstask.cli import main as crosstask
from crosstask.compare.statistics import t_interval
from crosstask.evaluation.results import show

FULL = "cross-task affinity, both refined"
ALONE = "segmentation alone"
NONE = ["--network.decoder_options.affinity", "none", "--objectives", "supervised"]
ABLATIONS: dict[str, list[str]] = {
    ALONE: [*NONE, "--refine.tasks", "[semantic]"],
    "+ tags": [*NONE, "--refine.tasks", "[semantic, tags]"],
    "+ saliency": [*NONE, "--refine.tasks", "[semantic, saliency]"],
    "+ tags, saliency": NONE,
    "+ affinity of the segmentation": ["--network.decoder_options.affinity", "own",
                                       "--network.decoder_options.constrained", "[semantic]"],
    "+ an affinity for each": ["--network.decoder_options.affinity", "own"],
    "cross-task affinity, segmentation refined": ["--network.decoder_options.constrained", "[semantic]"],
    "cross-task affinity without neighbours": ["--network.decoder_options.kernel", "1"],
    "sums as published, transposed": ["--network.decoder_options.preset", "as_published"],
    "sums as released": ["--network.decoder_options.preset", "as_released"],
    "true masks instead of pseudo-labels": ["--refine.masks", "null"],
}  # fmt: skip
"""What differs from the recipe, in words and in flags; all with one round. The recipe itself runs all rounds."""
SETS: dict[str, dict[str, str]] = {
    "rooms": {"recipe": "rooms_tags", "table": "rooms/table.csv"},
    "ccp": {"recipe": "ccp_tags", "table": "ccp.csv"},
    "ccp_own": {"recipe": "ccp_tags", "table": "ccp_bare.csv", "figures": "figures.csv"},
}
"""Recipe and table of each set; ``ccp_own`` has its saliency from a network trained on the figures, and rounds only."""
TINY = ["--training.iterations", "2", "--training.warmup", "0", "--training.batch_size", "2", "--data.workers", "0",
        "--data.size", "[48, 32]", "--data.evaluation_size", "[48, 32]",
        "--network.encoder", "small", "--network.pretrained", "false",
        "--network.encoder_options", "{output_stride: 8, width: 2}"]  # fmt: skip
TINY_NETWORK = ["--network.decoder_options.width", "4", "--refine.classifier_recipe", "{}", "--refine.rounds", "1",
                "--refine.stop", "0", "--refine.cam", "0.1"]  # fmt: skip


def refine(folder: Path, recipe: str, overrides: Sequence[str]) -> list[dict[str, Any]]:
    """The rounds of a refinement, begun or continued.

    Raises:
        SystemExit: it failed, or was interrupted.
    """
    begun = (folder / "recipe.yaml").exists()
    typed = ["--resume", str(folder)] if begun else [recipe, "--out", str(folder), *overrides]
    code = crosstask(["refine", *typed, "--quiet"])
    if code:
        raise SystemExit(code)
    return json.loads((folder / "rounds.json").read_text())["rounds"]


def figures(folder: Path, table: Path, seed: int, tiny: Sequence[str]) -> Path:
    """A run that predicts saliency."""
    typed = ["horses", "--out", str(folder), "--data.table", str(table), "--training.seed", str(seed), *tiny]
    if (folder / "recipe.yaml").exists():
        typed = ["--resume", str(folder)]
    code = crosstask(["train", *typed, "--quiet"])
    if code:
        raise SystemExit(code)
    return folder


def runs(
    name: str, seed: int, data: Path, out: Path, tiny: bool, overrides: Sequence[str]
) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Variant, round and numbers of everything trained on a set with a seed."""
    given, folder = SETS[name], out / name / f"seed{seed}"
    common = ["--data.table", str(data / given["table"]), "--training.seed", str(seed)]
    common += [*TINY, *TINY_NETWORK] if tiny else []
    common += overrides
    if "figures" in given:
        source = figures(folder / "figures", data / given["figures"], seed, TINY if tiny else [])
        common += ["--refine.saliency_from", str(source)]
    for number, entry in enumerate(refine(folder / "full", given["recipe"], common)):
        yield FULL, number, entry
    if "figures" in given:
        return
    one = ["--refine.classifier", str(folder / "full" / "classifier")]
    for variant, changes in ABLATIONS.items():
        slug = "_".join("".join(letter if letter.isalnum() else " " for letter in variant).split())
        rounds = refine(folder / slug, given["recipe"], [*common, *one, *changes, "--refine.rounds", "0"])
        yield variant, 0, rounds[0]


def spread(values: Sequence[float | None]) -> str:
    """Mean and standard deviation over seeds."""
    known = [value for value in values if value is not None]
    if not known:
        return "n/a"
    return f"{show(mean(known))} ± {stdev(known):.2g}" if len(known) > 1 else show(known[0])


def difference(values: Sequence[float], baseline: Sequence[float]) -> str:
    """Mean paired difference and half the width of its 95 % t interval, bold where that excludes zero."""
    found = [value - other for value, other in zip(values, baseline, strict=True)]
    if len(found) < 2:
        return f"{mean(found):+.2f}"
    interval = t_interval(found)
    text = f"{mean(found):+.2f} ± {(interval.high - interval.low) / 2:.2f}"
    return f"**{text}**" if interval.excludes_zero else text


def markdown(found: Mapping[tuple[str, int], Sequence[dict[str, Any]]]) -> str:
    """A row per variant and round: mIoU of the network, precision, recall and coverage of its pseudo-labels."""
    columns = ("miou_known", "precision", "recall", "coverage", "changed")
    measured = {key: [entry["network"]["semantic"]["miou"] for entry in entries] for key, entries in found.items()}
    lines = [["variant", "round", "seeds", "test mIoU", f"to {ALONE}", *(f"pseudo-labels: {name}" for name in columns)]]
    lines.append(["---"] * len(lines[0]))
    for (variant, number), entries in found.items():
        labels = [spread([entry["pseudo_labels"][name] for entry in entries]) for name in columns]
        scores, baseline = measured[variant, number], measured.get((ALONE, 0))
        gain = difference(scores, baseline) if baseline and variant != ALONE else ""
        lines.append([variant, str(number), str(len(entries)), spread(scores), gain, *labels])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def main(typed: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"), help="folder that holds ccp and horses")
    parser.add_argument("--out", type=Path, default=Path("runs/affinity"), help="folder of everything")
    parser.add_argument("--sets", default="rooms,ccp", help=f"of {', '.join(SETS)}")
    parser.add_argument("--seeds", default="0,1,2", help="one run of each variant per seed")
    parser.add_argument("--tiny", action="store_true", help="a few images and steps, to see that everything runs")
    arguments, overrides = parser.parse_known_args(typed)
    data = arguments.out / "data"
    prepare(arguments.shared, data, arguments.tiny)
    for name in arguments.sets.split(","):
        found: dict[tuple[str, int], list[dict[str, Any]]] = {}
        for seed in map(int, arguments.seeds.split(",")):
            for variant, number, entry in runs(name, seed, data, arguments.out, arguments.tiny, overrides):
                found.setdefault((variant, number), []).append(entry)
            (arguments.out / f"{name}.md").write_text(markdown(found), encoding="utf-8")
        print(f"{name}\n\n{markdown(found)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
