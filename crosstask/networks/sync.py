"""Batch normalisation whose statistics are those of all processes."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch import distributed as dist

if TYPE_CHECKING:
    _Layer = nn.BatchNorm2d
else:
    _Layer = object


def synchronise(module: nn.Module) -> None:
    """Let every 2d batch normalisation of ``module`` compute its statistics over all processes while it trains.

    In place: names and values of weights and statistics stay as they are. Batches may differ in size. All processes
    must call it equally often, so this is for networks that every process runs in every step. (torch's own
    ``SyncBatchNorm`` needs CUDA, and would drop the activations that timm's layers have inside.)
    """
    for each in module.modules():
        if isinstance(each, nn.BatchNorm2d) and not isinstance(each, Synchronised):
            each.__class__ = _synchronised(type(each))  # type: ignore[arg-type]  # classes are hashable


class Synchronised(_Layer):
    """What a synchronised layer does instead of its own ``forward``."""

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W), normalised over the batches of all processes."""
        if not self.training or not dist.is_initialized() or dist.get_world_size() == 1:
            return super().forward(maps)
        values = maps.double() if maps.dtype == torch.double else maps.float()
        count = _Sum.apply(values.new_tensor(values.numel() / values.shape[1]))
        mean = _Sum.apply(values.sum((0, 2, 3))) / count
        centred = values - mean[:, None, None]
        variance = _Sum.apply(centred.square().sum((0, 2, 3))) / count
        self._follow(mean.detach(), (variance * count / (count - 1).clamp(min=1)).detach())
        result = centred * (variance + self.eps).rsqrt()[:, None, None]
        if self.affine:
            result = torch.addcmul(self.bias[:, None, None], result, self.weight[:, None, None])
        result = result.to(maps.dtype)
        for inside in ("drop", "act"):  # of timm's layers
            result = getattr(self, inside)(result) if hasattr(self, inside) else result
        return result

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        if not self.track_running_stats or self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), momentum)


@cache
def _synchronised(kind: type[nn.BatchNorm2d]) -> type[nn.BatchNorm2d]:
    return type(f"Synchronised{kind.__name__}", (Synchronised, kind), {})


class _Sum(torch.autograd.Function):
    """The sum over all processes; so is its gradient."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total
