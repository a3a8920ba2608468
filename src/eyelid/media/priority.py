"""The scheduling of threads, which an encoder must leave alone."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_THREADS: Final = Path("/proc/self/task")


@contextmanager
def kept_priority() -> Iterator[None]:
    """Undo what the body does to the scheduling of this thread, and let threads that it starts be alike.

    SVT-AV1, for root, makes itself and whoever opens it real-time threads of the highest priority. These take
    the cores from all else on the machine, for ever, and every thread and process they start inherits it.
    """
    if not _THREADS.is_dir():  # not Linux, where alone it does so
        yield
        return
    kept, older = _scheduling(0), set(_THREADS.iterdir())
    try:
        yield
    finally:
        for thread in (0, *(int(path.name) for path in set(_THREADS.iterdir()) - older)):
            with suppress(ProcessLookupError):  # it ended since
                if _scheduling(thread) != kept:  # a hardened service may not even set what is
                    os.sched_setscheduler(thread, *kept)


def _scheduling(thread: int) -> tuple[int, os.sched_param]:
    return os.sched_getscheduler(thread), os.sched_getparam(thread)
