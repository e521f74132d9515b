"""The option that lets code run which a recipe names."""

from __future__ import annotations

import argparse


def add_trust(parser: argparse.ArgumentParser) -> None:
    """``--trust``."""
    parser.add_argument(
        "--trust",
        action="store_true",
        help="run the code that recipes name by class_path; without this they are refused",
    )
