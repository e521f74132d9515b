"""One process at a time."""

from __future__ import annotations

import pytest

from crosstask.claims import claimed, in_turn, is_claimed


def test_one_alone_has_a_claim_and_it_ends_with_the_context(tmp_path):
    file = tmp_path / ".lock"
    with claimed(file) as mine:
        assert mine
        assert is_claimed(file)
        with claimed(file) as other:
            assert not other
    assert not file.exists()
    assert not is_claimed(file)


def test_in_turn_waits_for_a_while(tmp_path):
    file = tmp_path / "new" / ".lock"
    with in_turn(file):
        pass
    with (
        claimed(file),
        pytest.raises(TimeoutError, match="is held by another process"),
        in_turn(file, 0.1),
    ):
        pass
    with in_turn(file), claimed(file) as mine:
        assert not mine
