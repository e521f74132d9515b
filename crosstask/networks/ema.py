"""An exponential moving average of a module, buffers included."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from typing_extensions import override


class EMA(nn.Module):
    """A copy of ``module`` that follows it slowly; never trained, always in evaluation mode.

    Parameters and floating-point buffers (batch-norm statistics) are averaged, other buffers (counters) are copied.
    Early updates use a smaller decay, ``(1 + n) / (warmup + n)`` after n updates: the random start is forgotten.

    Args:
        module: what to follow.
        decay: how much of the average is kept at each update, in [0, 1).
        warmup: how long the decay stays small; with 2 the average is the plain mean of all states until ``decay`` is
            reached.
    """

    updates: Tensor

    def __init__(self, module: nn.Module, decay: float, warmup: int = 10) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f"the decay of a moving average must be in [0, 1), found {decay}")
        self.module = copy.deepcopy(module).requires_grad_(False).eval()
        self.decay, self.warmup = decay, warmup
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))
        self._followed: tuple[tuple[list[Tensor], list[Tensor]], ...] | None = None

    @override
    def train(self, mode: bool = True) -> EMA:
        return super().train(False)

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move towards ``module`` by one step: always the same module (whose weights may lie in parts on several
        processes, which then all do this), on the same device from the first update on
        (its tensors are looked up once: walking through a network costs more than averaging a small one)."""
        count = int(self.updates)
        decay = min(self.decay, (1 + count) / (self.warmup + count))
        if self._followed is None:
            self._followed = _tensors(self.module), _tensors(module)
        (ours, our_counters), (theirs, their_counters) = self._followed
        if any(isinstance(each, DTensor) for each in theirs):
            ours, theirs = map(list, zip(*map(_beside, ours, theirs), strict=True))
        torch._foreach_lerp_(ours, theirs, 1 - decay)
        if our_counters:
            torch._foreach_copy_(our_counters, their_counters)
        self.updates += 1


def _beside(own: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Both as this process has them: the same parts, or the whole where the average has it whole."""
    if isinstance(own, DTensor):
        return own.to_local(), other.to_local() if isinstance(other, DTensor) else other
    return own, other.full_tensor() if isinstance(other, DTensor) else other


def _tensors(module: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Parameters and buffers: those of floating point, and the others."""
    tensors = [*module.parameters(), *module.buffers()]
    return [t for t in tensors if t.is_floating_point()], [t for t in tensors if not t.is_floating_point()]
