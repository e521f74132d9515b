"""Export a run as one file other programs can use: a torch.export program, and ONNX on demand.

crosstask export runs/one --onnx
"""

from __future__ import annotations

import argparse

from crosstask.commands.evaluation_options import add_run_options

HELP = "write a run as a torch.export program, and ONNX"


def configure(parser: argparse.ArgumentParser) -> None:
    add_run_options(parser)
    parser.add_argument("--out", metavar="FILE", help="where to write (default: RUN/network.pt2)")
    parser.add_argument("--onnx", action="store_true", help="also write ONNX (needs the extra 'export')")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")


def run(arguments: argparse.Namespace) -> int:
    from crosstask.evaluation.export import export
    from crosstask.trained import load_run

    run = load_run(arguments.path, arguments.weights, arguments.trust)
    written = export(
        run.network,
        run.tasks,
        arguments.out or run.run.path / "network.pt2",
        size=run.recipe.data.size,
        onnx=arguments.onnx,
        overwrite=arguments.overwrite,
    )
    for file in (written.program, written.onnx):
        if file is not None:
            print(f"wrote {file}")
    print("any size of: " + (", ".join(written.dynamic) or "nothing, only the shape it was exported with"))
    print("largest difference to the network: " + ", ".join(f"{k} {v:.1e}" for k, v in written.difference.items()))
    return 0
