"""One line of a report."""

from __future__ import annotations

from dataclasses import dataclass

SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True)
class Finding:
    """One line of a report.

    Attributes:
        severity: "error" (training will fail, or numbers will be wrong), "warning" (probably not what was meant) or
            "info".
        where: the column or split it is about; "" for the whole table.
        message: what, where, the value found and the remedy.
    """

    severity: str
    where: str
    message: str
