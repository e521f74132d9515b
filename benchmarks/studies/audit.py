"""Does `crosstask audit` find labels that were made wrong on purpose? NYU-v2, masks and depth.

    crosstask table nyuv2 --out nyuv2.csv --split train,test --image '{split}/rgb/*.jpg' \\
        --semantic '{split}/semseg13/*.png' --depth '{split}/depth/*.png'
    python -m benchmarks.studies.audit nyuv2.csv --out audit_study --seeds 0,1,2,3,4

Of the training labels a share each is given one fault: masks mirrored, or the two largest classes of a mask exchanged;
depth moved by 15 to 25 % of the picture, or a metre added, or in a wrong unit (feet for metres or the other way round,
or a tenth). Heads on a frozen encoder (:mod:`benchmarks.studies.frozen`) are trained on all labels but those of a fold,
faults too, and predict that fold; evidence, faults to learn from and suspicion are those of the command. Of each fault:
the precision among the first 5 % of the labels of the task that are right or have this fault; *audit* by suspicion in
the one list of all, *alone* by suspicion where the labels with other faults are not there, *of its kind* by the odds of
the one fault that it is. Baselines: the mean loss of a label, and chance. A seed that is
finished is not done again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from benchmarks.studies.frozen import Frozen, fit, frozen, predict
from crosstask.audit.faults import faults_of
from crosstask.audit.kinds import kind_of
from crosstask.audit.look import unknown_apart
from crosstask.audit.suspicion import judged
from crosstask.data.table.table import Table, read_table
from crosstask.tasks import Depth, Segmentation
from crosstask.tasks.base import Task
from crosstask.writing import write

FAULTS = {"mirrored": "semantic", "exchanged": "semantic", "moved": "depth", "offset": "depth", "unit": "depth"}
KINDS = {"mirrored": ["mirrored"], "exchanged": ["swapped"], "moved": ["shifted"], "offset": ["added"],
         "unit": ["too_large", "too_small"]}  # fmt: skip
FIRST, FOLDS, CELLS = 0.05, 3, 32
STEP = 4
"""Labels are looked at at every so many pixels; predictions at half as many."""
WAYS = ("audit", "alone", "of its kind", "loss", "chance")
INJECTED = "injected.json"
Injected = dict[tuple[str, int], str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--share", type=float, default=0.05, help="of the labels of a task, of each fault")
    parser.add_argument("--spoilt", type=int, default=400, help="labels of a task that are spoilt to learn from")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = read_table(arguments.table).select("train")
    images: Frozen | None = None
    found = []
    for seed in map(int, arguments.seeds.split(",")):
        file = arguments.out / f"seed_{seed}.json"
        if not file.is_file():
            images = images or frozen(table, arguments.out / "train.pt", np.arange(len(table)))
            part = arguments.out / f"seed_{seed}"
            measured = one_seed(table, images, seed, arguments.share, arguments.spoilt, part)
            write(file, json.dumps(measured, indent=1))
        found.append(json.loads(file.read_text()))
        report(found)


@torch.no_grad()
def one_seed(
    table: Table, images: Frozen, seed: int, share: float, spoilt: int, part: Path
) -> dict[str, dict[str, float]]:
    """Precision by fault and ranking; the evidence stays in the folder ``part``, where it is found again."""
    tasks: dict[str, Task] = {"semantic": Segmentation("semantic", classes=13), "depth": Depth("depth", loss="log")}
    if not (part / INJECTED).is_file():
        labels, faults = with_faults(table, tasks, seed, share)
        values = out_of_fold(images, {name: each[..., 1::2, 1::2] for name, each in labels.items()}, tasks, seed)
        part.mkdir(parents=True, exist_ok=True)
        for name, task in tasks.items():
            readings, losses = examined(task, values[name], labels[name], images, spoilt, seed)
            np.savez(part / f"{name}.npz", readings=readings, losses=losses)
        write(part / INJECTED, json.dumps([[*key, fault] for key, fault in faults.items()]))
    injected: Injected = {(name, row): fault for name, row, fault in json.loads((part / INJECTED).read_text())}
    found = {}
    for name, task in tasks.items():
        evidence, names = np.load(part / f"{name}.npz"), list(faults_of(task))
        logarithm = judged(evidence["readings"])
        odds = logarithm[:, 1:] - logarithm[:, :1]
        suspicion = np.logaddexp.reduce(odds, 1)
        for fault in [each for each, of in FAULTS.items() if of == name]:
            own = np.logaddexp.reduce(odds[:, [names.index(each) for each in KINDS[fault]]], 1)
            scores = {"audit": suspicion, "alone": alone(evidence["readings"], injected, name, fault)}
            scores |= {"of its kind": own, "loss": evidence["losses"]}
            found[fault] = {way: precision(each, injected, name, fault) for way, each in scores.items()}
            right = sum((name, row) not in injected for row in range(len(suspicion)))
            wrong = sum(each == fault for (of, _), each in injected.items() if of == name)
            found[fault]["chance"] = wrong / (right + wrong)
    return found


def with_faults(
    table: Table, tasks: dict[str, Task], seed: int, share: float
) -> tuple[dict[str, Tensor], Injected]:  # fmt: skip
    """The labels at every :data:`STEP` pixels with faults in some of them, and which (task, row) has which fault."""
    rng = np.random.default_rng(seed)
    injected: Injected = {}
    labels = {}
    for name, task in tasks.items():
        order = rng.permutation(len(table))
        for fault in [each for each, of in FAULTS.items() if of == name]:
            count = round(share * len(table))
            injected |= {(name, int(row)): fault for row in order[:count]}
            order = order[count:]
        maps = []
        for row in range(len(table)):
            stored = np.asarray(Image.open(table.resolve(row, name)))
            if (name, row) in injected:
                stored = spoilt(stored, injected[name, row], rng)
            maps.append(task.parse(stored).as_subclass(Tensor)[..., STEP // 2 :: STEP, STEP // 2 :: STEP].clone())
        labels[name] = torch.stack(maps)
    return labels, injected


def out_of_fold(
    images: Frozen, labels: dict[str, Tensor], tasks: dict[str, Task], seed: int
) -> dict[str, list[Tensor]]:  # fmt: skip
    """Values (2, C, h, w) of both views of each image, by task, from heads that did not see its labels."""
    count = len(images)
    fold = np.random.default_rng(seed).permutation(count) % FOLDS
    values: dict[str, list[Tensor]] = {name: [torch.empty(0)] * count for name in tasks}
    for number in range(FOLDS):
        others, own = np.where(fold != number)[0].tolist(), np.where(fold == number)[0].tolist()
        with torch.enable_grad():
            heads = fit(images, labels, tasks, dict.fromkeys(tasks, others), CELLS, seed)
        for name, each in predict(heads, images, tasks, own).items():
            for row, views in zip(own, each, strict=True):
                values[name][row] = views
    return values


def examined(
    task: Task, values: list[Tensor], labels: Tensor, images: Frozen, spoilt: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of each label as it is and with the faults to learn from, (N, 1 + F, K); and its mean loss, (N,)."""
    given = [unknown_apart(task, task.values(label[None])[0], label) for label in labels]
    faults, kind = faults_of(task), kind_of(task)
    readings = np.full((len(given), 1 + len(faults), 2 + len(kind.clues)), np.nan, dtype=np.float32)
    losses = np.full(len(given), np.nan)
    learnt = set(np.random.default_rng(seed).permutation(len(given))[:spoilt].tolist())
    for row, label in enumerate(given):
        assert label is not None
        views = F.interpolate(values[row], size=label.shape[-2:], mode="bilinear")
        mean = views.mean(0) if task.kind == "segmentation" else views.log().mean(0).exp()
        doubts = [float(each.mean()) for each in task.uncertainty(views).values()]
        chance = np.random.default_rng([seed, row])
        forms = [fault(label, given[row - 1], chance) for fault in faults.values()] if row in learnt else []
        for place, form in enumerate([label, *forms]):
            if form is not None:
                clues = kind.examine(task, mean, form, images.pictures[row].float())
                readings[row, place] = [*doubts, 0.0][:2] + [clues[name].value for name in kind.clues]
        apart = -(label * mean.log()).sum(0) if task.kind == "segmentation" else (label.log() - mean.log()).abs()
        losses[row] = float(apart.nanmean())
    return readings, losses


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


