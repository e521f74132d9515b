"""One process, two, three and four: the same weights, for whatever says that its terms are sums over samples."""

from __future__ import annotations

import pytest

from tests.training.ranks import additive, differences


def test_what_compares_samples_says_so(tmp_path):
    claims = additive(tmp_path)
    assert claims["supervised"]
    assert not claims["region_contrast across"]
    assert not claims["region_contrast bank"]


@pytest.mark.slow
def test_processes_are_one(tmp_path):
    found, claims = differences([2, 3, 4], tmp_path), additive(tmp_path)
    claimed = {name: by_world for name, by_world in found.items() if claims[name]}
    assert max(each for by_world in claimed.values() for each in by_world.values()) < 1e-6, claimed
    others = {name: max(by_world.values()) for name, by_world in found.items() if not claims[name]}
    assert min(others.values()) > 1e-6, f"these say less of themselves than is true: {others}"
