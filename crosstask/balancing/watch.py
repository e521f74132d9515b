"""The shared part of a network, for balancers that compare gradients there."""

from __future__ import annotations

from torch import nn

from crosstask.errors import RecipeError


def encoder(network: nn.Module, kind: str) -> list[nn.Parameter]:
    """The trained parameters of the network's encoder.

    Raises:
        RecipeError: the network has no encoder, or a frozen one.
    """
    parameters = [each for each in getattr(network, "encoder", nn.Module()).parameters() if each.requires_grad]
    if not parameters:
        raise RecipeError(
            f"balancing.kind: {kind} compares the gradients of the terms at network.encoder, but "
            f"{type(network).__name__} has no trained parameters of that name: use uncertainty, dwa or fixed"
        )
    return parameters


def last_layer(network: nn.Module, kind: str) -> nn.Parameter:
    """The weights of the last trained convolution or linear layer of the network's encoder.

    Raises:
        RecipeError: the network has no encoder, or a frozen one.
    """
    layers = [each for each in encoder(network, kind) if each.ndim > 1]
    shared = network.get_submodule("encoder")
    near = {id(each) for each in getattr(shared, "last", shared).parameters()}
    return ([each for each in layers if id(each) in near] or layers)[-1]
