"""From a trained run to its labels, the most suspicious first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from crosstask.audit.duplicates import duplicates
from crosstask.audit.evidence import LOSS, SCALE
from crosstask.audit.kinds import DUPLICATE
from crosstask.audit.look import WIDTH, Examined, RowExamination
from crosstask.audit.suspicion import Suspicion, suspicion
from crosstask.data.labels.subsets import Subset
from crosstask.data.loading.dataset import Dataset
from crosstask.data.sample import Batch
from crosstask.errors import UserError, nearest
from crosstask.evaluation.by_row import by_row
from crosstask.evaluation.looks import Looker
from crosstask.evaluation.row_images import content, row_images
from crosstask.suggest.suggest import digest
from crosstask.trained import TrainedRun

PASS = "pass"
NAMES = {
    "foreign": "does not fit the image",
    "mirrored": "looks mirrored",
    "upside_down": "looks turned",
    "shifted": "looks shifted",
    "swapped": "two classes look exchanged",
    "renamed": "a class looks like another",
    "added": "looks as if a constant were added",
    "taken_off": "looks as if a constant were taken off",
    "too_large": "looks like another unit or scale, too large",
    "too_small": "looks like another unit or scale, too small",
    "frame": "looks like another frame of axes",
    "inverted": "looks inverted",
    "contradicted": "contradicted",
    DUPLICATE: "a near-duplicate has another label",
}
"""What a label may have suffered, in words."""
CLUE_OF = {"added": "offset", "taken_off": "offset", "too_large": SCALE, "too_small": SCALE}
"""The clue whose words tell more of a fault, where it has another name."""
SPOILT = 1000
"""Labels of a task that are spoilt on purpose, about, so that it is learnt how wrong ones look."""

Report = Callable[[int, int | None], object]


@dataclass(frozen=True)
class Suspect:
    """One label.

    Attributes:
        index: of the image in the audited data.
        id: id of the image.
        image: its file; empty where there is none.
        task: the task.
        suspicion: log-odds of a fault, see :mod:`crosstask.audit.suspicion`.
        reason: the likeliest fault.
        words: that in words.
        loss: of the label; its unit is that of the kind.
    """

    index: int
    id: str
    image: str
    task: str
    suspicion: float
    reason: str
    words: str
    loss: float


@dataclass(frozen=True)
class Audited:
    """All labels that were looked at.

    Attributes:
        data: the images with the labels.
        suspects: every label, the most suspicious first.
        judges: the network that judges each image, as its place in ``examinations``, (N,).
        examinations: what looks at images, one per network.
        faults: by task the names of its faults.
        odds: by task (N, F), log-odds of each fault against a right label, NaN where unknown.
    """

    data: Dataset
    suspects: list[Suspect]
    judges: np.ndarray
    examinations: list[RowExamination]
    faults: dict[str, list[str]]
    odds: dict[str, np.ndarray]

    def words(self, suspect: Suspect, batch: Batch) -> str:
        """The reason in words with its details; ``batch`` holds the image alone."""
        clues = self.examinations[self.judges[suspect.index]].words(batch, 0, suspect.task)
        clue = CLUE_OF.get(suspect.reason, suspect.reason)
        details = clues[clue].words if clue in clues else ""
        return suspect.words + (f": {details}" if details else "")


def audit(
    judges: Sequence[TrainedRun],
    data: Dataset,
    folds: np.ndarray,
    folder: Path,
    *,
    tasks: Sequence[str] | None = None,
    scales: Sequence[float] = (1.0,),
    device: str = "cpu",
    progress: Report | None = None,
) -> Audited:
    """Rank the labels of ``data``.

    One pass over the images, resumed where it was left; of near-duplicates at most 1,000 pairs are read again. In
    memory are, of each image, 612 bytes for each task and 4 for each feature of the encoder.

    Args:
        judges: the run, or one run per fold that did not train on the images of its fold.
        data: images with labels.
        folds: for each image which of ``judges`` looks at it, (N,).
        folder: where the pass is kept.
        tasks: whose labels; all by default.
        scales: resolutions at which images are looked at, each also mirrored.
        device: where to compute.
        progress: called with (images done, images in all).

    Raises:
        UserError: no such task, no label to look at, a broken image or label.
    """
    every = judges[0].tasks
    for name in tasks or ():
        if name not in every:
            raise UserError(f"--tasks {name!r}: the run has no such task: {nearest(name, every)}")
    wanted = torch.tensor([name in (tasks or every) for name in every])
    data = data.keep(data.given() & wanted)
    if not bool(data.labelled().any()):
        raise UserError(f"{judges[0].run.path}: there is no label of {', '.join(tasks or every)} to look at")
    columns = len(every) * WIDTH + judges[0].network.channels[-1]
    rows = np.full((len(data), columns), np.nan, dtype=np.float32)
    counts = data.labelled().sum(0).tolist()
    shares = {name: SPOILT / max(count, 1) for name, count in zip(every, counts, strict=True)}
    examinations = []
    done = 0
    for place, judge in enumerate(judges):
        size = judge.recipe.data.shown_size
        looker = Looker([judge.network], every, size, scales=scales, flip=True, device=device)
        examinations.append(RowExamination(looker, every, shares))
        own = np.where(folds == place)[0]
        if not len(own):
            continue
        mine = Subset(data, own.tolist())
        key = [digest(judge), content(mine), str(list(scales)), str(size), *every, *(tasks or ())]
        step = _from(progress, done, len(data))
        rows[own] = by_row(
            mine, judge.evaluation_batches, examinations[-1], columns,
            folder / str(place) if len(judges) > 1 else folder, key, step,
        )  # fmt: skip
        done += len(own)
    examined = Examined(rows, every)
    chosen = {name: task for name, task in every.items() if name in (tasks or every)}
    same = duplicates(data, _features(examined, folds), chosen) if len(data) > 1 else {}
    places = {name: place for place, name in enumerate(every) if name in chosen}
    results = {name: suspicion(examined, place, same.get(name)) for name, place in places.items()}
    suspects = _suspects(data, results, {name: examined.clue(place, LOSS) for name, place in places.items()})
    faults = {name: examined.faults[place] for name, place in places.items()}
    return Audited(data, suspects, folds, examinations, faults, {name: each.odds for name, each in results.items()})


def _suspects(data: Dataset, results: Mapping[str, Suspicion], every: Mapping[str, np.ndarray]) -> list[Suspect]:
    paths = row_images(data)
    found = []
    for name, result in results.items():
        losses = every[name]
        for index in np.where(np.isfinite(result.score))[0].tolist():
            reason = str(result.reason[index])
            path = str(paths[index] or "")
            found.append(
                Suspect(index, data.ids[index], path, name, float(result.score[index]), reason, NAMES[reason],
                        float(losses[index]))
            )  # fmt: skip
    return sorted(found, key=lambda each: (-each.suspicion, each.id, each.task))


def _features(examined: Examined, folds: np.ndarray) -> np.ndarray:
    """Features by which images can be compared; those of several networks are centred for each."""
    features = examined.features.astype(np.float32)
    if len(np.unique(folds)) < 2:
        return features
    out = np.empty_like(features)
    for fold in np.unique(folds):
        own = features[folds == fold]
        out[folds == fold] = own - own.mean(0)
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)


def _from(progress: Report | None, before: int, total: int) -> Report | None:
    return None if progress is None else lambda done, _: progress(before + done, total)
