"""Runs cases in a process of their own, and says what became of each; a process that hangs or dies is replaced."""

from __future__ import annotations

import contextlib
import io
import json
import math
import multiprocessing
import os
import re
import resource
import shutil
import signal
import stat
import tempfile
import time
import traceback
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.bad_input.case import Case
from benchmarks.bad_input.runs import copy

LIMIT = 60.0
"""Seconds of computing, or of none at all, after which a case hangs; a busy machine is no hang."""
MEMORY = 12 * 2**30

REMEDY = re.compile(
    r"did you mean|valid:|expected|missing|needs?|must|at (least|most)|invalid choice|required|without|is no |is not "
    r"|there is no|no such|cannot be|\b(give|set|name|add|lower|raise|choose|use|write|correct|remove|leave|check"
    r"|restore|label|fill|look|keep|move|rename|train|continue|replace|install|free|say|put|take|make|run|go on|try"
    r"|start|store|see|shorten|split|convert|save|mend|blank the|get)\b|between|invalid \w+ value"
)
"""What tells a person how it would be right."""
SHOWN = re.compile(
    "found|blank|null|missing|is no |there is no|no such|cannot|is (a|given|needed|empty|used)|unrecognized|says"
)
"""What stands before or in place of the value."""

FAULTS = ("fault of crosstask", "traceback", "hang", "died", "silent wrong", "unclear", "leftover", "written")


@dataclass(frozen=True)
class Outcome:
    """What became of a case: ``refused`` and ``accepted`` are as they should be, all others are in ``FAULTS``."""

    case: int
    became: str
    line: str
    seconds: float


def run(base: Path, make: Callable[[Path], list[Case]], chosen: Sequence[int]) -> Iterator[Outcome]:
    """The outcome of each chosen case, in order."""
    worker = _Worker(base, make)
    try:
        for index in chosen:
            yield worker.do(index)
    finally:
        worker.stop()


class _Worker:
    """A process that does one case after the other."""

    def __init__(self, base: Path, make: Callable[[Path], list[Case]]) -> None:
        self.base, self.make = base, make
        self.started = False

    def do(self, index: int) -> Outcome:
        if not self.started:
            self._start()
        begun = time.monotonic()
        self.ours.send(index)
        try:
            if self._ends():
                return self.ours.recv()
            became, line = "hang", f"no end after {time.monotonic() - begun:.0f} s"
        except EOFError:
            became, line = "died", "the process died"
        self.stop()
        return Outcome(index, became, line, time.monotonic() - begun)

    def _ends(self) -> bool:
        """Whether the case ends before it hangs."""
        first = last = _computed(self.process.pid)
        moved = time.monotonic()
        while not self.ours.poll(1.0):
            now = _computed(self.process.pid)
            if now > last:
                last, moved = now, time.monotonic()
            if last - first > LIMIT or time.monotonic() - moved > LIMIT:
                return False
        return True

    def stop(self) -> None:
        if self.started:
            self.process.kill()
            self.process.join()
            self.started = False

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.ours, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, self.base, self.make))
        self.process.start()
        theirs.close()
        self.started = True


def _computed(process: int | None) -> float:
    """Seconds of computing of a process."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _work(pipe: Connection, base: Path, make: Callable[[Path], list[Case]]) -> None:
    import torch

    torch.set_num_threads(1)
    os.environ["COLUMNS"] = "200"
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    cases = make(base)
    while True:
        index = pipe.recv()
        pipe.send(do(index, cases[index], base))


def do(index: int, case: Case, base: Path) -> Outcome:
    """One case in this process."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bad-input-", ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        work = place / "work"
        work.mkdir()
        copy(base, work, case.needs)
        case.damage(work)
        before = _state_of(work)
        home = os.getcwd()
        os.chdir(work / "data" if (work / "data").is_dir() else work)
        try:
            code, said, raised = _typed([word.replace("{work}", str(work)) for word in case.arguments])
        finally:
            os.chdir(home)
        became, line = judge(case, code, said, raised, place)
        if became == "refused" and (odd := _written(code, before, _state_of(work))):
            became, line = "written", f"{odd}: {line}"
        shutil.rmtree(work, ignore_errors=True)
    return Outcome(index, became, line, time.monotonic() - begun)


