"""Commands killed at random moments and started again: everything is as if nothing had happened.

Every scenario is run once to its end. Then it is begun in a fresh folder, killed at a moment drawn from the time that
took, and started again as a person would, until it ends. All files are compared byte by byte, but for what tells times,
and names of files left over are counted. Where files differ the scenario is run to its end once more: what differs
without a kill is no promise, and the scenario is counted as broken.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

import torch

from benchmarks.campaign import scenarios as made
from benchmarks.campaign.scenarios import Scenario
from benchmarks.campaign.seen import different, files, leftovers
from crosstask.cli import main

COUNTED = ("trials", "killed", "failed", "different", "left")


@dataclass(frozen=True)
class Trial:
    """What became of a command that was killed.

    Attributes:
        number: of the trial.
        name: the scenario.
        killed: whether it was at work yet when it was to be killed.
        fault: how the command that was started again failed.
        different: files that are not those of a run that was not killed.
        left: files that only a killed process leaves.
    """

    number: int
    name: str
    killed: bool
    fault: str
    different: list[str]
    left: list[str]

    def counts(self) -> Counter[str]:
        """One trial, by what became of it."""
        kinds = {"killed": self.killed, "failed": self.fault, "different": self.different, "left": self.left}
        return Counter({"trials": 1} | {name: int(bool(value)) for name, value in kinds.items()})


def call(
    typed: list[str], folder: Path, kill_after: float | None = None, prepare: Callable[[], None] | None = None
) -> int:
    """Type a command in a folder, in a process of its own that has everything imported; its exit code.

    Args:
        typed: the command.
        folder: what is current for it; ``said.txt`` there holds what it said.
        kill_after: seconds after which it is killed.
        prepare: called in the process first.
    """
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setpgid(0, 0)
            os.chdir(folder)
            with open(folder / "said.txt", "a") as said:
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
            if prepare is not None:
                prepare()
            code = main(typed)
        finally:
            sys.stdout.flush()
            os._exit(code)
    if kill_after is not None:
        ends = time.monotonic() + kill_after
        while time.monotonic() < ends:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.002)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Campaign:
    """Trials in a folder; what they are compared with is made when it is needed first."""

    def __init__(self, top: Path, only: str = "") -> None:
        self.base, self.folder = top / "base", top / "trial"
        self.base.mkdir()
        made.prepare(self.base, _must)
        self.scenarios = {name: each for name, each in made.scenarios(self.base).items() if only in name}
        self.whole: dict[str, tuple[dict[str, object], float]] = {}
        self.broken: dict[str, str] = {}

    def trial(self, number: int, name: str, moment: float) -> Trial | None:
        """Kill a scenario after a part of the time it takes; None where it cannot be compared."""
        if name not in self.whole and name not in self.broken:
            self._reference(name)
        if name in self.broken:
            return None
        expected, seconds = self.whole[name]
        killed, fault = self._run(name, moment * seconds)
        odd, left = different(expected, files(self.folder)), leftovers(self.folder)
        if odd:
            self._reference(name)
        return None if name in self.broken else Trial(number, name, killed, fault, odd, left)

    def _reference(self, name: str) -> None:
        """Run a scenario to its end; one that ends in another way than before is broken."""
        began = time.monotonic()
        _, fault = self._run(name)
        found, seconds = files(self.folder), time.monotonic() - began
        if name in self.whole and (odd := different(self.whole[name][0], found)):
            fault = f"differs without being killed: {odd[:4]}"
        self.whole[name] = found, seconds
        if fault:
            self.broken[name] = fault
            print(f"kills  {name}: cannot be compared: {fault}", flush=True)

    def _run(self, name: str, kill_after: float | None = None) -> tuple[bool, str]:
        """Run a scenario in a new folder, killed once; whether it was, and what went wrong."""
        scenario: Scenario = self.scenarios[name]
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        if "RUN" in scenario.typed:
            shutil.copytree(self.base / "run", self.folder / "RUN")
        code = self._call(scenario.typed, kill_after)
        killed = code == -signal.SIGKILL
        following = scenario.next(self.folder) if killed else None
        if killed:
            code = 0 if following is None else self._call(following)
        said = (self.folder / "said.txt").read_text().strip().splitlines()
        return killed, "" if code == 0 else f"exit code {code}: {said[-1] if said else ''}"

    def _call(self, typed: list[str], kill_after: float | None = None) -> int:
        return call([word.replace("BASE", str(self.base)) for word in typed], self.folder, kill_after)


def _must(typed: list[str], folder: Path) -> None:
    if call(typed, folder):
        raise SystemExit(f"kills: cannot be prepared: {(folder / 'said.txt').read_text().splitlines()[-1]}")


def _trials(campaign: Campaign, kills: int, seed: int, log: Path | None) -> Iterator[Trial]:
    """Trials one after the other, those in the log first, until so many were killed."""
    lines = log.read_text().splitlines() if log is not None and log.exists() else []
    done = [each for each in (Trial(**json.loads(line)) for line in lines) if each.name in campaign.scenarios]
    yield from done
    left, names = kills - sum(each.killed for each in done), list(campaign.scenarios)
    for number in count(max((each.number + 1 for each in done), default=0)):
        if left <= 0 or len(campaign.broken) == len(names):
            return
        tried = campaign.trial(number, names[number % len(names)], random.Random(f"{seed} {number}").random())
        if tried is not None:
            left -= tried.killed
            if log is not None:
                with open(log, "a") as file:
                    file.write(json.dumps(asdict(tried)) + "\n")
            yield tried


def run(kills: int, seed: int, only: str = "", log: Path | None = None) -> int:
    """Print counts by scenario; returns how many trials were not as if nothing had happened.

    Args:
        kills: how many commands are killed.
        seed: what the moments depend on.
        only: scenarios whose name contains this.
        log: write trials here, and leave out those that are there.
    """
    torch.set_num_threads(1)
    counts: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as top:
        campaign = Campaign(Path(top), only)
        for each in _trials(campaign, kills, seed, log):
            counts.setdefault(each.name, Counter()).update(each.counts())
            total = sum(counts.values(), Counter())
            if each.fault or each.different or each.left:
                print(f"kills  {each.name}: {each.fault} {each.different[:4]} {each.left[:4]}", flush=True)
            if total["trials"] % 10 == 0:
                print("kills  so far:", _words(total), flush=True)
    total = sum(counts.values(), Counter())
    for name, found in counts.items():
        print(f"kills  {name:32} {_words(found)}")
    print(f"kills: {len(counts)} scenarios {_words(total)}, {len(campaign.broken)} cannot be compared", flush=True)
    return total["failed"] + total["different"] + total["left"] + len(campaign.broken)


def _words(count: Counter[str]) -> str:
    return "  ".join(f"{count[key]:4} {key}" for key in COUNTED)
