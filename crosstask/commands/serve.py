"""Answer pictures over HTTP: POST /predict, GET /health, GET /metadata.

crosstask serve runs/one
crosstask serve runs/one --port 8080 --workers 4 --max-megabytes 8
curl -F image=@photo.jpg localhost:8000/predict
curl --data-binary @photo.jpg 'localhost:8000/predict?task=depth' > depth.png

It listens on this machine alone unless --host says otherwise. Needs crosstask[serve].
"""

from __future__ import annotations

import argparse

from crosstask.commands.evaluation_options import add_run_options
from crosstask.commands.listening import add_address, said_where
from crosstask.commands.numbers import real, whole
from crosstask.commands.paths import require_run
from crosstask.errors import UserError

HELP = "answer pictures over HTTP"


def configure(parser: argparse.ArgumentParser) -> None:
    add_run_options(parser)
    add_address(parser, 8000)
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps or auto (default)")
    parser.add_argument(
        "--workers", type=whole(1, 64), default=1, metavar="N", help="processes that hold the network (default: 1)"
    )
    parser.add_argument(
        "--queue", type=whole(0, 10_000), default=64, metavar="N",
        help="requests that may wait; further ones are answered 503 (default: 64)",
    )  # fmt: skip
    parser.add_argument(
        "--timeout", type=real(0.1, 3600), default=30.0, metavar="SECONDS",
        help="longest upload, longest wait and longest work on a picture (default: 30)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    require_run(arguments.path)
    import asyncio
    import os

    try:
        from crosstask.serve.server import listen, serve
    except ModuleNotFoundError as error:
        raise UserError(f"serve: needs {error.name}: pip install 'crosstask[serve]'") from None
    from crosstask.serve.options import Job, Limits

    limits = Limits(arguments.max_megabytes, arguments.max_pixels, arguments.timeout, arguments.queue)
    threads = max((os.cpu_count() or 1) // arguments.workers, 1)
    job = Job(arguments.path, arguments.weights, arguments.device, arguments.trust, limits.pixels, threads)
    with listen(arguments.host, arguments.port) as listening:
        asyncio.run(
            serve(job, arguments.workers, limits, listening, lambda _: said_where(listening, f"serving {job.run}"))
        )
    return 0
