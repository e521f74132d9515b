"""What the processes of a run do together."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn


def reduced(fabric: Fabric, tensor: Tensor) -> Tensor:
    """``tensor`` summed over ranks."""
    return fabric.all_reduce(tensor, reduce_op="sum") if fabric.world_size > 1 else tensor  # type: ignore[return-value]


def gathered(fabric: Fabric, tensor: Tensor) -> Tensor:
    """``tensor`` of every rank, (ranks, ...)."""
    return fabric.all_gather(tensor) if fabric.world_size > 1 else tensor[None]  # type: ignore[return-value]


def any_rank(fabric: Fabric, flag: bool) -> bool:
    """Whether ``flag`` holds on any rank."""
    if fabric.world_size == 1:
        return flag
    return bool(reduced(fabric, torch.tensor(float(flag), device=fabric.device)) > 0)


def gather_objects(share: object) -> list[object]:
    """The objects of all ranks, in their order."""
    everything: list[object] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everything, share)
    return everything


@torch.no_grad()
def equal_buffers(fabric: Fabric, modules: Iterable[nn.Module]) -> None:
    """Give every rank the buffers of rank 0: the statistics of normalisation layers, prototypes, a bank.

    Each rank updates them from its own samples. During training DDP passes on those of rank 0 with each forward, so
    this is what the next step would begin with: what is measured is what is saved.
    """
    if fabric.world_size == 1:
        return
    for buffer in {id(buffer): buffer for module in modules for buffer in module.buffers()}.values():
        torch.distributed.broadcast(buffer, 0)
