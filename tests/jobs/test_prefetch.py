"""The prefetching thread: order, errors, early ends."""

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyelid.jobs.prefetch import prefetch


@given(st.lists(st.integers(), max_size=30), st.integers(1, 5))
def test_order_is_kept(values: list[int], depth: int) -> None:
    with prefetch(values, depth) as items:
        assert list(items) == values


def test_error_reaches_the_consumer_after_the_items_before_it() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    with prefetch(source(), 2) as items:
        assert next(items) == 1
        with pytest.raises(ZeroDivisionError):
            next(items)


def test_early_end_stops_the_thread_and_never_runs_far_ahead() -> None:
    made = []

    def source() -> Iterator[int]:
        for number in range(1000):
            made.append(number)
            yield number

    before = set(threading.enumerate())
    with prefetch(source(), 3) as items:
        assert next(items) == 0
    assert set(threading.enumerate()) <= before
    assert len(made) <= 6
