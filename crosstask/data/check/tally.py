"""What the rows of a table hold together, row by row: nothing of a row is kept but a few numbers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor

from crosstask.data.check.account import Account
from crosstask.data.check.conventions import Uses, effect
from crosstask.data.check.facts import Facts, Fault
from crosstask.data.table.sources import Readers
from crosstask.data.table.table import ORIGIN, Table
from crosstask.tasks import Task


class Tally:
    """Sums over rows.

    Attributes:
        table: the table.
        tasks: the tasks.
        readers: the tasks of rows whose column ``origin`` says so.
        accounts: by split and task, what the labels hold.
        origins: by table (where there are several) and task, medians of the labels.
        faults: by column and kind, the first fault and how many rows have one like it.
        sizes: how many images have a size (height, width).
        alike: rows by the hash of their image's pixels.
        frames: per task of normals, its agreement with those that the depth implies.
        turned: rows whose image EXIF turns while nothing says how the label lies, by column.
        banded: rows whose image has a fourth band.
        paged: rows whose image has several pages, by their number.
        reach: the least and the greatest value of all images, in [0, 1]; None where none was decoded.
        uses: which of the declared conventions have an effect.
        palettes: per task, the colours that palette pictures give each id, and how many of them do.
        steps: per task, how the rows of class maps go from pixel to pixel.
        done: rows seen.
    """

    def __init__(self, table: Table, tasks: Mapping[str, Task], readers: Readers = MappingProxyType({})) -> None:
        self.table, self.tasks, self.readers = table, dict(tasks), readers
        splits = dict.fromkeys(row.get("split", "") for row in table.rows)
        self.accounts = {split: {name: Account() for name in tasks} for split in splits}
        self.origins: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self.faults: dict[tuple[str, str], tuple[Fault, int]] = {}
        self.sizes: Counter[tuple[int, int]] = Counter()
        self.alike: dict[bytes, list[int]] = defaultdict(list)
        self.frames: dict[str, Tensor] = {}
        self.turned: Counter[str] = Counter()
        self.banded = 0
        self.paged: Counter[int] = Counter()
        self.reach: tuple[float, float] | None = None
        self.palettes: dict[str, dict[int, Counter[tuple[int, ...]]]] = defaultdict(lambda: defaultdict(Counter))
        self.steps: dict[str, Counter[str]] = defaultdict(Counter)
        self.uses = Uses()
        self.done = 0

    def reading(self, row: Mapping[str, str]) -> Mapping[str, Task]:
        """The tasks as they read the labels of a row."""
        return self.readers.get(row.get(ORIGIN, ""), self.tasks)

    def add(self, index: int, facts: Facts) -> None:
        """Count the facts of row ``index``."""
        row = self.table.rows[index]
        self.done += 1
        for fault in facts.faults:
            first, count = self.faults.get((fault.column, fault.kind), (fault, 0))
            self.faults[fault.column, fault.kind] = first, count + 1
        if facts.size:
            self.sizes[facts.size] += 1
        if facts.digest:
            self.alike[facts.digest].append(index)
        for name, label in facts.labels.items():
            self.accounts[row.get("split", "")][name].add(label)
            self.uses.add(row.get(ORIGIN, ""), name, label.effect)
            if row.get(ORIGIN) and label.values[1] == label.values[1]:
                self.origins[row[ORIGIN]][name].append(label.values[1])
        for name, cell in facts.blanks.items():
            self.uses.add(row.get(ORIGIN, ""), name, effect(self.reading(row)[name], cell))
            self.accounts[row.get("split", "")][name].blanks[cell] += 1
        for name, products in facts.frames.items():
            self.frames[name] = self.frames.get(name, torch.zeros(3, 4, dtype=torch.float64)) + products
        self.turned.update(facts.turned)
        self._add_image(facts)
        for name, colours in facts.palettes.items():
            for index, colour in colours.items():
                self.palettes[name][index][colour] += 1
        for name, steps in facts.steps.items():
            self.steps[name].update(steps)

    def _add_image(self, facts: Facts) -> None:
        self.banded += facts.unused.band
        if facts.unused.pages:
            self.paged[1 + facts.unused.pages] += 1
        if facts.reach:
            low, high = self.reach or facts.reach
            self.reach = (min(low, facts.reach[0]), max(high, facts.reach[1]))

    def account(self, task: str, splits: Iterable[str] | None = None) -> Account:
        """The account of a task over splits, over all for None."""
        whole = Account()
        for split in self.accounts if splits is None else splits:
            part = self.accounts.get(split, {}).get(task)
            if part is None:
                continue
            whole.rows += part.rows
            whole.entries += part.entries
            whole.unknown += part.unknown
            whole.blanks += part.blanks
            for name in ("present", "absent"):
                mine, other = getattr(whole, name), getattr(part, name)
                setattr(whole, name, other if mine is None else mine if other is None else mine + other)
            if part.low == part.low:
                whole.low = min(whole.low, part.low) if whole.low == whole.low else part.low
                whole.high = max(whole.high, part.high) if whole.high == whole.high else part.high
            whole.medians += part.medians
            whole.highs += part.highs
            whole.tops += part.tops
            whole.levels = None if whole.levels is None or part.levels is None else whole.levels | part.levels
            whole.numbers += part.numbers
            whole.bits |= part.bits
            whole.readings += part.readings
            whole.flat += part.flat
            whole.away += part.away
            alike = part.voted == whole.voted
            whole.same, whole.voted = (
                (whole.same + part.same, part.voted)
                if alike or not whole.same
                else (abs(whole.same - part.same), whole.voted if whole.same > part.same else part.voted)
            )
        return whole

    def groups(self) -> Sequence[list[int]]:
        """The rows whose images have the same pixels."""
        return [indices for indices in self.alike.values() if len(indices) > 1]
