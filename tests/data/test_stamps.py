from __future__ import annotations

import os
from pathlib import Path

from crosstask.data.stamps import stamp


def test_a_stamp_changes_with_size_and_time_and_there_is_none_of_what_is_not_there(tmp_path):
    path = tmp_path / "a.png"
    assert stamp(path) is None
    path.write_bytes(b"abc")
    os.utime(path, ns=(1, 5_000_000_000))
    assert stamp(path) == [3, 5_000_000_000]
    path.write_bytes(b"abcd")
    os.utime(path, ns=(1, 5_000_000_000))
    assert stamp(path) == [4, 5_000_000_000]
    assert stamp(Path("https://example.org/a.png")) is None
