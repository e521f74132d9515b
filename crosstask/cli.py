"""The command line: finds the command, runs it, and turns errors into one line and an exit code."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence

from crosstask import __version__
from crosstask.errors import UserError

COMMANDS = ("demo", "table", "convert", "check", "regions", "train", "eval", "predict", "export", "rooms", "recipes")


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = argparse.ArgumentParser(
        prog="crosstask",
        description="Train one network for many vision tasks when every image is labelled for only some of them.",
        epilog="crosstask COMMAND --help explains a command.",
    )
    top.add_argument("--version", action="version", version=f"crosstask {__version__}")
    top.add_argument("--debug", action="store_true", help="show the full traceback of an error")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"crosstask.commands.{name}")
        sub = commands.add_parser(
            name, help=module.HELP, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        sub.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        module.configure(sub)
        sub.set_defaults(run=module.run, overrides=[])
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0, 2 (something typed or supplied is wrong) or 1 (a fault while running)."""
    top = parser()
    known, rest = top.parse_known_args(arguments)
    if rest and not getattr(known, "takes_overrides", False):
        top.error(f"unrecognised: {' '.join(rest)}; see crosstask {known.command} --help")
    known.overrides = rest
    logging.basicConfig(format="crosstask: %(levelname)s: %(message)s", level=logging.WARNING)
    try:
        return known.run(known) or 0
    except UserError as error:
        if known.debug:
            raise
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if known.debug:
            raise
        return _fail(f"{error.filename or 'a file'}: {error.strerror or error}", 1)
    except Exception as error:
        if known.debug:
            raise
        text = " ".join(str(error).split())[:300]
        return _fail(f"{type(error).__name__}: {text} (this is a fault of crosstask: see it whole with --debug)", 1)


def _fail(message: str, code: int) -> int:
    print(f"crosstask: error: {' '.join(message.splitlines())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
