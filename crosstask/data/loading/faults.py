"""What became of processes that load data, in one line with the remedy."""

from __future__ import annotations

import re

_CAUSES = (
    (r"out of shared memory|Bus error|No space left on device.*shm|unable to allocate shared memory|"
     r"unable to (write to|resize|mmap).*/torch_.*No space left",
     "the memory shared between processes (/dev/shm) is full: make it larger (docker run --shm-size 1g), lower "
     "training.batch_size, or set data.workers: 0"),
    (r"Too many open files|received 0 items of ancdata|unable to open shared memory",
     "too many open files for the processes that load data: raise the limit (ulimit -n 4096), or set data.workers: 0"),
    (r"DataLoader timed out after (\d+)",
     "no batch was loaded within {0} seconds: a process that loads data was stopped, or a file system does not answer; "
     "raise data.timeout if it is only slow"),
    (r"DataLoader worker.*killed by signal: (\w+)",
     "a process that loads data was killed ({0}), perhaps for want of memory: lower data.workers or data.size"),
    (r"DataLoader worker \(pid",
     "a process that loads data was killed, perhaps for want of memory: lower data.workers or data.size"),
)  # fmt: skip


def explained(error: BaseException) -> str | None:
    """The cause in a line, where ``error`` (or what it came from) is of a process that loads data."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, (RuntimeError, OSError)):
            for pattern, text in _CAUSES:
                if found := re.search(pattern, str(seen), re.DOTALL):
                    return text.format(*found.groups())
        seen = seen.__cause__ or seen.__context__
    return None
