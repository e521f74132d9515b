"""Print what a shell needs to complete commands and options.

crosstask completion bash > ~/.local/share/bash-completion/completions/crosstask
crosstask completion zsh > ~/.zfunc/_crosstask
"""

from __future__ import annotations

import argparse

HELP = "print a script that completes commands and options in your shell"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="your shell")


def run(arguments: argparse.Namespace) -> int:
    from crosstask.cli import parser
    from crosstask.errors import UserError

    try:
        import shtab
    except ImportError as error:
        raise UserError("shtab is not installed: pip install 'crosstask[completion]'") from error
    top, _ = parser()
    print(shtab.complete(top, arguments.shell))
    return 0
