"""Does `crosstask audit` find labels that were made wrong on purpose? NYU-v2, masks and depth.

    crosstask table nyuv2 --out nyuv2.csv --split train,test --image '{split}/rgb/*.jpg' \\
        --semantic '{split}/semseg13/*.png' --depth '{split}/depth/*.png'
    python -m benchmarks.studies.audit nyuv2.csv --out audit_study --seeds 0,1,2,3,4

Of the training labels a share each is given one fault: masks mirrored, or the two largest classes of a mask exchanged;
depth moved by 15 to 25 % of the picture, or a metre added, or in a wrong unit (feet for metres or the other way round,
or a tenth). A network is trained on all labels, faults too, and judges them (no folds). Of each kind of fault: the
precision among the first 5 % of the labels of the task that are right or have this fault. Baselines: the mean loss of a
label, and chance. A seed that is finished is not done again.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import crosstask
from crosstask.audit.audit import audit
from crosstask.data.table.table import Table, read_table, write_table
from crosstask.suggest.look import error
from crosstask.trained import TrainedRun, load_run
from crosstask.training.run import STATE, Run
from crosstask.writing import write

FAULTS = {"mirrored": "semantic", "exchanged": "semantic", "moved": "depth", "offset": "depth", "unit": "depth"}
FIRST = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--share", type=float, default=0.05, help="of the labels of a task, of each fault")
    parser.add_argument("--iterations", type=int, default=200)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = []
    for seed in map(int, arguments.seeds.split(",")):
        file = arguments.out / f"seed_{seed}.json"
        if not file.is_file():
            measured = one_seed(arguments.table, arguments.out / f"seed_{seed}", seed, arguments)
            write(file, json.dumps(measured, indent=1))
        found.append(json.loads(file.read_text()))
        report(found)


def one_seed(table: Path, folder: Path, seed: int, arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Precision by fault and ranking."""
    faulty, faults = with_faults(read_table(table), folder, seed, arguments.share)
    path = folder / "run"
    if not Run(path).checkpoints.has("last"):
        crosstask.train(recipe(faulty.path, seed, arguments.iterations), out=path, quiet=True)
    elif (Run(path).read_json(STATE) or {}).get("status") != "finished":
        crosstask.train({}, out=path, quiet=True, resume=True)
    run = load_run(path, "last")
    data = run.splits.train
    audited = audit([run], data, np.zeros(len(data), int), path / "audit" / "pass")
    ranks = {(each.id, each.task): each.suspicion for each in audited.suspects}
    losses = plain_losses(run)
    return {
        fault: {
            "audit": precision(ranks, faults, task, fault),
            "loss": precision(losses, faults, task, fault),
            "chance": sum(each == fault for (_, of), each in faults.items() if of == task)
            / sum(of == task and faults.get((name, of), fault) == fault for name, of in ranks),
        }
        for fault, task in FAULTS.items()
    }


def recipe(table: Path, seed: int, iterations: int) -> dict[str, object]:
    """A short training at a small size."""
    classes = ["bed", "books", "ceiling", "chair", "floor", "furniture", "objects", "picture", "sofa", "table", "tv",
               "wall", "window"]  # fmt: skip
    return {
        "data": {"table": str(table), "size": [64, 96], "evaluation_size": [64, 96], "cache": True, "workers": 0,
                 "zoom": [1.0, 1.5], "validation_fraction": 0.0},
        "tasks": {"semantic": {"kind": "segmentation", "classes": classes},
                  "depth": {"kind": "depth", "loss": "log", "typical": 2.7}},
        "network": {"encoder": "tf_efficientnet_lite0", "pretrained": True},
        "training": {"iterations": iterations, "batch_size": 8, "lr": 2e-3, "warmup": 30, "clip": 5.0, "ema": 0.98,
                     "accelerator": "cpu", "seed": seed, "log_every": 50},
    }  # fmt: skip


def with_faults(table: Table, folder: Path, seed: int, share: float) -> tuple[Table, dict[tuple[str, str], str]]:
    """The training rows with faults in some of their files, and the fault of each (id, task) that has one."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    rows = [dict(row) for row in table.rebased(folder / "faulty.csv").rows if row["split"] == "train"]
    faults: dict[tuple[str, str], str] = {}
    for task in ("semantic", "depth"):
        order = rng.permutation(len(rows))
        for fault in [name for name, of in FAULTS.items() if of == task]:
            count = round(share * len(rows))
            chosen, order = order[:count], order[count:]
            for index in chosen:
                row = rows[index]
                stored = np.asarray(Image.open(folder / row[task]))
                file = folder / fault / f"{row['id']}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(spoilt(stored, fault, rng)).save(file)
                row[task] = f"{fault}/{row['id']}.png"
                faults[row["id"], task] = fault
    return write_table(replace(table, path=folder / "faulty.csv", rows=rows)), faults


def spoilt(stored: np.ndarray, fault: str, rng: np.random.Generator) -> np.ndarray:
    """A label file with a fault."""
    if fault == "mirrored":
        return stored[:, ::-1].copy()
    if fault == "exchanged":
        values, counts = np.unique(stored[stored != 255], return_counts=True)
        first, second = [*values[np.argsort(-counts)], 0, 1][:2]
        return np.where(stored == first, second, np.where(stored == second, first, stored)).astype(stored.dtype)
    if fault == "moved":
        height, width = stored.shape
        down, right = rng.choice([-1, 1], 2) * rng.uniform(0.15, 0.25, 2) * (height, width)
        rows = np.clip(np.arange(height) - round(down), 0, height - 1)
        return stored[rows][:, np.clip(np.arange(width) - round(right), 0, width - 1)]
    metres = stored / 1000
    changed = metres + 1 if fault == "offset" else metres * rng.choice([3.28084, 0.3048, 0.1])
    return np.clip(np.rint(1000 * changed), 1, 65534).astype(np.uint16)


@torch.inference_mode()
def plain_losses(run: TrainedRun) -> dict[tuple[str, str], float]:
    """The mean loss of each training label."""
    network, found = run.predictor(), {}
    for batch in run.training_batches():
        raw = network(batch.images)
        for name, task in run.tasks.items():
            target = batch.targets[name].as_subclass(Tensor)
            for index, each in enumerate(batch.ids):
                found[each, name] = error(task, raw[name][index : index + 1], target[index : index + 1])
    return found


def precision(scores: dict[tuple[str, str], float], faults: dict[tuple[str, str], str], task: str, fault: str) -> float:
    """The share of faults among the first 5 % of the labels of a task that are right or have this fault."""
    own = {key: value for key, value in scores.items() if key[1] == task and faults.get(key, fault) == fault}
    first = sorted(own, key=lambda key: -own[key])[: round(FIRST * len(own))]
    return sum(key in faults for key in first) / len(first)


def report(found: list[dict[str, dict[str, float]]]) -> None:
    """Mean and standard deviation over the seeds so far."""
    print(f"{len(found)} seeds: precision in the first {FIRST:.0%}")
    for fault in FAULTS:
        said = []
        for way in ("audit", "loss", "chance"):
            values = np.array([each[fault][way] for each in found])
            said.append(f"{way} {values.mean():.3f} ± {values.std(ddof=1) if len(values) > 1 else float('nan'):.3f}")
        print(f"  {fault:10} {'  '.join(said)}", flush=True)


if __name__ == "__main__":
    main()
