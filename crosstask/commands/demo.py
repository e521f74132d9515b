"""Train one network for three tasks on made-up rooms of which each has one label, then measure and show it.

Nothing is downloaded; takes a few minutes on two CPU cores. An interrupted demo is continued.
"""

from __future__ import annotations

import argparse

from crosstask.commands.paths import require_out

HELP = "train, measure and show a network on made-up rooms"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", default="runs/demo", metavar="RUN", help="run directory (default: runs/demo)")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(takes_overrides=True)


def run(arguments: argparse.Namespace) -> int:
    require_out(arguments.out, folder=True)
    from crosstask.commands import eval as eval_command
    from crosstask.commands import train
    from crosstask.evaluation.gallery import gallery
    from crosstask.report.page import write_report
    from crosstask.trained import load_run
    from crosstask.training.run import Run
    from crosstask.writing import whole

    quiet = ["--quiet"] if arguments.quiet else []
    started = ["--resume", arguments.out] if Run(arguments.out).exists() else ["demo", "--out", arguments.out]
    code = _call(train, [*started, *quiet], [] if started[0] == "--resume" else arguments.overrides)
    if code:
        return code
    code = _call(eval_command, [arguments.out, "--prior", *quiet])
    if code:
        return code
    trained = load_run(arguments.out)
    dataset, _ = trained.evaluation_data()
    page = trained.run.path / "gallery.png"
    picture = gallery(trained.predictor(), (dataset[index] for index in range(min(6, len(dataset)))), trained.tasks)
    with whole(page) as part:
        picture.save(part)
    print(f"labels and predictions side by side: {page}")
    print(f"everything on one page, to be opened in a browser: {write_report(trained.run.path)}")
    return 0


def _call(command: object, typed: list[str], overrides: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    command.configure(parser)  # type: ignore[attr-defined]
    arguments = parser.parse_args(typed)
    arguments.overrides = overrides or []
    return command.run(arguments)  # type: ignore[attr-defined]
