"""How the classes of one task are related to those of another: named tables, their files, and counting them."""

from crosstask.relatedness.files import read_relatedness, write_relatedness
from crosstask.relatedness.infer import Inferred, RelateOptions, infer
from crosstask.relatedness.table import Relatedness
from crosstask.shipped_tables import shipped_tables

__all__ = [
    "Inferred",
    "RelateOptions",
    "Relatedness",
    "infer",
    "read_relatedness",
    "shipped_tables",
    "write_relatedness",
]
