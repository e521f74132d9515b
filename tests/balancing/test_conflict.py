from __future__ import annotations

import sys

import pytest
import torch

from crosstask.balancing import Conflict
from crosstask.balancing.conflict import WEIGHTINGS
from crosstask.errors import RecipeError

pytest.importorskip("torchjd", reason="needs the extra [balance]")

OPPOSED = {"a": torch.tensor([1.0, 0.0]), "b": torch.tensor([-1.0, 1.0])}
METHODS = [name for name, (_, _, solver) in WEIGHTINGS.items() if not solver]


def test_pcgrad_projects_what_conflicts():
    balancer = Conflict("pcgrad")
    balancer.look(OPPOSED)
    # a loses its part along b: a + b / 2; b its part along a: b + a
    assert balancer.weights() == {"a": pytest.approx(2.0), "b": pytest.approx(1.5)}
    balancer.look({"a": OPPOSED["a"], "b": -OPPOSED["b"]})
    assert balancer.weights() == {"a": pytest.approx(1.0), "b": pytest.approx(1.0)}


def test_mgda_finds_the_shortest_combination():
    balancer = Conflict("mgda")
    balancer.look(OPPOSED)
    first, second = OPPOSED.values()
    shortest = float((second @ (second - first)) / (first - second).square().sum())
    assert balancer.weights() == {"a": pytest.approx(shortest, abs=1e-3), "b": pytest.approx(1 - shortest, abs=1e-3)}


@pytest.mark.parametrize("method", METHODS)
def test_rows_of_zeros_change_nothing_and_absent_terms_have_the_weight_1(method):
    alone, padded = Conflict(method), Conflict(method)
    alone.look(OPPOSED)
    padded.look({**OPPOSED, "c": torch.zeros(2)})
    assert padded.weights() == alone.weights()
    assert any(padded.weights().values())  # with the row, MGDA would put everything on it
    assert padded.weight("c") == 1
    padded.look({})
    assert padded.weights() == {}


def test_draws_depend_on_the_step_alone():
    gradients = {str(i): torch.randn(6, generator=torch.Generator().manual_seed(i)) for i in range(5)}
    one, other = Conflict("pcgrad"), Conflict("pcgrad")
    found = []
    for balancer, seed in ((one, 1), (other, 2)):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        for _ in range(3):
            balancer.look(gradients)
        assert torch.equal(torch.get_rng_state(), before)
        found.append(balancer.weights())
    assert found[0] == found[1]


@pytest.mark.parametrize("method", sorted(set(WEIGHTINGS) - set(METHODS)))
def test_a_missing_solver_is_named(method, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("torchjd._mixins.find_spec", lambda name: None)
    with pytest.raises(RecipeError, match=rf"{method} needs a solver .*torchjd\[\w+\].*pcgrad") as caught:
        Conflict(method)
    assert "\n" not in str(caught.value)


def test_missing_torchjd_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchjd", None)
    with pytest.raises(RecipeError, match=r"pip install 'crosstask\[balance\]'"):
        Conflict()