def alone(readings: np.ndarray, injected: Injected, task: str, fault: str) -> np.ndarray:
    """Suspicion where labels with other faults are not there, NaN for those."""
    there = np.array([injected.get((task, row), fault) == fault for row in range(len(readings))])
    logarithm = judged(readings[there])
    scores = np.full(len(readings), np.nan)
    scores[there] = np.logaddexp.reduce(logarithm[:, 1:], 1) - logarithm[:, 0]
    return scores


def precision(scores: np.ndarray, injected: Injected, task: str, fault: str) -> float:
    """The share of faults among the first 5 % of the labels of a task that are right or have this fault."""
    own = [row for row in range(len(scores)) if injected.get((task, row), fault) == fault]
    first = sorted(own, key=lambda row: -scores[row])[: round(FIRST * len(own))]
    return sum((task, row) in injected for row in first) / len(first)


def report(found: list[dict[str, dict[str, float]]]) -> None:
    """Mean and standard deviation over the seeds so far."""
    print(f"{len(found)} seeds: precision in the first {FIRST:.0%}")
    for fault in FAULTS:
        said = []
        for way in WAYS:
            values = np.array([each[fault][way] for each in found])
            said.append(f"{way} {values.mean():.3f} ± {values.std(ddof=1) if len(values) > 1 else float('nan'):.3f}")
        print(f"  {fault:10} {'  '.join(said)}", flush=True)


if __name__ == "__main__":
    main()
