"""How large a network is and how much it computes."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from crosstask.networks.multitask import MultiTaskNetwork


def describe(network: MultiTaskNetwork, size: tuple[int, int]) -> dict[str, int]:
    """Size and cost of a network.

    Nothing is computed: shapes are traced on the ``meta`` device.

    Args:
        network: the network, left as it is.
        size: height and width of an image.

    Returns:
        ``parameters`` in all, ``encoder_parameters`` of these, and ``flops`` of the forward pass of one image (a
        multiplication and an addition count as two).
    """
    traced = copy.deepcopy(network).eval().requires_grad_(False).to("meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        traced(torch.zeros(1, 3, *size, device="meta"))
    return {
        "parameters": _parameters(network),
        "encoder_parameters": _parameters(network.encoder),
        "flops": int(counter.get_total_flops()),
    }


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
