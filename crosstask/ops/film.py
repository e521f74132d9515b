"""Batch normalisation, a scale and a shift per map and channel, and ReLU, in one operation for CPUs.

    y[n, c] = relu(scale[n, c] (x[n, c] - mean[c]) / sqrt(var[c] + eps) + shift[n, c])

with the mean and variance of the batch. The separate operations of a library write each step of this, and of its
gradient, into memory of its own; here they write the result alone, and go through one map after the other.
"""

from __future__ import annotations

import torch
from torch import Tensor


def norm_film_relu(maps: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> tuple[Tensor, Tensor, Tensor]:
    """The formula of the module docstring.

    >>> maps = torch.tensor([-1.0, 1.0]).reshape(1, 1, 1, 2)
    >>> norm_film_relu(maps, torch.tensor([[2.0]]), torch.tensor([[1.0]]), eps=0.0)[0].flatten()
    tensor([0., 3.])

    Args:
        maps: (N, C, H, W).
        scale: (N, C).
        shift: (N, C).
        eps: added to the variance.

    Returns:
        The result (N, C, H, W), and without a gradient the mean and the (biased) variance (C,) of the batch.
    """
    result: tuple[Tensor, Tensor, Tensor] = _NormFilmRelu.apply(maps, scale, shift, eps)
    return result


class _NormFilmRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, maps: Tensor, scale: Tensor, shift: Tensor, eps: float):  # type: ignore[no-untyped-def]
        mean, var = torch.batch_norm_update_stats(maps, None, None, 0.0)
        root = (var + eps).rsqrt()
        slope = scale * root
        result = torch.addcmul(_wide(shift - mean * slope), maps, _wide(slope)).relu_()
        ctx.save_for_backward(maps, scale, mean, root, result)
        ctx.mark_non_differentiable(mean, var)
        return result, mean, var

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor, *_: Tensor):  # type: ignore[no-untyped-def]
        maps, scale, mean, root, result = ctx.saved_tensors
        to_maps, to_scale, to_shift = torch.empty_like(maps), torch.empty_like(scale), torch.empty_like(scale)
        middle = _wide(mean)
        for n in range(len(maps)):
            torch.ops.aten.threshold_backward.grad_input(gradient[n], result[n], 0, grad_input=to_maps[n])
            to_shift[n] = to_maps[n].sum((1, 2))
            to_scale[n] = ((maps[n] - middle) * to_maps[n]).sum((1, 2))
        to_scale *= root
        count = maps.numel() / len(mean)
        along = (scale * to_scale).sum(0) / count * root**2
        offset = _wide(mean * along - (scale * to_shift).sum(0) / count * root)
        slope, along = _wide(scale * root), _wide(-along)
        for n in range(len(maps)):
            to_maps[n].mul_(slope[n]).addcmul_(maps[n], along).add_(offset)
        return to_maps, to_scale, to_shift, None


def _wide(values: Tensor) -> Tensor:
    return values[..., None, None]
