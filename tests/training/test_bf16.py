"""What ``precision: auto`` may choose runs everything that full precision runs."""

from __future__ import annotations

import pytest
import torch

from crosstask.balancing import BALANCERS
from crosstask.cli import main
from crosstask.data.sample import Batch
from crosstask.recipe.training import TrainingOptions
from crosstask.training.runtime import make_fabric
from tests.tiny import write_recipe, write_tiny
from tests.training.toys import toy_batch


@pytest.mark.parametrize("kind", sorted(BALANCERS))
def test_a_run_is_trained_balanced_and_measured(kind, tmp_path, capsys):
    table = write_tiny(tmp_path)
    recipe = write_recipe(tmp_path, table, "precision: bf16, iterations: 2")
    larger = ("--data.size", "[64, 96]", "--data.labels", "full")  # what the network says is shrunk to the files' size
    typed = ["train", recipe, "--out", tmp_path / "run", "--quiet", "--balancing.kind", kind, *larger]
    assert main([str(word) for word in typed]) == 0, capsys.readouterr().err
    assert main(["eval", str(tmp_path / "run"), "--quiet"]) == 0, capsys.readouterr().err


def test_labels_and_cameras_keep_all_their_bits():
    seen = {}

    class Looks(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Conv2d(3, 3, 1)

        def forward(self, batch: Batch) -> torch.Tensor:
            seen.update(batch=batch, output=self.layer(batch.images))
            return seen["output"].mean()

    fabric = make_fabric(TrainingOptions(precision="bf16", accelerator="cpu"))
    module, optimiser = fabric.setup(*(lambda net: (net, torch.optim.SGD(net.parameters(), 0.1)))(Looks()))
    batch = toy_batch([{"depth"}, {"semantic", "tags"}])
    batch.images, batch.intrinsics = batch.images.float(), batch.intrinsics.float()
    fabric.backward(module(batch))
    optimiser.step()
    assert seen["output"].dtype == torch.bfloat16
    for name, target in batch.targets.items():
        assert seen["batch"].targets[name].dtype == target.dtype
        assert torch.equal(seen["batch"].targets[name].nan_to_num(-1), target.nan_to_num(-1))
    assert seen["batch"].intrinsics.dtype == seen["batch"].images.dtype == torch.float32
