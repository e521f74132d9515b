"""What numbers do not say themselves is printed beside them: labels of one state, classes left out of a mean."""

from __future__ import annotations

import pytest
import torch
from rich.console import Console
from torch import nn

from crosstask.data.sample import Batch
from crosstask.evaluation.evaluate import evaluate
from crosstask.evaluation.results import Results
from crosstask.tasks import Category, Depth, Saliency, Segmentation, Tagging

TASKS = {
    "masks": Segmentation("masks", classes=["ground", "tree"]),
    "figure": Saliency("figure"),
    "tags": Tagging("tags", classes=["cat", "dog"]),
    "kind": Category("kind", classes=["a", "b", "c"]),
}
ONE = {
    "masks": torch.zeros(2, 8, 8, dtype=torch.long),
    "figure": torch.ones(2, 1, 8, 8),
    "tags": torch.zeros(2, 2),
    "kind": torch.tensor([1, 1]),
}
BOTH = {
    "masks": torch.arange(2 * 64).reshape(2, 8, 8) % 2,
    "figure": (torch.arange(2 * 64).reshape(2, 1, 8, 8) % 2).float(),
    "tags": torch.eye(2),
    "kind": torch.tensor([0, 1]),
}


class Constant(nn.Module):
    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        size = (len(images), 1, 8, 8)
        return {
            name: torch.zeros(size).expand(-1, task.channels, -1, -1) if task.dense else torch.zeros(2, task.channels)
            for name, task in TASKS.items()
        }


def measured(targets: dict[str, torch.Tensor], weights: dict[str, torch.Tensor] | None = None) -> Results:
    batch = Batch(torch.zeros(2, 3, 8, 8), targets, ["a", "b"], None, torch.full((2, 4), torch.nan), weights or {})
    return evaluate(Constant(), [batch], TASKS, resamples=0)


def test_labels_of_one_state_are_told_of():
    console = Console(width=150, color_system=None)
    with console.capture() as printed:
        console.print(measured(ONE).table())
    for name, state in (("masks", "ground"), ("figure", "figure"), ("tags", "every known tag absent"), ("kind", "b")):
        assert f"the labels of {name} hold one state alone, {state}:" in " ".join(printed.get().split())
    assert "left out of the means of masks: tree" in " ".join(printed.get().split())
    restored = Results.from_json(measured(ONE).to_json())
    assert restored.remarks() == measured(ONE).remarks()
    assert not any("alone" in remark for remark in measured(BOTH).remarks())


@pytest.mark.parametrize("shape", [(2, 8, 8), (2,)])
def test_labels_of_weight_0_are_not_measured(shape):
    name = "masks" if len(shape) > 1 else "kind"
    weight = torch.ones(shape)
    weight[0] = 0
    assert measured(BOTH, {name: weight}).tasks[name].known == measured(BOTH).tasks[name].known / 2
    depth = Depth("d")
    target = torch.ones(2, 1, 8, 8)
    assert depth.weighed(target, None) is target
    assert depth.weighed(target, torch.tensor([0.0, 0.5]))[:, 0, 0, 0].isnan().tolist() == [True, False]
