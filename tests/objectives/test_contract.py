"""What holds for every objective; what a method documents otherwise is said by its case."""

from __future__ import annotations

import io

import pytest
import torch

from crosstask.objectives import OBJECTIVES
from tests.objectives.cases import CASES, LABELLED, batch, make, network, permuted, step

ALL = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
NOTHING: list[set[str]] = [set(), set(), set(), set()]


def cases(**wanted: bool):
    chosen = {
        key: case for key, case in CASES.items() if all(getattr(case, name) == is_ for name, is_ in wanted.items())
    }
    return pytest.mark.parametrize("case", chosen.values(), ids=list(chosen))


def test_every_objective_has_a_case():
    assert {case.kind for case in CASES.values()} == set(OBJECTIVES)


@ALL
def test_gradient_reaches_the_network_and_what_the_objective_owns(case, tmp_path):
    net = network()
    objective = make(case, net, tmp_path)
    terms = objective(step(net, batch(LABELLED)))
    assert any(term.count > 0 for term in terms.values())
    sum(term.mean() for term in terms.values()).backward()
    own = [parameter for parameter in objective.parameters() if parameter.requires_grad]
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in own)
    assert not own or any(parameter.grad.any() for parameter in own)
    assert any(parameter.grad is not None and parameter.grad.any() for parameter in net.parameters())


@ALL
def test_terms_always_have_the_same_names_and_scalars_without_a_gradient_as_counts(case, tmp_path):
    net = network()
    objective = make(case, net, tmp_path)
    names = None
    for labelled in (LABELLED, NOTHING, [{"tags", "mood"}] * 2, [{"semantic", "depth", "normals"}] * 2):
        terms = objective(step(net, batch(labelled)))
        names = names or list(terms)
        assert list(terms) == names
        assert sorted(objective.term_names()) == sorted(names)
        for total, count in terms.values():
            assert total.shape == count.shape == ()
            assert total.is_floating_point()
            assert not count.requires_grad


@ALL
@pytest.mark.parametrize("labelled", [LABELLED, NOTHING], ids=["labels", "no labels"])
def test_counts_that_are_known_before_the_forward_are_those_after_it(case, labelled, tmp_path):
    net = network()
    objective = make(case, net, tmp_path)
    known = objective.counts(batch(labelled))
    terms = objective(step(net, batch(labelled)))
    for name, count in (known or {}).items():
        torch.testing.assert_close(count.float(), terms[name].count.float())


@cases(unlabelled=False)
def test_without_labels_everything_is_an_exact_zero_with_a_graph(case, tmp_path):
    net = network()
    objective = make(case, net, tmp_path)
    terms = objective(step(net, batch(NOTHING)))
    assert all((term.total, term.count) == (0, 0) for term in terms.values())
    sum(term.mean() for term in terms.values()).backward()
    own = [parameter for parameter in objective.parameters() if parameter.requires_grad]
    assert all(parameter.grad is not None for parameter in own)
    assert not any(parameter.grad.any() for parameter in (*own, *net.parameters()) if parameter.grad is not None)


@cases(random=False)
def test_the_order_of_the_samples_does_not_matter(case, tmp_path):
    net = network()
    objective = make(case, net, tmp_path)
    given = batch(LABELLED)
    terms, other = (objective(step(net, each)) for each in (given, permuted(given, [2, 0, 3, 1])))
    for name, term in terms.items():
        torch.testing.assert_close(other[name], term, rtol=1e-4, atol=1e-4)


@ALL
def test_half_precision_stays_finite(case, tmp_path):
    net = network()
    objective = make(case, net, tmp_path)
    given = batch(LABELLED)
    with torch.autocast("cpu", torch.bfloat16):
        terms = objective(step(net, given))
    assert all(term.total.dtype == torch.float32 and term.total.isfinite() for term in terms.values())
    sum(term.mean() for term in terms.values()).backward()
    parameters = [*net.parameters(), *objective.parameters()]
    assert all(parameter.grad.isfinite().all() for parameter in parameters if parameter.grad is not None)


@ALL
def test_its_state_is_all_there_is(case, tmp_path):
    def go_on(objective, net):
        for seed in range(2):
            terms = objective(step(net, batch(LABELLED, seed), seed))
            with torch.no_grad():
                objective.after_step(net, seed)
        return {name: term.total.detach() for name, term in terms.items()}

    net = network()
    objective = make(case, net, tmp_path)
    go_on(objective, net)
    file = io.BytesIO()
    torch.save({"objective": objective.state_dict(), "network": net.state_dict()}, file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    net_again = network(seed=1)
    again = make(case, net_again, tmp_path, seed=1)
    again.load_state_dict(state["objective"])
    net_again.load_state_dict(state["network"])
    found, expected = go_on(again, net_again), go_on(objective, net)
    assert found == expected
