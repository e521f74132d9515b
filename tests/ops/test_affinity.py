from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crosstask.networks.attention import Fusion
from crosstask.ops.affinity import propagate

N, D, C = 13, 4, 3


def arrays(kinds: int, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(kinds)
    queries, keys = torch.randn(2, batch, kinds, N, D, generator=rng, dtype=torch.float64)
    values = torch.randn(batch, N, C, generator=rng, dtype=torch.float64)
    return queries.requires_grad_(), keys.requires_grad_(), values.requires_grad_()


def plain(queries: Tensor, keys: Tensor, values: Tensor, weigh: nn.Sequential | None, transposed: bool, norm: bool):
    """The formula with whole matrices, entry by entry of the softmax and convolution written out by torch."""
    affinities = (queries @ keys.transpose(-2, -1)).softmax(-1)
    affinity = affinities[:, 0]
    if weigh is not None:
        first, _, second = weigh
        half = first.kernel_size[0] // 2
        hidden = F.relu(F.conv2d(affinities, first.weight, padding=half))
        affinity = (F.conv2d(hidden, second.weight, second.bias).softmax(1) * affinities).sum(1)
    if transposed:
        affinity = affinity.transpose(1, 2)
    if norm:
        affinity = affinity / affinity.sum(-1, keepdim=True)
    return affinity @ values


@pytest.mark.parametrize(("transposed", "norm"), [(False, False), (False, True), (True, False), (True, True)])
@pytest.mark.parametrize(("kinds", "kernel"), [(1, 0), (2, 3), (3, 5), (2, 1)])
@pytest.mark.parametrize("rows", [1, 2, 5, N])
def test_chunks_give_the_values_and_gradients_of_whole_matrices(kinds, kernel, rows, transposed, norm):
    torch.manual_seed(0)
    fusion = Fusion(kinds, kernel).double() if kernel else None
    if fusion is not None:
        for weight in fusion.parameters():
            weight.data.normal_(std=3)
    inputs = arrays(kinds)
    trained = [*inputs, *(fusion.parameters() if fusion is not None else [])]
    options = {"fuse": fusion, "halo": fusion.halo} if fusion is not None else {}
    found = propagate(*inputs, **options, transposed=transposed, normalise=norm, limit=2 * kinds * N * rows)
    expected = plain(*inputs, fusion.weigh if fusion is not None else None, transposed, norm)
    torch.testing.assert_close(found, expected)
    upstream = torch.randn(found.shape, generator=torch.Generator().manual_seed(1), dtype=found.dtype)
    gradients = (torch.autograd.grad((result * upstream).sum(), trained) for result in (found, expected))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_gradients_agree_with_finite_differences():
    torch.manual_seed(0)
    fusion = Fusion(2, 3).double()
    inputs = [each[:1, ..., :6, :] if each.ndim == 4 else each[:1, :6] for each in arrays(2, batch=1)]
    inputs = [each.detach().requires_grad_() for each in inputs]
    assert torch.autograd.gradcheck(
        lambda *given: propagate(*given, fuse=fusion, halo=1, normalise=True, limit=2 * 6 * 2), inputs
    )


def test_without_gradient_nothing_is_computed_twice():
    calls = []

    def counted(affinities: Tensor) -> Tensor:
        calls.append(affinities.shape[2])
        return affinities[:, 0]

    inputs = arrays(1)
    with torch.no_grad():
        propagate(*inputs, fuse=counted, limit=2 * N * 5)
    assert calls == [5, 5, 3]
    propagate(*inputs, fuse=counted, limit=2 * N * 5).sum().backward()
    assert calls[3:6] == [5, 5, 3]
    assert sorted(calls[6:]) == [3, 5, 5]


MEASURE = """
import resource, torch
from crosstask.networks.affinity import AffinityDecoder
from crosstask.tasks import KINDS
torch.set_num_threads(1)
tasks = {"semantic": KINDS["segmentation"]("semantic", classes=21), "saliency": KINDS["saliency"]("saliency")}
decoder = AffinityDecoder([32], [8], tasks)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
features = torch.randn(2, 32, 65, 65, requires_grad=True)
sum(maps.square().mean() for maps in decoder([features]).values()).backward()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20)
"""


@pytest.mark.slow
def test_two_maps_of_65x65_are_trained_within_2_gib():
    """The affinities of one such map and their fusion are 0.2 GiB, times all that autograd would keep of them."""
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 2
