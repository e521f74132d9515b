"""Saliency for images that come without: from a run that predicts it, or from what a vision transformer attends to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crosstask.data.loading.dataset import TableDataset
from crosstask.data.options import DataOptions
from crosstask.data.table.table import Table
from crosstask.errors import RecipeError, UserError
from crosstask.rounds.files import FAULT, Progress, make_files
from crosstask.rounds.labels import training_rows
from crosstask.tasks import Saliency
from crosstask.trained import load_run

TIMM = "timm:"

Predict = Callable[[Tensor], Tensor]
"""An image (1, 3, H, W) in [0, 1] to its saliency (1, 1, H, W) in [0, 1]."""


def saliency_model(name: str, device: torch.device | str, trust: bool = False) -> Predict:
    """What ``refine.saliency_from`` names: a run directory, or ``timm:NAME``; with ``trust``, code that the run names
    may run.

    Raises:
        UserError: there is no such run, it does not predict saliency, or the weights cannot be had.
    """
    if name.startswith(TIMM):
        return Attention(_transformer(name.removeprefix(TIMM))).to(device).eval()
    run = load_run(name, trust=trust)
    tasks = [task for task in run.tasks.values() if isinstance(task, Saliency)]
    if len(tasks) != 1:
        raise UserError(
            f"refine.saliency_from: {name} predicts {', '.join(run.tasks)}: give a run with one saliency task"
        )
    task, network = tasks[0], run.predictor().to(device).eval()

    def predict(image: Tensor) -> Tensor:
        return task.activate(network(image)[task.name])

    return predict


def add_saliency(
    table: Table,
    data: DataOptions,
    column: str,
    predict: Predict,
    device: torch.device | str,
    progress: Progress | None,
) -> Table:
    """``table`` with a saliency map for each training row that has none, in ``saliency/`` beside it."""
    if column not in table.columns:
        table = replace(table, columns=(*table.columns, column), rows=[{**row, column: ""} for row in table.rows])
    task = Saliency(column)
    missing = [index for index in training_rows(table, data) if not table.rows[index].get(column)]
    dataset = TableDataset(table, {}, confined=data.confined)
    folder = table.folder / "saliency"

    @torch.inference_mode()
    def make(sample: Any) -> dict[str, Any]:
        image = sample.image.as_subclass(Tensor)[None].to(device)
        return {"predicted": task.encode(predict(image)[0].float().cpu())}

    made = make_files(dataset, missing, make, folder, progress)
    rows = [dict(row) for row in table.rows]
    for index in missing:
        cells = made[rows[index]["id"]]
        rows[index][column] = "" if FAULT in cells else (Path("saliency") / cells["predicted"]).as_posix()
    return replace(table, rows=rows)


class Attention(nn.Module):
    """What the class token of a vision transformer attends to in its last block, averaged over heads and scaled to
    [0, 1] over the image. Good where the transformer was trained without labels (DINO), as a rule.

    Args:
        model: a timm vision transformer for images of any size.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        vit: Any = model
        self.patch: int = vit.patch_embed.patch_size[0]
        self.skip: int = vit.num_prefix_tokens
        self.register_buffer("mean", torch.tensor(vit.pretrained_cfg["mean"]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(vit.pretrained_cfg["std"]).view(1, 3, 1, 1))
        self.seen: list[Tensor] = []
        last = vit.blocks[-1].attn
        last.fused_attn = False  # the fused kernel does not give the weights away
        last.attn_drop.register_forward_hook(lambda module, given, result: self.seen.append(result))

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] to (B, 1, H, W) in [0, 1]."""
        rows, columns = (max(round(side / self.patch), 1) for side in images.shape[-2:])
        sized = F.interpolate(images, (rows * self.patch, columns * self.patch), mode="bilinear", antialias=True)
        self.seen.clear()
        self.model((sized - self.mean) / self.std)
        weights = self.seen.pop().mean(1)[:, 0, self.skip :].reshape(-1, 1, rows, columns)
        low, high = weights.amin((-2, -1), keepdim=True), weights.amax((-2, -1), keepdim=True)
        scaled = (weights - low) / (high - low).clamp(min=1e-12)
        return F.interpolate(scaled, images.shape[-2:], mode="bilinear", align_corners=False).clamp(0, 1)


def _transformer(name: str) -> nn.Module:
    import timm

    try:
        return timm.create_model(name, pretrained=True, num_classes=0, dynamic_img_size=True)
    except Exception as error:  # timm and the hub raise whatever they stumble over
        reason = " ".join(str(error).split())[:160]
        raise RecipeError(
            f"refine.saliency_from: no weights for {name!r} could be had ({reason}): give the name of a timm vision "
            "transformer, a run directory, or a column of saliency maps"
        ) from error
