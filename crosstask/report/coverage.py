"""Which training labels each setting leaves: per task, and how many per image."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from crosstask.data.table.table import read_table
from crosstask.report.subject import Source, Subject


@dataclass(frozen=True)
class Coverage:
    """The labels of one setting, as the first seed draws them.

    Attributes:
        labels: the label setting.
        name: what the page calls it: the setting, or the run among runs side by side.
        images: how many training images there are, held-out ones included.
        tasks: how many of them have a label of each task.
        together: how many of them have how many labels.
    """

    labels: str
    name: str
    images: int
    tasks: dict[str, int]
    together: dict[int, int]


def coverage_tables(subject: Subject) -> list[Coverage]:
    """The coverage of each label setting, from the tables that its runs wrote down."""
    if subject.several:
        return [replace(_coverage(source), name=source.method) for source in subject.sources]
    firsts = {source.labels: source for source in reversed(subject.sources)}
    return [_coverage(firsts[labels]) for labels in subject.labels]


def _coverage(source: Source) -> Coverage:
    having: Counter[str] = Counter()
    tasks = {}
    images = 0
    for path in source.runs:
        table = read_table(path / "labels.csv")
        images = len(table)
        for task in (task for task, run in source.paths.items() if run == path):
            ids = [row["id"] for row in table.rows if row.get(task)]
            tasks[task] = len(ids)
            having.update(ids)
    together = Counter(having.values())
    together[0] = images - len(having)
    return Coverage(
        source.labels,
        source.labels,
        images,
        tasks,
        {count: number for count, number in sorted(together.items()) if number},
    )
