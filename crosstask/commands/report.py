"""Write one HTML file about a run or a comparison: numbers, curves, labels, pictures side by side, failures, settings.

crosstask report runs/one
crosstask report runs/compare_demo --out page.html

The file needs no other file and no network: open it, or send it to somebody.
"""

from __future__ import annotations

import argparse

HELP = "write one HTML file about a run or a comparison"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="RUN_OR_COMPARISON", help="run directory, or the folder of a comparison")
    parser.add_argument("--out", metavar="FILE", help="the page (default: report.html in the folder)")


def run(arguments: argparse.Namespace) -> int:
    from crosstask.report.page import write_report

    print(f"wrote {write_report(arguments.path, arguments.out)}: open it in a browser")
    return 0
