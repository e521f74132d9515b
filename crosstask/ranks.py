"""What losses over a whole batch need of the other processes."""

from __future__ import annotations

import torch
from torch import Tensor, distributed


def processes() -> int:
    """How many processes take part, 1 where nothing is distributed."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def everywhere(tensor: Tensor) -> Tensor:
    """The rows of all processes, (N B, ...), for a loss that compares them; called by all, with as many rows.

    A loss of these rows, divided by the number of processes and summed over them, is the loss of one process that has
    all rows, and so is its gradient: each process has that of its own rows, times the number of processes.
    """
    count = processes()
    if count == 1:
        return tensor
    rows = [torch.empty_like(tensor) for _ in range(count)]
    distributed.all_gather(rows, tensor.detach().contiguous())
    rows[distributed.get_rank()] = tensor + (count - 1) * (tensor - tensor.detach())
    return torch.cat(rows)
