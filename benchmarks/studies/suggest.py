"""Are labels that `crosstask suggest` chooses worth more than labels chosen at random? CamVid, simulated.

    python -m benchmarks.studies.suggest camvid.csv --out suggest_study --seeds 0,1,2,3,4

The encoder (an ImageNet EfficientNet Lite0) stays as it is: of every image its maps at strides 8, 16 and 32 are
computed once, as it is and mirrored. What is trained, for every set of labels anew, is a linear classifier of the
cells of stride 8.
Every way of choosing begins with the same 8 images drawn at random, and buys 8, 16 and 32 more: at random; those with
the greatest entropy (mean over the image of the mean over both views); as `crosstask suggest` does, by its own
calibration (on the validation images) and choice. Scores are mIoU on the test images at stride 8. A seed that is
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

from crosstask.data.table.table import Table, read_table
from crosstask.networks.encoder import Encoder
from crosstask.networks.encoders import build_encoder
from crosstask.suggest.calibration import calibrate
from crosstask.suggest.choose import choose
from crosstask.tasks import Segmentation, uncertainty
from crosstask.writing import write

CLASSES, SIZE, STRIDE = 11, (96, 128), 8
FIRST, STEPS = 8, (8, 16, 32)
WAYS = ("random", "entropy", "suggest")


class Images:
    """The features and labels of one split.

    Attributes:
        cells: (N, 2, D, h, w), of each image and of the mirrored one flipped back.
        labels: (N, h, w), -1 unknown.
        pooled: (N, D'), unit length, as suggestions compare images.
    """

    def __init__(self, table: Table, encoder: Encoder) -> None:
        cells, labels, pooled = [], [], []
        for index in range(len(table)):
            photo = Image.open(table.resolve(index, "image")).convert("RGB").resize(SIZE[::-1])
            image = torch.from_numpy(np.asarray(photo).copy()).permute(2, 0, 1).float() / 255
            mean, spread = (torch.tensor(each).view(3, 1, 1) for each in (encoder.mean, encoder.std))
            image = (image - mean) / spread
            every = encoder(torch.stack([image, image.flip(-1)]))
            maps = [each for each, stride in zip(every, encoder.strides, strict=True) if stride >= STRIDE]
            size = maps[0].shape[-2:]
            joined = torch.cat([F.interpolate(each, size=size, mode="bilinear") for each in maps], 1)
            cells.append(torch.stack([joined[0], joined[1].flip(-1)]).half())
            pooled.append(F.normalize(maps[-1].mean((0, 2, 3)), dim=0))
            mask = np.asarray(Image.open(table.resolve(index, "semantic")).resize(SIZE[::-1], Image.Resampling.NEAREST))
            known = torch.from_numpy(mask.astype(np.int64))[STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]
            labels.append(known.where(known < CLASSES, -1))
        self.cells, self.labels, self.pooled = torch.stack(cells), torch.stack(labels), torch.stack(pooled)


@torch.enable_grad()
def fit(images: Images, chosen: list[int], seed: int) -> torch.nn.Module:
    """A linear classifier of the cells of some images."""
    torch.manual_seed(seed)
    x = images.cells[chosen].float().permute(0, 1, 3, 4, 2).flatten(0, 3)
    y = images.labels[chosen][:, None].expand(-1, 2, -1, -1).flatten()
    x, y = x[y >= 0], y[y >= 0]
    centre, spread = x.mean(0), x.std(0) + 1e-3
    layer = torch.nn.Linear(x.shape[1], CLASSES)
    optimiser = torch.optim.AdamW(layer.parameters(), lr=0.01, weight_decay=0.1)
    x = (x - centre) / spread
    for _ in range(120):
        pick = torch.randint(len(x), (2048,))
        optimiser.zero_grad()
        F.cross_entropy(layer(x[pick]), y[pick]).backward()
        optimiser.step()
    with torch.no_grad():
        layer.bias -= layer.weight @ (centre / spread)
        layer.weight /= spread
    return layer.eval()


def predict(layer: torch.nn.Module, images: Images) -> Tensor:
    """Probabilities (N, 2, C, h, w)."""
    logits = torch.cat([layer(part.float().permute(0, 1, 3, 4, 2)) for part in images.cells.split(32)])
    return logits.softmax(-1).permute(0, 1, 4, 2, 3)


def miou(probabilities: Tensor, labels: Tensor) -> float:
    """In percent, over all cells."""
    task = Segmentation("semantic", classes=CLASSES)
    metric = task.metric()
    metric.update(probabilities.log(), labels)
    return metric.compute()["miou"]


def doubts(probabilities: Tensor) -> np.ndarray:
    """Entropy and mutual information, averaged over each image, (N, 2)."""
    measures = [uncertainty.classes(each) for each in probabilities]
    return np.array([[float(value.mean()) for value in each.values()] for each in measures])


def errors(probabilities: Tensor, labels: Tensor) -> np.ndarray:
    """The mean loss of each image, (N,)."""
    losses = F.nll_loss(probabilities.mean(1).clamp(min=1e-6).log(), labels, ignore_index=-1, reduction="none")
    return (losses.sum((1, 2)) / (labels >= 0).sum((1, 2)).clamp(min=1)).numpy()


def buy(
    way: str, layer: torch.nn.Module, train: Images, held: Images, chosen: list[int], count: int, seed: int
) -> list[int]:
    """The images whose labels are bought next."""
    free = np.ones(len(train.labels), bool)
    free[chosen] = False
    if way == "random":
        return np.random.default_rng(1000 * seed + len(chosen)).permutation(free.nonzero()[0])[:count].tolist()
    doubt = doubts(predict(layer, train))
    if way == "entropy":
        return sorted(free.nonzero()[0].tolist(), key=lambda image: -doubt[image, 0])[:count]
    seen = predict(layer, held)
    fitted = calibrate(doubts(seen), errors(seen, held.labels))
    expected = fitted.expected(doubt)[:, None]
    found = choose(train.pooled.numpy(), expected, free[:, None], ~free[:, None], [1.0], count, seed)
    return [each.image for each in found]


@torch.no_grad()
def one_seed(seed: int, train: Images, held: Images, test: Images) -> dict[str, dict[int, float]]:
    """mIoU by way of choosing and number of labels."""
    first = np.random.default_rng(seed).permutation(len(train.labels))[:FIRST].tolist()
    start = fit(train, first, seed)
    score = miou(predict(start, test).mean(1), test.labels)
    found = {}
    for way in WAYS:
        chosen, layer, curve = list(first), start, {FIRST: score}
        for count in STEPS:
            chosen += buy(way, layer, train, held, chosen, count, seed)
            layer = fit(train, chosen, seed)
            curve[len(chosen)] = miou(predict(layer, test).mean(1), test.labels)
        found[way] = curve
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2,3,4")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    files = {int(seed): arguments.out / f"seed_{seed}.json" for seed in arguments.seeds.split(",")}
    if not all(file.is_file() for file in files.values()):
        with torch.no_grad():
            parts = _parts(read_table(arguments.table))
        for seed, file in files.items():
            if not file.is_file():
                write(file, json.dumps(one_seed(seed, *parts)))
                print(f"seed {seed}: {file.read_text()}", flush=True)
    report([json.loads(file.read_text()) for file in files.values()])


def _parts(table: Table) -> tuple[Images, Images, Images]:
    encoder = build_encoder("tf_efficientnet_lite0", pretrained=True).eval()
    train, held, test = (Images(table.select(split), encoder) for split in ("train", "val", "test"))
    return train, held, test


def report(found: list[dict[str, dict[str, float]]]) -> None:
    """Means over the seeds, and how many labels of random choice give the same score."""
    labels = list(found[0]["random"])
    means = {}
    for way in WAYS:
        values = np.array([[each[way][count] for count in labels] for each in found])
        means[way] = values.mean(0)
        error = values.std(0, ddof=1) / np.sqrt(len(found)) if len(found) > 1 else np.zeros(len(labels))
        print(way, "  ".join(f"{n}: {m:.2f} ± {e:.2f}" for n, m, e in zip(labels, means[way], error, strict=True)))
    for way in WAYS[1:]:
        for count, score in list(zip(labels, means[way], strict=True))[1:]:
            logarithm = np.interp(score, means["random"], np.log([float(each) for each in labels]))
            beyond = " or more" if score >= means["random"].max() else ""
            print(f"{way}: {count} labels score as {np.exp(logarithm):.0f}{beyond} at random: "
                  f"{np.exp(logarithm) / float(count):.2f} times fewer{beyond}")  # fmt: skip


if __name__ == "__main__":
    main()
