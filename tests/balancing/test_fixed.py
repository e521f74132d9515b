from __future__ import annotations

import torch

from crosstask.balancing import Balancer, Fixed

SHARES = {name: torch.tensor(1.0) for name in ("supervised/depth", "extra/depth", "supervised/semantic")}


def test_weights_are_found_by_full_name_or_last_part():
    assert Fixed({"depth": 2.0, "extra/depth": 5.0})(SHARES) == 2 + 5 + 1


def test_equal_weights_are_one():
    assert Balancer()(SHARES) == Fixed()(SHARES) == 3
