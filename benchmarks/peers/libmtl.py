"""An epoch of LibMTL's trainer: ``python -m benchmarks.peers.libmtl SETTING FILES CHECKOUT``; prints seconds.

Trainer, losses, metrics, data set and augmentation are LibMTL's (those of its example of NYU-v2), with the network that
crosstask trains. Its device, which it names in its code, is the CPU here, and packages that only other methods of it
need may be absent.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import time
import types
from pathlib import Path
from unittest.mock import MagicMock

import torch
from torch import Tensor, nn

from benchmarks.peers.ours import recipe


class _Encoder(nn.Module):
    """Images to the maps that all heads share."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.encoder, self.refine = network.encoder, network.decoder.refine
        self.register_buffer("mean", network.mean.clone())
        self.register_buffer("std", network.std.clone())

    def forward(self, images: Tensor) -> tuple[tuple[Tensor, ...], tuple[int, int]]:
        return tuple(self.refine(self.encoder((images - self.mean) / self.std))), images.shape[-2:]


class _Head(nn.Module):
    """The maps to the prediction of one task."""

    def __init__(self, network: nn.Module, task: str) -> None:
        super().__init__()
        network.encoder = nn.Identity()
        self.network, self.task = network, task

    def forward(self, given: tuple[tuple[Tensor, ...], tuple[int, int]]) -> Tensor:
        return self.network.heads_forward(list(given[0]), given[1])[self.task]


def main() -> None:
    files, checkout = Path(sys.argv[2]), Path(sys.argv[3])
    torch.set_num_threads(1)
    for absent in ("torch_geometric", "cvxpy", "qpsolvers", "transformers"):
        try:
            importlib.import_module(absent)
        except ImportError:
            sys.modules[absent] = MagicMock()
    sys.path[:0] = [str(checkout), str(checkout / "examples/nyu")]
    from create_dataset import NYUv2  # type: ignore[import-not-found]
    from LibMTL import Trainer  # type: ignore[import-not-found]
    from LibMTL import trainer as module
    from utils import (  # type: ignore[import-not-found]
        DepthLoss,
        DepthMetric,
        NormalLoss,
        NormalMetric,
        SegLoss,
        SegMetric,
    )

    here = types.ModuleType("torch")
    here.__dict__.update(torch.__dict__)
    here.device = lambda name: torch.device("cpu")  # type: ignore[attr-defined]
    module.torch = here
    chosen = recipe("equal weights", files)
    tasks = chosen.tasks()
    names = {"segmentation": "semantic", "depth": "depth", "normal": "normals"}
    depth_metric = DepthMetric()
    depth_metric.reinit()
    described = {
        "segmentation": (["mIoU", "pixAcc"], SegMetric(13), SegLoss(), [1, 1]),
        "depth": (["abs_err", "rel_err"], depth_metric, DepthLoss(), [0, 0]),
        "normal": (["mean", "median", "<11.25", "<22.5", "<30"], NormalMetric(), NormalLoss(), [0, 0, 1, 1, 1]),
    }
    task_dict = {
        name: {"metrics": metrics, "metrics_fn": function, "loss_fn": loss, "weight": weight}
        for name, (metrics, function, loss, weight) in described.items()
    }
    heads = {name: _Head(chosen.network({task: tasks[task]}), task) for name, task in names.items()}
    loaders = [
        torch.utils.data.DataLoader(
            NYUv2(str(files), mode, augmentation=mode == "train"), batch_size=8, shuffle=mode == "train",
            drop_last=mode == "train",
        )
        for mode in ("train", "test")
    ]  # fmt: skip
    tested: list[float] = []

    class Timed(Trainer):
        def test(self, *arguments, **options):
            super().test(*arguments, **options)
            torch.save(self.model.state_dict(), Path(folder) / "last.pt")  # as crosstask does after each epoch
            tested.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        trainer = Timed(
            task_dict=task_dict, weighting="EW", architecture="HPS",
            encoder_class=lambda: _Encoder(chosen.network(tasks)), decoders=nn.ModuleDict(heads), rep_grad=False,
            multi_input=False, optim_param={"optim": "adam", "lr": 1e-3, "weight_decay": 1e-4}, scheduler_param=None,
            save_path=folder, weight_args={}, arch_args={},
        )  # fmt: skip
        trainer.train(*loaders, epochs=2)
    print(tested[1] - tested[0])


if __name__ == "__main__":
    main()
