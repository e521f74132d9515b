from __future__ import annotations

import pytest
import torch

from crosstask.balancing.adam import NamedAdam


def test_numbers_move_as_torchs_adam_moves_them():
    parameter = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([parameter], lr=0.1)
    ours = NamedAdam(0.1, 0.0)
    for gradient in (1.0, -2.0, 0.5, 0.0, 3.0):
        parameter.grad = torch.tensor([gradient], dtype=torch.float64)
        optimiser.step()
        ours.step("a", gradient)
        assert ours.value("a") == pytest.approx(parameter.item(), abs=1e-12)
    before = ours.value("a")
    ours.step("b", 1.0)
    assert ours.value("a") == before != ours.value("b") == pytest.approx(-0.1)
