"""Options that eval and predict share: which weights, and how the network is run."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from crosstask.commands.trust import add_trust
from crosstask.device import device

if TYPE_CHECKING:
    from torch import nn

    from crosstask.evaluation.scale import AtScale
    from crosstask.trained import TrainedRun


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """The run and its weights."""
    parser.add_argument("path", metavar="RUN", help="run directory")
    parser.add_argument("--weights", choices=("best", "last"), help="checkpoint (default: best where there is one)")
    add_trust(parser)


def add_inference_options(parser: argparse.ArgumentParser) -> None:
    """Size, tiles, scales, flips, device."""
    parser.add_argument(
        "--size",
        metavar="HEIGHTxWIDTH",
        help="size to show images to the network at, or own for each at its own (default: that of the recipe's "
        "evaluation); results are at the images' own size whatever it is",
    )
    parser.add_argument("--tile", type=int, metavar="PIXELS", help="cut what is shown into tiles where it is bigger")
    parser.add_argument("--overlap", type=int, metavar="PIXELS", help="how much tiles overlap (default: a quarter)")
    parser.add_argument(
        "--scales",
        default="1",
        metavar="S,S,...",
        help="resolutions to average over, times --size: 1,1.25 say; within the zooms of training",
    )
    parser.add_argument("--flip", action="store_true", help="also average over the mirrored image")
    parser.add_argument(
        "--mean-field", type=int, metavar="STEPS", help="draw segmentations to the edges of the image (papers: 10)"
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps or auto (default)")


def scales_of(text: str) -> tuple[float, ...]:
    """The numbers of ``--scales``."""
    from crosstask.errors import UserError

    try:
        scales = tuple(float(each) for each in text.split(","))
    except ValueError:
        scales = ()
    if not scales or not all(1 / 16 <= each <= 16 for each in scales):
        raise UserError(f"--scales {text!r:.80}: give numbers between 1/16 and 16, 1,0.75 say")
    return scales


def inference(run: TrainedRun, arguments: argparse.Namespace) -> AtScale:
    """The network of a run as the options say it should be run, on its device."""
    from crosstask.errors import UserError
    from crosstask.evaluation.boundary import DrawnToEdges
    from crosstask.evaluation.inference import Inference
    from crosstask.evaluation.scale import AtScale

    scales = scales_of(arguments.scales)
    try:
        for name in ("tile", "overlap"):
            if getattr(arguments, name) is not None and getattr(arguments, name) > 2**20:
                raise ValueError(f"--{name} is at most {2**20} pixels, found {getattr(arguments, name)}")
        if arguments.tile is not None and arguments.tile < 16:
            raise ValueError(f"--tile is at least 16 pixels, found {arguments.tile}")
        wrapped = Inference(
            run.network, run.tasks, tile=arguments.tile, overlap=arguments.overlap, scales=scales, flip=arguments.flip
        )
    except ValueError as error:
        typed = [f"--{name} {value}" for name in ("scales", "tile", "overlap") if (value := getattr(arguments, name))]
        raise UserError(f"{' '.join(typed)}: {error}") from error
    network: nn.Module = wrapped
    if arguments.mean_field is not None:
        try:
            network = DrawnToEdges(wrapped, run.tasks, arguments.mean_field)
        except ValueError as error:
            raise UserError(f"--mean-field: {error}") from error
    size = run.recipe.data.shown_size if arguments.size is None else _size(arguments.size)
    return AtScale(network, run.tasks, size).to(device(arguments.device)).eval()


def shown(network: AtScale) -> str:
    """At which size a network is shown images, in words."""
    return "their own size" if network.size is None else f"{network.size[0]}x{network.size[1]}"


def _size(text: str) -> tuple[int, int] | None:
    from crosstask.errors import UserError

    if text == "own":
        return None
    height, _, width = text.partition("x")
    if not (height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise UserError(f"--size {text}: give HEIGHTxWIDTH in pixels, 480x640 say, or own")
    return int(height), int(width)


def settings(arguments: argparse.Namespace, network: AtScale, **more: str) -> dict[str, str]:
    """How the network was run, for the title of a table."""
    said = {**more, "shown at": shown(network)}
    if arguments.tile:
        said["tile"] = str(arguments.tile)
    if arguments.scales != "1":
        said["scales"] = arguments.scales
    if arguments.mean_field:
        said["mean field"] = f"{arguments.mean_field} steps"
    if arguments.flip:
        said["flip"] = "averaged"
    return said
