"""Run an iterator in a thread of its own, a bounded number of items ahead."""

from __future__ import annotations

import queue
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

T = TypeVar("T")

_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class _Item(Generic[T]):
    value: T


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None = None


@contextmanager
def prefetch(source: Iterable[T], depth: int) -> Generator[Iterator[T], None, None]:
    """Yield an iterator over ``source`` whose items are made in another thread, at most ``depth`` ahead.

    An exception in the thread is raised at the consumer. On leaving the context the thread has ended,
    whether or not the source was read to its end.
    """
    items: queue.Queue[_Item[T] | _End] = queue.Queue(depth)
    stop = threading.Event()

    def put(item: _Item[T] | _End) -> bool:
        while not stop.is_set():
            try:
                items.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for value in source:
                if not put(_Item(value)):
                    return
        except BaseException as error:  # carried to the consumer, which raises it
            put(_End(error))
        else:
            put(_End())

    def read() -> Iterator[T]:
        while True:
            item = items.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item.value

    thread = threading.Thread(target=work, name=f"prefetch-{depth}", daemon=True)
    thread.start()
    try:
        yield read()
    finally:
        stop.set()
        thread.join()
