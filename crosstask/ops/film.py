"""Batch normalisation, a scale and a shift per map and channel, and ReLU, in one operation for CPUs.

    y[n, c] = relu(scale[n, c] (x[n, c] - mean[c]) / sqrt(var[c] + eps) + shift[n, c])

with the mean and variance of the batch. The separate operations of a library write each step of this, and of its
gradient, into memory of its own; here they write the result alone, and go through one map after the other.
"""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor


def norm_film_relu(
    maps: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5, index: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The formula of the module docstring.

    >>> maps = torch.tensor([-1.0, 1.0]).reshape(1, 1, 1, 2)
    >>> norm_film_relu(maps, torch.tensor([[2.0]]), torch.tensor([[1.0]]), eps=0.0)[0].flatten()
    tensor([0., 3.])

    Args:
        maps: (M, C, H, W).
        scale: (N, C).
        shift: (N, C).
        eps: added to the variance.
        index: (N,) int64, which of the maps each result is made of, and the statistics are those of ``maps[index]``;
            one after the other by default.

    Returns:
        The result (N, C, H, W), and without a gradient the mean and the (biased) variance (C,) of the batch.
    """
    result: tuple[Tensor, Tensor, Tensor] = _NormFilmRelu.apply(maps, scale, shift, eps, index)
    return result


class _NormFilmRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, maps: Tensor, scale: Tensor, shift: Tensor, eps: float, index: Tensor | None):  # type: ignore[no-untyped-def]
        ctx.order = list(range(len(maps))) if index is None else index.tolist()
        mean, var = _statistics(maps, index)
        root = (var + eps).rsqrt()
        slope = scale * root
        offset = shift - mean * slope
        result = torch.empty_like(maps if len(scale) == len(maps) else maps[:1].expand(len(scale), -1, -1, -1))
        for n, m in enumerate(ctx.order):
            torch.addcmul(_wide(offset[n]), maps[m], _wide(slope[n]), out=result[n]).relu_()
        ctx.save_for_backward(maps, scale, mean, root, result)
        ctx.mark_non_differentiable(mean, var)
        return result, mean, var

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor, *_: Tensor):  # type: ignore[no-untyped-def]
        maps, scale, mean, root, result = ctx.saved_tensors
        to_maps, to_scale, to_shift = torch.empty_like(maps), torch.empty_like(scale), torch.empty_like(scale)
        middle, slope, seen = _wide(mean), _wide(scale * root), set()
        for n, m in enumerate(ctx.order):
            own = torch.empty_like(maps[m]) if m in seen else to_maps[m]
            torch.ops.aten.threshold_backward.grad_input(gradient[n], result[n], 0, grad_input=own)
            to_shift[n] = own.sum((1, 2))
            to_scale[n] = ((maps[m] - middle) * own).sum((1, 2))
            if m in seen:
                to_maps[m].addcmul_(own, slope[n])
            else:
                own.mul_(slope[n])
            seen.add(m)
        to_scale *= root
        count = result.numel() / len(mean)
        along = (scale * to_scale).sum(0) / count * root**2
        offset = _wide(mean * along - (scale * to_shift).sum(0) / count * root)
        for m, times in Counter(ctx.order).items():
            to_maps[m].addcmul_(maps[m], _wide(-times * along)).add_(times * offset)
        for m in set(range(len(maps))) - seen:
            to_maps[m] = 0
        return to_maps, to_scale, to_shift, None, None


def _statistics(maps: Tensor, index: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean and variance of ``maps[index]``, (C,) each."""
    if index is None:
        mean, var = torch.batch_norm_update_stats(maps, None, None, 0.0)
        return mean, var
    each = [torch.batch_norm_update_stats(one, None, None, 0.0) for one in maps.split(1)]
    means, variances = (torch.stack(part) for part in zip(*each, strict=True))
    share = torch.bincount(index, minlength=len(maps)).to(means) / len(index)
    mean = share @ means
    return mean, share @ (variances + (means - mean) ** 2)


def _wide(values: Tensor) -> Tensor:
    return values[..., None, None]
