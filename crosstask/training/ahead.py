"""Work for the next step, done during this one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The same items; a thread fetches the next one while the caller is busy with the last.

    Whatever fetching raises is raised where the item would have come. Closing the iterator waits for the fetch under
    way.
    """
    source = iter(items)
    end = object()
    with ThreadPoolExecutor(1, "ahead") as pool:
        upcoming = pool.submit(next, source, end)
        while (item := upcoming.result()) is not end:
            upcoming = pool.submit(next, source, end)
            yield item  # type: ignore[misc]
