"""The command line: finds the command, runs it, and turns errors into one line and an exit code."""

from __future__ import annotations

import argparse
import importlib
import io
import logging
import os
import re
import sys
from collections.abc import Sequence

from crosstask import __version__
from crosstask.data.loading.faults import explained
from crosstask.errors import Elsewhere, UserError, nearest
from crosstask.own_code import own_fault

COMMANDS = (
    "demo", "table", "merge", "agree", "pack", "convert", "annotate", "check", "start", "regions", "relate", "train",
    "align", "refine", "eval", "suggest", "audit", "compare", "report", "runs", "predict", "serve", "app", "export",
    "rooms", "recipes", "completion",
)  # fmt: skip

_SMALLER = "choose a smaller batch, image or network, or fewer workers"


def parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser of all commands, and that of each."""
    top = argparse.ArgumentParser(
        prog="crosstask",
        description="Train one network for many vision tasks when every image is labelled for only some of them.",
        epilog="crosstask COMMAND --help explains a command.",
    )
    top.add_argument("--version", action="version", version=f"crosstask {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    each = {}
    for name in COMMANDS:
        module = importlib.import_module(f"crosstask.commands.{name}")
        each[name] = commands.add_parser(
            name, help=module.HELP, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        each[name].add_argument("--debug", action="store_true", help="show the full traceback of an error")
        each[name].set_defaults(run=module.run, overrides=[])
        module.configure(each[name])
    return top, each


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0, 2 (something typed or supplied is wrong) or 1 (a fault while running)."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    _print_what_can_be()
    top, each = parser()
    command = each.get(typed[0]) if typed else None
    if command is None and typed and not typed[0].startswith("-"):
        return _fail(f"there is no command {typed[0]!r}; {nearest(typed[0], COMMANDS)}", 2)
    overrides: list[str] = []
    if command is not None and command.get_default("takes_overrides"):
        typed, overrides = separate(typed, set(command._option_string_actions))
    known, unknown = top.parse_known_args(typed)
    if unknown:
        flags = [flag for flag in each[known.command]._option_string_actions if flag.startswith("--")]
        return _fail(f"unrecognized arguments: {' '.join(unknown)}; {nearest(unknown[0].partition('=')[0], flags)}", 2)
    known.overrides = overrides
    logging.basicConfig(format="crosstask: %(levelname)s: %(message)s", level=logging.WARNING)
    for handler in logging.root.handlers:  # what is told at INFO is for the log file of a run
        handler.setLevel(logging.WARNING)
    try:
        return known.run(known) or 0
    except Elsewhere as error:
        return error.exit_code
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
        if cause := explained(error):
            return _fail(cause, 1)
        return _fail(f"{error.filename or 'a file'}: {error.strerror or error}", 1)
    except MemoryError as error:
        if known.debug:
            raise
        return _fail(f"not enough memory ({error or 'no more was to be had'}): {_SMALLER}", 1)
    except Exception as error:
        if known.debug:
            raise
        text = " ".join(str(error).split())[:300]
        if cause := explained(error):
            return _fail(cause, 1)
        if _memory(error):
            return _fail(f"not enough memory ({text[:160]}): {_SMALLER}", 1)
        if fault := own_fault(error):
            return _fail(fault, 1)
        return _fail(f"{type(error).__name__}: {text} (this is a fault of crosstask: see it whole with --debug)", 1)


def separate(typed: Sequence[str], known: set[str]) -> tuple[list[str], list[str]]:
    """What a command's own parser knows, and the flags it does not, each with its value.

    >>> separate(["train", "--training.lr", "1", "demo", "--quiet"], {"--quiet"})
    (['train', 'demo', '--quiet'], ['--training.lr', '1'])
    """
    own: list[str] = []
    others: list[str] = []
    rest = list(typed)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--") or word.partition("=")[0] in known or word == "--":
            own.append(word)
            continue
        others.append(word)
        if "=" not in word and rest and not rest[0].startswith("--"):
            others.append(rest.pop(0))
    return own, others


def _print_what_can_be() -> None:
    """A terminal that does not know a character gets an escape in its place, never an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _memory(error: Exception) -> bool:
    """Whether a library says that no more memory could be had."""
    said = f"{type(error).__name__} {error}".lower()
    return any(
        word in said for word in ("outofmemory", "out of memory", "allocate memory", "size calculation overflow")
    )


def _fail(message: str, code: int) -> int:
    line = re.sub(r"\S{300,}", lambda word: f"{word[0][:100]}...{word[0][-20:]}", " ".join(message.splitlines()))
    print(f"crosstask: error: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
