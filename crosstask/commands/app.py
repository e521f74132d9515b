"""Try a run in a browser: a picture from a file or the camera, and what the network says of all tasks.

crosstask app runs/one
crosstask app runs/one --port 8080

It listens on this machine alone unless --host says otherwise, and loads nothing from elsewhere. Needs crosstask[app].
"""

from __future__ import annotations

import argparse

from crosstask.commands.evaluation_options import add_run_options
from crosstask.commands.listening import add_address, said_where
from crosstask.commands.numbers import whole
from crosstask.commands.paths import require_run
from crosstask.errors import UserError

HELP = "try a run in a browser, with a file or the camera"


def configure(parser: argparse.ArgumentParser) -> None:
    add_run_options(parser)
    add_address(parser, 7860)
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps or auto (default)")
    parser.add_argument(
        "--queue", type=whole(1, 10_000), default=32, metavar="N", help="pictures that may wait (default: 32)"
    )


def run(arguments: argparse.Namespace) -> int:
    require_run(arguments.path)
    import asyncio

    try:
        from crosstask.app.page import page
        from crosstask.serve.server import listen, run_app
    except ModuleNotFoundError as error:
        raise UserError(f"app: needs {error.name}: pip install 'crosstask[app]'") from None
    from crosstask.api.model import load
    from crosstask.device import device
    from crosstask.serve.options import Limits

    limits = Limits(arguments.max_megabytes, arguments.max_pixels, queue=arguments.queue)
    model = load(arguments.path, arguments.weights, device=device(arguments.device), trust=arguments.trust)
    with listen(arguments.host, arguments.port) as listening:
        application = page(model, limits)
        said_where(listening, f"{arguments.path} can be tried")
        asyncio.run(run_app(application, listening, lifespan="on"))
    return 0
