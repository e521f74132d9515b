"""Records of a run as TensorBoard files, beside metrics.jsonl."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from crosstask.errors import UserError


class TensorBoard:
    """Writes every number of a record as a scalar.

    Args:
        folder: the run directory.

    Raises:
        UserError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UserError(
                "training.tensorboard: TensorBoard is not installed: pip install 'crosstask[track]', or set it to false"
            ) from error
        self.folder, self._writer = folder / "tensorboard", SummaryWriter
        self.writer: Any = None

    def begin(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Write files anew that hold ``records`` and no others: no step is in them twice after a resume."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.writer = self._writer(str(self.folder))
        for record in records:
            self.write(record)

    def write(self, record: Mapping[str, Any]) -> None:
        """Add a record of metrics.jsonl."""
        assert self.writer is not None
        for name, value in _numbers(record, ""):
            if name not in ("iteration", "kind"):
                self.writer.add_scalar(f"{record['kind']}/{name}", value, record["iteration"])

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


def _numbers(value: Any, name: str) -> list[tuple[str, float]]:
    if isinstance(value, Mapping):
        return [pair for key, entry in value.items() for pair in _numbers(entry, f"{name}/{key}".lstrip("/"))]
    return [(name, float(value))] if isinstance(value, (int, float)) else []
