"""The tables of a comparison as files: CSV and JSON for programs, Markdown for people."""

from __future__ import annotations

import csv
import io
import json
import math
import shlex
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from crosstask import __version__
from crosstask.compare.comparison import Comparison
from crosstask.compare.markdown import markdown
from crosstask.compare.protocols import DELTA, DIFFERENCE, HOLM, MEMORY, SECONDS, SPREAD, T_INTERVAL
from crosstask.compare.rows import CostRow, Gain, Point, Score
from crosstask.compare.statements import statements
from crosstask.entries import FULL, SUPERVISED
from crosstask.training.run import plain
from crosstask.writing import write

Record = dict[str, Any]


def write_tables(comparison: Comparison, folder: Path) -> list[Path]:
    """Write ``comparison.md``, ``comparison.json`` and a CSV file per table; returns their paths."""
    files = {
        "comparison.md": markdown(comparison),
        "comparison.json": _json(comparison),
        **{f"{name}.csv": _csv(records) for name, records in records_of(comparison).items()},
    }
    for name, text in files.items():
        write(folder / name, text.encode())
    return [folder / name for name in files]


def records_of(comparison: Comparison) -> dict[str, list[Record]]:
    """The rows of each table, every one with its protocol and the command that reproduces it."""

    def rows(of: Iterable[Any], record: Callable[[Any], Record]) -> list[Record]:
        return [record(row) | {"command": command(comparison, row)} for row in of]

    settings = ", ".join(f"{key} {value}" for key, value in comparison.settings.items())
    return {
        "scores": rows(comparison.scores, lambda row: _score(row, settings)),
        "gains": rows(comparison.gains, _gain),
        "costs": rows(comparison.costs, _cost),
        "label_efficiency": rows(comparison.points, lambda row: _point(row, settings)),
    }


def command(comparison: Comparison, row: Score | Gain | CostRow | Point) -> str:
    """The command that computes a row anew."""
    full = next((cell.labels for cell in comparison.grid.cells if cell.labels in FULL), row.labels)
    methods, seeds = [row.method], row.difference.seeds if isinstance(row, Gain) else row.seeds
    if isinstance(row, Gain):
        methods.append(row.difference.baseline)
    asked = {
        "--objectives": ",".join(comparison.grid.methods[method].entry for method in methods),
        "--labels": ",".join(dict.fromkeys((row.labels, full))),
        "--seeds": ",".join(map(str, seeds)),
        "--out": "again",
    }
    return f"{comparison.grid.command} " + shlex.join(word for pair in asked.items() for word in pair)


def _score(row: Score, settings: str) -> Record:
    difference, fraction = row.difference, row.recovered
    return {
        "labels": row.labels,
        "method": row.method,
        "task": row.task,
        "metric": row.metric,
        "more_is": {1: "better", -1: "worse", 0: "neither"}[row.better],
        "primary": row.primary,
        "seeds": " ".join(map(str, row.seeds)),
        "mean": row.mean,
        "sd": row.deviation,
        "baseline": difference.baseline if difference else "",
        "difference": difference.mean if difference else math.nan,
        "t_low": difference.interval.low if difference else math.nan,
        "t_high": difference.interval.high if difference else math.nan,
        "bootstrap_low": difference.bootstrap.low if difference else math.nan,
        "bootstrap_high": difference.bootstrap.high if difference else math.nan,
        "verdict": difference.verdict if difference else "",
        "p": difference.p if difference else math.nan,
        "p_holm": row.corrected,
        "recovered": fraction.fraction if fraction else math.nan,
        "recovered_low": fraction.interval.low if fraction else math.nan,
        "recovered_high": fraction.interval.high if fraction else math.nan,
        "protocol": f"{row.protocol}; {settings}; {SPREAD}; {DIFFERENCE}; {T_INTERVAL}; {HOLM}",
    }


def _gain(row: Gain) -> Record:
    return {
        "labels": row.labels,
        "method": row.method,
        "baseline": row.difference.baseline,
        "seeds": " ".join(map(str, row.difference.seeds)),
        "delta": row.difference.mean,
        "sd": row.deviation,
        "t_low": row.difference.interval.low,
        "t_high": row.difference.interval.high,
        "bootstrap_low": row.difference.bootstrap.low,
        "bootstrap_high": row.difference.bootstrap.high,
        "verdict": row.difference.verdict,
        "protocol": f"{DELTA}; {T_INTERVAL}",
    }


def _cost(row: CostRow) -> Record:
    return {
        "labels": row.labels,
        "method": row.method,
        "seeds": " ".join(map(str, row.seeds)),
        "seconds_per_step": row.seconds,
        f"relative_to_{SUPERVISED}": row.relative_seconds,
        "peak_memory": row.memory,
        f"memory_relative_to_{SUPERVISED}": row.relative_memory,
        "protocol": f"{SECONDS}; {MEMORY}",
    }


def _point(row: Point, settings: str) -> Record:
    return {
        "labels": row.labels,
        "method": row.method,
        "task": row.task,
        "training_labels": row.count,
        "metric": row.metric,
        "mean": row.mean,
        "sd": row.deviation,
        "seeds": " ".join(map(str, row.seeds)),
        "protocol": settings,
    }


def _csv(records: list[Record]) -> str:
    if not records:
        return ""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(records[0]), lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow({key: "" if _unknown(value) else value for key, value in record.items()})
    return text.getvalue()


def contents(comparison: Comparison) -> dict[str, Any]:
    """All of it as plain values."""
    return {
        "crosstask": __version__,
        "command": comparison.grid.command,
        "methods": [asdict(method) for method in comparison.grid.methods.values()],
        "settings": comparison.settings,
        "missing": comparison.missing,
        "statements": statements(comparison),
        **records_of(comparison),
    }


def _json(comparison: Comparison) -> str:
    return json.dumps(plain(contents(comparison)), indent=1, ensure_ascii=False) + "\n"


def _unknown(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
