"""Samples that can be read, where others are passed over."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from crosstask.data.loading.dataset import Dataset
from crosstask.data.sample import Sample
from crosstask.errors import DataError

log = logging.getLogger(__name__)

OnError = Literal["fatal", "skip"]
"""What a file that cannot be read does: it ends the work, or its row is told of and left out."""


def tell(fault: str) -> None:
    """Log why a row is left out."""
    log.warning("passed over: %s", fault)


def readable(
    dataset: Dataset, indices: Iterable[int], on_error: OnError, told: Callable[[str], object] = tell
) -> Iterator[tuple[int, Sample]]:
    """Indices and samples; where broken files are skipped, ``told`` is called with what is wrong with each.

    Raises:
        DataError: while iterating: a file is broken and ``on_error`` is fatal.
    """
    for index in indices:
        try:
            sample = dataset[index]
        except DataError as error:
            if on_error == "fatal":
                raise
            told(str(error))
        else:
            yield index, sample
