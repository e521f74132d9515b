"""Export a run as one file other programs can use: a torch.export program, and ONNX on demand.

crosstask export runs/one --onnx
"""

from __future__ import annotations

import argparse

from crosstask.commands.evaluation_options import add_run_options
from crosstask.commands.numbers import real, whole
from crosstask.commands.paths import require_free, require_out, require_run
from crosstask.names import with_ending

HELP = "write a run as a torch.export program, and ONNX"


def configure(parser: argparse.ArgumentParser) -> None:
    add_run_options(parser)
    parser.add_argument("--out", metavar="FILE", help="where to write (default: RUN/network.pt2)")
    parser.add_argument("--onnx", action="store_true", help="also write ONNX (needs the extra 'export')")
    parser.add_argument("--opset", type=whole(17, 30), help="version of ONNX's operators (default: what torch prefers)")
    parser.add_argument(
        "--precision", choices=("32", "16"), default="32", help="of weights and arithmetic; 16 for devices faster so"
    )
    parser.add_argument(
        "--tolerance",
        type=real(0, 1e6),
        help="how much values may differ from the network's, relative to the largest (default: 1e-4, 2e-2 in 16 bits)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")


def run(arguments: argparse.Namespace) -> int:
    path = require_run(arguments.path)
    program = path / "network.pt2"
    if arguments.out is not None:
        program = with_ending(require_out(arguments.out), ".pt2", [".onnx"])
    for file in [program, *([program.with_suffix(".onnx")] if arguments.onnx else [])]:
        require_free(file, arguments.overwrite)
    from crosstask.errors import UserError

    if arguments.opset is not None and not arguments.onnx:
        raise UserError(f"--opset {arguments.opset}: says nothing without --onnx: add it, or leave --opset out")
    from crosstask.evaluation.export import export
    from crosstask.trained import load_run

    run = load_run(arguments.path, arguments.weights, arguments.trust)
    size = run.recipe.data.shown_size
    written = export(
        run.network,
        run.tasks,
        program,
        size=size or run.recipe.data.size,
        cover=size is not None,
        onnx=arguments.onnx,
        opset=arguments.opset,
        half=arguments.precision == "16",
        tolerance=arguments.tolerance,
        overwrite=arguments.overwrite,
    )
    for each in (written.program, written.onnx):
        if each is not None:
            print(f"wrote {each}")
    if size is not None:
        print(f"show it images scaled so that {size[0]}x{size[1]} just fits in, as measured: see docs/run_exported.py")
    print("any size of: " + (", ".join(written.dynamic) or "nothing, only the shape it was exported with"))
    if "height" in written.dynamic:
        print("least size: {}x{}".format(*written.least))
    print("largest difference to the network: " + ", ".join(f"{k} {v:.1e}" for k, v in written.difference.items()))
    return 0
