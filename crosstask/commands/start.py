"""Write a first recipe for a table: what was found in it, with the reason of each choice.

crosstask start data.csv > mine.yaml
crosstask train mine.yaml --out runs/mine
"""

from __future__ import annotations

import argparse

from crosstask.commands.numbers import workers
from crosstask.commands.paths import require_out, require_table
from crosstask.errors import UserError

HELP = "write a first recipe for a table"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", help="table of files")
    parser.add_argument("--out", metavar="FILE", help="file to write (default: the standard output)")
    parser.add_argument("--workers", type=workers, default=2, help="processes that open files (default: 2)")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(arguments: argparse.Namespace) -> int:
    require_table(arguments.table)
    out = None if arguments.out is None else require_out(arguments.out)
    if out is not None and out.exists():
        raise UserError(f"{out}: is there already: give another file")
    from crosstask.commands.console_progress import progress
    from crosstask.data.table.table import read_table
    from crosstask.start.survey import survey
    from crosstask.start.write import write
    from crosstask.writing import write as write_file

    with progress("looking at the table", arguments.quiet) as report:
        found = survey(read_table(arguments.table), workers=arguments.workers, progress=report)
    if out is None:
        print(write(found, arguments.table), end="")
    else:
        write_file(out, write(found, arguments.table, arguments.out))
    return 0
