from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from crosstask.networks.ema import EMA
from tests.shared import shared


def test_parameters_and_statistics_are_averaged_and_counters_copied():
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    ema = EMA(module, decay=0.9)
    expected = {name: value.clone() for name, value in module.state_dict().items()}
    for count in range(12):
        with torch.no_grad():
            module[0].weight.add_(1.0)
        module(torch.randn(4, 2, generator=torch.Generator().manual_seed(count)))
        ema.update(module)
        decay = min(0.9, (1 + count) / (10 + count))
        for name, value in module.state_dict().items():
            floating = value.is_floating_point()
            expected[name] = decay * expected[name] + (1 - decay) * value if floating else value
    for name, value in ema.module.state_dict().items():
        torch.testing.assert_close(value, expected[name])


def test_the_average_is_never_trained_and_stays_in_evaluation_mode():
    ema = EMA(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), decay=0.9).train()
    assert not ema.module.training
    assert not any(parameter.requires_grad for parameter in ema.parameters())


def test_a_decay_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"decay .* found 1\.0"):
        EMA(nn.Linear(1, 1), decay=1.0)


def test_a_warm_up_of_two_is_the_mean_of_all_states_until_the_decay_is_reached():
    """The schedule of the released code of Space Engage, whose first update is the copy."""
    with np.load(shared("fixtures/others/css_schedules.npz")) as given:
        decays = given["ema_decay"][1:]
    module = nn.Linear(1, 1, bias=False).double()
    ema = EMA(module, decay=0.99, warmup=2)
    for count, decay in enumerate(decays):
        with torch.no_grad():
            ema.module.weight.fill_(1.0)
            module.weight.fill_(0.0)
        ema.update(module)
        assert float(ema.module.weight) == pytest.approx(decay), count