def _typed(words: list[str]) -> tuple[int | None, str, str]:
    from crosstask.cli import main

    out, error = io.StringIO(), io.StringIO()
    raised = ""
    code: int | None = None
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            code = main(words)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        raised = traceback.format_exc()
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return code, out.getvalue() + "\n" + error.getvalue(), raised


def judge(case: Case, code: int | None, said: str, raised: str, place: Path) -> tuple[str, str]:
    """What a case became, and the line that says so."""
    if raised:
        return "traceback", raised.strip().splitlines()[-1] + " | " + _where(raised)
    lines = [line for line in said.splitlines() if ": error: " in line]
    line = lines[0] if lines else said.strip()[-300:]
    if "fault of crosstask" in said:
        return "fault of crosstask", line
    if "Traceback (most recent call last)" in said:
        return "traceback", said.strip().splitlines()[-1]
    odd = [path for path in place.iterdir() if path.name != "work"]
    if odd:
        return "leftover", f"written outside: {odd[0].name}"
    if code == 0:
        if case.must_fail:
            return "silent wrong", "exit code 0"
        wrong = _not_finite(place / "work" / "new" / "metrics.jsonl")
        return ("silent wrong", wrong) if wrong else ("accepted", "")
    if case.arguments[0] == "check" and code == 2 and not lines:
        return "refused", "reported by check"
    if not lines:
        return "unclear", f"exit code {code} without an error line: {line}"
    if len(line) > 1200:
        return "unclear", f"a line of {len(line)} characters: {line[:200]}"
    if code not in (1, 2):
        return "unclear", f"exit code {code}: {line}"
    if len(lines) > 1 and not (case.arguments[0] == "predict" and len(set(lines)) == len(lines)):  # a line per image
        return "unclear", f"{len(lines)} error lines: {line}"
    if case.mentions and not any(_names(line, word) for word in case.mentions):
        return "unclear", f"names none of {case.mentions}: {line}"
    parts = [case.value, *re.findall(r"[\w.]+|''", case.value)]
    if case.value and not (SHOWN.search(line) or any(part[:20] in line.replace("e+", "e") for part in parts)):
        return "unclear", f"does not show {case.value}: {line}"
    if not REMEDY.search(line):
        return "unclear", f"says no remedy: {line}"
    return "refused", line


def _names(line: str, word: str) -> bool:
    """Whether a line names a file or flag, or a key: whole, or its section and its last part."""
    section, _, last = word.rpartition(".")
    return word in line or bool(section and last and section in line and re.search(rf"\b{re.escape(last)}\b", line))


BEGUN = {"recipe.yaml", "labels.csv", "fingerprint.json", "environment.json", "state.json", "log.txt", "metrics.jsonl"}
"""What a run that was begun and ended before its first checkpoint leaves in its own folder, to say why."""


def _state_of(work: Path) -> dict[str, int]:
    """The content of every file as a number, by path; that of what is no file as -1."""
    found = {}
    for path in work.rglob("*"):
        mode = path.lstat().st_mode
        if not stat.S_ISDIR(mode):
            found[str(path.relative_to(work))] = zlib.crc32(path.read_bytes()) if stat.S_ISREG(mode) else -1
    return found


def _written(code: int | None, before: dict[str, int], after: dict[str, int]) -> str:
    """What a refused command did to files: nothing may be gone, and with exit code 2 nothing new or changed.

    A run that ends with 1 was begun: it may have written to its folder. Locks are no content.
    """
    gone = sorted(name for name in before if name not in after)
    if gone:
        return f"lost {gone[:3]}"
    new = sorted(name for name in after if before.get(name) != after[name] and Path(name).suffix != ".lock")
    new = [name for name in new if not (name.startswith(("new/", "run/")) and Path(name).name in BEGUN)]
    return f"wrote {new[:3]}" if new and code == 2 else ""


def _not_finite(metrics: Path) -> str:
    if not metrics.exists():
        return ""
    for text in metrics.read_text().splitlines():
        record = json.loads(text)
        for name, value in record.get("terms", {}).items():
            if record["counts"].get(name) and (value is None or not math.isfinite(value)):
                return f"{name} is {value} in metrics.jsonl"
    return ""


def _where(raised: str) -> str:
    frames = [line.strip() for line in raised.splitlines() if "crosstask/" in line]
    return frames[-1] if frames else ""
