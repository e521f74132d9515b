from __future__ import annotations

import threading

import pytest

from crosstask.training.ahead import ahead


def test_the_items_come_unchanged_and_in_order():
    assert list(ahead(range(7))) == list(range(7))
    assert list(ahead([])) == []
    assert list(ahead([None, None])) == [None, None]


def test_the_next_item_is_fetched_while_the_last_is_in_use():
    fetched = [threading.Event() for _ in range(3)]

    def items():
        for number, event in enumerate(fetched):
            event.set()
            yield number

    for number in ahead(items()):
        assert number == 2 or fetched[number + 1].wait(timeout=10)


def test_a_fault_is_raised_where_its_item_would_have_come():
    def items():
        yield 0
        raise OSError("the disk is gone")

    arriving = ahead(items())
    assert next(arriving) == 0
    with pytest.raises(OSError, match="the disk is gone"):
        next(arriving)


def test_closing_it_leaves_no_thread():
    before = threading.active_count()
    iterator = ahead(iter(int, 1))
    next(iterator)
    assert threading.active_count() == before + 1
    iterator.close()
    assert threading.active_count() == before
