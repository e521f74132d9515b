"""The log file of a run: what it told, when, and how it ended."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import TracebackType

from crosstask import __version__
from crosstask.reading import require_regular

NAME = "log.txt"


class LogFile:
    """A context in which all that crosstask tells, and the traceback of a fault, is appended to a file.

    Args:
        folder: the run directory.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logger = logging.getLogger("crosstask")

    def __enter__(self) -> LogFile:
        if (self.folder / NAME).exists():
            require_regular(self.folder / NAME)
        self.level = self.logger.level
        self.handler = logging.FileHandler(self.folder / NAME, encoding="utf-8", delay=True)
        self.handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self.logger.addHandler(self.handler)
        self.logger.setLevel(logging.INFO)
        self.logger.info("crosstask %s: %s", __version__, " ".join(sys.argv))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and error is not None:  # to the file alone: on the screen it is one line
            values = {"levelno": logging.ERROR, "levelname": "ERROR", "msg": "the run failed"}
            self.handler.handle(logging.makeLogRecord({**values, "exc_info": (kind, error, trace)}))
        self.logger.removeHandler(self.handler)
        self.logger.setLevel(self.level)
        self.handler.close()
