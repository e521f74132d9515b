"""Predictions that no label could have are clamped before another network reads them."""

from __future__ import annotations

import pytest
import torch

from crosstask.tasks import KINDS


@pytest.mark.parametrize("kind", ["depth", "disparity"])
@pytest.mark.parametrize("values", [[-5.0, -0.5], [-5.0, 2.0], [1.0, 2.0]])
def test_what_is_read_lies_between_0_and_1(kind, values):
    raw = torch.tensor(values).reshape(1, 1, 1, 2)
    read = KINDS[kind]("a").embed(raw)
    assert read.min() >= 0
    assert read.max() == pytest.approx(1.0)
