"""Mixtures, cross-entropies and scores, against reference arrays and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from crosstask.ops.relatedness import (
    bernoulli,
    categorical,
    complete_class,
    cross_entropy,
    indicators,
    log_likelihoods,
    mixture,
    of_probabilities,
)
from tests.shared import shared


@pytest.fixture(scope="module")
def reference() -> dict[str, Tensor]:
    with np.load(shared("fixtures/others/dm_reference.npz")) as given:
        return {key: torch.from_numpy(given[key]) for key in given if given[key].dtype.kind in "fi"}


def tables(reference) -> dict[str, Tensor]:
    return {"w": reference["R_weighted"], "b": reference["R_binary"]}


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("table", ["w", "b"])
def test_the_mixture_equals_the_reference(reference, table):
    q, mass = mixture(categorical(reference["expr_logits"]).p, tables(reference)[table])
    close(q, reference[f"q_au_{table}"])
    close(mass, torch.ones_like(mass))


@pytest.mark.parametrize("table", ["w", "b"])
@pytest.mark.parametrize("form", ["bernoulli", "onesided"])
@pytest.mark.parametrize("detached", ["both", "p", "q"])
def test_matching_equals_the_reference_with_its_gradients(reference, table, form, detached):
    expr, au = (reference[key].clone().requires_grad_() for key in ("expr_logits", "au_logits"))
    q = mixture(categorical(expr).p, tables(reference)[table]).p
    target, prediction = bernoulli(au), of_probabilities(q, complement=form == "bernoulli")
    if detached == "p":
        target = target._replace(p=target.p.detach())
    if detached == "q":
        prediction = of_probabilities(q.detach(), complement=form == "bernoulli")
    loss = cross_entropy(target, prediction).sum(1).mean()
    gradients = torch.autograd.grad(loss, (expr, au), materialize_grads=True, allow_unused=True)
    name = f"dm_{table}_{form}_{detached}"
    close(loss.detach(), reference[name])
    close(gradients[0], reference[f"{name}_g_expr"])
    close(gradients[1], reference[f"{name}_g_au"])


@pytest.mark.parametrize("table", ["w", "b"])
def test_matching_towards_the_attributes_equals_the_reference(reference, table):
    au = reference["au_logits"].clone().requires_grad_()
    q = mixture(categorical(reference["expr_logits"]).p, tables(reference)[table]).p
    loss = cross_entropy(of_probabilities(q, complement=True), bernoulli(au)).sum(1).mean()
    close(loss.detach(), reference[f"dm_{table}_expr2au"])
    close(torch.autograd.grad(loss, au)[0], reference[f"dm_{table}_expr2au_g_au"])


@pytest.mark.parametrize("table", ["w", "b"])
def test_indicators_equal_the_reference(reference, table):
    attributes = reference["y_au"].where(reference["mask_au"] > 0, torch.nan)
    found = indicators(attributes, tables(reference)[table])
    assert found[:, 0].isnan().all()  # nothing is related to neutral
    assert found[0].isnan().all()  # nothing is known of the first sample
    close(found[[1, 3, 5]].nan_to_num(0), reference[f"I_{table}"][[1, 3, 5]])


def test_complete_classes_equal_the_reference(reference):
    assert complete_class(reference["hard_in_au"], reference["R_binary"]).tolist() == reference["hard_expr"].tolist()
    unsure = reference["hard_in_au"].clone()
    unsure[0, 4] = torch.nan  # an attribute of its class is not known
    assert complete_class(unsure, reference["R_binary"])[0] == -1


def test_unknown_cells_leave_their_class_out_of_the_mixture():
    p = torch.tensor([[0.2, 0.3, 0.5]], dtype=torch.float64)
    cells = torch.tensor([[1.0, torch.nan], [0.4, torch.nan], [torch.nan, torch.nan]], dtype=torch.float64)
    q, mass = mixture(p, cells)
    close(q, torch.tensor([[(0.2 * 1 + 0.3 * 0.4) / 0.5, 0.0]], dtype=torch.float64))
    close(mass, torch.tensor([[0.5, 0.0]], dtype=torch.float64))


@pytest.mark.parametrize("complement", [True, False])
def test_likelihoods_equal_a_loop(complement):
    rng = torch.Generator().manual_seed(0)
    cells = torch.rand(4, 6, generator=rng, dtype=torch.float64)
    cells[1, 2] = torch.nan
    cells[:, 5] = torch.nan
    attributes = torch.randint(0, 2, (5, 6), generator=rng).double()
    attributes[torch.rand(5, 6, generator=rng) < 0.3] = torch.nan
    attributes[0] = torch.nan
    found = log_likelihoods(attributes, cells, complement)
    assert found[0].isnan().all()
    for sample in range(1, 5):
        for label in range(4):
            total = 0.0
            for i, y in enumerate(attributes[sample].tolist()):
                column = [c for c in cells[:, i].tolist() if c == c]
                cell = cells[label, i].item()
                cell = (sum(column) / len(column) if column else 0.5) if cell != cell else cell
                cell = min(max(cell, 0.01), 0.99)
                if y == y:
                    total += y * np.log(cell) + (complement * (1 - y)) * np.log(1 - cell)
            assert found[sample, label].item() == pytest.approx(total)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_saturated_predictions_and_empty_rows_and_columns_stay_finite(dtype):
    expr = torch.tensor([[1e4, -1e4, 0], [-1e4, 1e4, -1e4], [0, 0, 0]], dtype=dtype, requires_grad=True)
    au = torch.tensor([[1e4, -1e4], [-1e4, 1e4], [1e4, 1e4]], dtype=dtype, requires_grad=True)
    cells = torch.tensor([[1.0, 0], [0, 0], [0, 0]])  # rows and a column without any relation
    mixed = of_probabilities(mixture(categorical(expr).p, cells).p, complement=True)
    predicted = bernoulli(au)
    loss = (cross_entropy(predicted, mixed) + cross_entropy(mixed, predicted)).sum()
    loss.backward()
    assert loss.isfinite()
    assert expr.grad.isfinite().all()
    assert au.grad.isfinite().all()


def test_autocast_changes_nothing(reference):
    p, cells = categorical(reference["expr_logits"]).p.float(), reference["R_weighted"].float()
    attributes = reference["y_au"].float()
    plain = mixture(p, cells).p, indicators(attributes, cells), log_likelihoods(attributes, cells)
    with torch.autocast("cpu", torch.bfloat16):
        cast = mixture(p, cells).p, indicators(attributes, cells), log_likelihoods(attributes, cells)
    for one, other in zip(plain, cast, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
