"""Reading weight files without ever running code from them."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from crosstask.errors import RecipeError

WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors`` file, or of a ``torch.save`` file that holds tensors and nothing to execute.

    Raises:
        RecipeError: the file is missing, broken, or holds no named tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise RecipeError(f"network.weights: there is no file {str(path)!r}: give a .safetensors or .pth file")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise RecipeError(
            f"network.weights: {str(path)!r} cannot be read as weights ({reason(error)}): "
            "give a .safetensors file, or a .pth file of tensors only"
        ) from error
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
            break
    tensors = {name.removeprefix("module."): value for name, value in _items(content) if isinstance(value, Tensor)}
    if not tensors:
        raise RecipeError(f"network.weights: {str(path)!r} holds no named tensors: give a file of weights")
    return tensors


def check_loaded(module: nn.Module, tensors: dict[str, Tensor], path: str | Path) -> None:
    """Make sure that ``module`` really holds the ``tensors`` of a file, whatever their names there.

    Loaders that tolerate missing names also tolerate the weights of quite another encoder.

    Raises:
        RecipeError: fewer than half of the module's weight matrices are in the file.
    """
    found = {_fingerprint(tensor) for tensor in tensors.values() if tensor.is_floating_point() and tensor.ndim > 1}
    weights = [parameter for parameter in module.parameters() if parameter.ndim > 1]
    loaded = sum(_fingerprint(weight) in found for weight in weights)
    if 2 * loaded < len(weights):
        raise RecipeError(
            f"network.weights: {str(path)!r} holds the weights of another encoder ({loaded} of {len(weights)} tensors "
            "fit): give the file that belongs to network.encoder"
        )


def reason(error: BaseException, limit: int = 160) -> str:
    """An exception on one line."""
    text = " ".join(str(error).split())
    shown = text if len(text) <= limit else text[: limit - 3] + "..."
    return f"{type(error).__name__}: {shown}" if shown else type(error).__name__


def _items(content: object) -> list[tuple[str, object]]:
    return [(str(name), value) for name, value in content.items()] if isinstance(content, dict) else []


def _fingerprint(tensor: Tensor) -> tuple[int, float]:
    return tensor.numel(), float(tensor.detach().cpu().double().abs().sum())
