"""Functions of a module, as workers find them."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path


def square(item: int) -> int:
    return item * item


def slow_first(item: int) -> tuple[int, int]:
    time.sleep(0.2 if item == 0 else 0)
    return item, os.getpid()


def refuse(item: int) -> int:
    if item == 2:
        raise Odd("item", 2)
    return item


def die(item: int) -> int:
    if item == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def patient(item: int) -> str:
    try:
        time.sleep(30)
    except KeyboardInterrupt:
        return "told"
    return "waited"


class Odd(ValueError):
    """An error that cannot be built from what it says."""

    def __init__(self, what: str, number: int) -> None:
        super().__init__(f"{what} {number} is odd")


@dataclass(frozen=True)
class Kept:
    """Notes each item it does in a file of its own; the first time an item is in ``killers`` its worker is killed."""

    folder: Path
    killers: frozenset[int] = frozenset()

    def __call__(self, item: int) -> int:
        with open(self.folder / f"{item}.txt", "a") as file:
            file.write(f"{os.getpid()}\n")
        if item in self.killers and len(self.times(item)) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return item * item

    def times(self, item: int) -> list[str]:
        path = self.folder / f"{item}.txt"
        return path.read_text().splitlines() if path.exists() else []
