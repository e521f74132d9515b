"""Options that eval and predict share: which weights, and how the network is run."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from crosstask.commands.trust import add_trust

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from crosstask.tasks.base import Task


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """The run and its weights."""
    parser.add_argument("path", metavar="RUN", help="run directory")
    parser.add_argument("--weights", choices=("best", "last"), help="checkpoint (default: best where there is one)")
    add_trust(parser)


def add_inference_options(parser: argparse.ArgumentParser) -> None:
    """Tiles, scales, flips, device."""
    parser.add_argument("--tile", type=int, metavar="PIXELS", help="cut images bigger than this into tiles")
    parser.add_argument("--overlap", type=int, metavar="PIXELS", help="how much tiles overlap (default: a quarter)")
    parser.add_argument(
        "--scales", default="1", metavar="S,S,...", help="resolutions to average over, e.g. 0.75,1,1.25"
    )
    parser.add_argument("--flip", action="store_true", help="also average over the mirrored image")
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps or auto (default)")


def inference(network: nn.Module, tasks: Mapping[str, Task], arguments: argparse.Namespace) -> nn.Module:
    """The network as the options say it should be run, on its device."""
    from crosstask.errors import UserError
    from crosstask.evaluation.inference import Inference

    try:
        scales = tuple(float(scale) for scale in arguments.scales.split(","))
        wrapped = Inference(
            network, tasks, tile=arguments.tile, overlap=arguments.overlap, scales=scales, flip=arguments.flip
        )
    except ValueError as error:
        raise UserError(f"--scales, --tile or --overlap: {error}") from error
    return wrapped.to(device(arguments.device)).eval()


def device(name: str) -> str:
    """``name``, or the best device there is for ``auto``."""
    import torch

    if name != "auto":
        return name
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def settings(arguments: argparse.Namespace, **more: str) -> dict[str, str]:
    """How the network was run, for the title of a table."""
    said = dict(more)
    if arguments.tile:
        said["tile"] = str(arguments.tile)
    if arguments.scales != "1":
        said["scales"] = arguments.scales
    if arguments.flip:
        said["flip"] = "averaged"
    return said
