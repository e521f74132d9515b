from __future__ import annotations

import torch

from crosstask.balancing import Fixed


def test_weights_are_found_by_full_name_or_last_part():
    balancer = Fixed({"depth": 2.0, "extra/depth": 5.0})
    shares = {name: torch.tensor(1.0) for name in ("supervised/depth", "extra/depth", "supervised/semantic")}
    assert balancer(shares, dict.fromkeys(shares, True), 1.0) == 2 + 5 + 1
