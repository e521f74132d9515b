"""Encoders by name: those written here, and all of timm's."""

from __future__ import annotations

from typing import Any

from crosstask.construct import construct
from crosstask.errors import RecipeError
from crosstask.networks.encoder import Encoder
from crosstask.networks.resnet38d import ResNet38d
from crosstask.networks.segnet import SegNet
from crosstask.networks.small import SmallEncoder
from crosstask.networks.timm_encoder import TimmEncoder
from crosstask.networks.weights import read_weights, reason

ENCODERS: dict[str, type[Encoder]] = {"small": SmallEncoder, "segnet": SegNet, "resnet38d": ResNet38d}


def build_encoder(
    name: str, pretrained: bool = False, weights: str | None = None, options: dict[str, Any] | None = None
) -> Encoder:
    """An encoder by name.

    Args:
        name: a key of ``ENCODERS`` or a name timm knows.
        pretrained: load the weights timm, or an installed package, has for it.
        weights: load this file (``.safetensors``, ``.pth``) instead.
        options: further options of that encoder.

    Raises:
        RecipeError: an unknown name or option, or weights that cannot be had; one line with the remedy.
    """
    if name not in ENCODERS:
        return TimmEncoder(name, pretrained, weights, options)
    encoder = construct(ENCODERS[name], options, "network.encoder_options")
    if weights is not None:
        try:
            encoder.load_state_dict(read_weights(weights))
        except RuntimeError as error:
            raise RecipeError(
                f"network.weights: {weights!r} does not fit encoder {name!r} ({reason(error)})"
            ) from error
    elif pretrained:
        raise RecipeError(
            f"network.pretrained: encoder {name!r} is always trained from scratch: set network.pretrained to false, "
            "give a file as network.weights, or choose a timm encoder such as 'resnet18'"
        )
    return encoder
