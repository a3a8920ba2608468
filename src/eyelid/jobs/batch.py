"""Many files: one after another, or on several processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

from eyelid.errors import BudgetError, EyelidError, InputError, OutputError, UnsupportedError
from eyelid.jobs.progress import silent
from eyelid.jobs.tasks import FileResult, Outcome, Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from eyelid.jobs.anonymizer import Anonymizer
    from eyelid.jobs.progress import Progress, ProgressListener
    from eyelid.jobs.settings import Settings

_worker: Anonymizer | EyelidError | None = None
_working = Event()
_stopping = Event()


def attempt(anonymizer: Anonymizer, task: Task, listener: ProgressListener = silent) -> FileResult:
    """Anonymise one file of many: what goes wrong with it is a result, not the end of the run.

    Raises ModelError, UsageError, LockError and EvidenceError, which no other file would fare better with.
    """
    try:
        return anonymizer.run(task, listener)
    except UnsupportedError as error:
        return FileResult(task, Outcome.UNSUPPORTED, message=str(error))
    except (BudgetError, InputError, OutputError) as error:
        return FileResult(task, Outcome.FAILED, message=str(error))
    except EyelidError:
        raise  # a detector, a key or a setting that fails for every file alike
    except Exception as error:  # one bad file does not stop the others; its message could quote the picture
        if os.environ.get("EYELID_DEBUG"):
            raise
        reason = f"{task.source}: an unexpected {type(error).__name__} ended the work on it; please report it"
        return FileResult(task, Outcome.FAILED, message=reason)


def in_turn(
    anonymizer: Anonymizer, tasks: Sequence[Task], listener: ProgressListener = silent
) -> Iterator[FileResult]:
    """Yield the result of each task, one after another."""
    for task in tasks:
        yield attempt(anonymizer, task, listener)


def on_processes(settings: Settings, tasks: Sequence[Task], workers: int) -> Iterator[FileResult]:
    """Yield results as ``workers`` processes finish them, with one inference thread each.

    Where a worker dies (killed, out of memory), each file that was being worked on, or next, is tried once
    more alone, and fails when its worker dies again. Closing the iterator ends the workers, which remove what
    they had half done. Raises what an Anonymizer of these settings would raise, before any output begins;
    only the workers make one, so that this process need not load what they load.
    """
    settings = settings.model_copy(update={"threads": 1})
    waiting, suspects = deque(tasks), deque[Task]()
    while waiting:
        yield from _until_death(settings, waiting, workers, suspects)
    for suspect in suspects:
        died = deque[Task]()
        yield from _until_death(settings, deque([suspect]), 1, died)
        yield from map(died_twice, died)


def died_twice(task: Task) -> FileResult:
    """Return the result of a task whose process died at both tries."""
    reason = f"{task.source}: the process that worked on it died twice; is there enough memory?"
    return FileResult(task, Outcome.FAILED, message=reason)


def _until_death(
    settings: Settings, waiting: deque[Task], workers: int, died: deque[Task]
) -> Iterator[FileResult]:
    """Work on the waiting tasks until none is left, or a worker dies and those in work go to ``died``."""
    others = set(multiprocessing.active_children())
    running: dict[Future[FileResult], Task] = {}
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(settings,)
    )
    try:
        while waiting or running:
            while waiting and len(running) < 2 * workers:  # none waits for this process to give it the next
                with _without_interrupts():
                    running[pool.submit(_run_in_worker, waiting[0])] = waiting[0]
                waiting.popleft()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                result = future.result()
                del running[future]
                yield result
    except BrokenProcessPool:
        for future, task in running.items():
            if future.done() and not future.exception():
                yield future.result()  # done in the moment when another worker died
            else:
                died.append(task)
    except BaseException:
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Start processes that ignore Ctrl-C from their first moment: this process ends them in good order."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(settings: Settings) -> None:
    global _worker
    from eyelid.jobs.anonymizer import Anonymizer

    try:
        _worker = Anonymizer(settings)
    except EyelidError as error:
        _worker = error  # raised by the first task: what is raised here would reach the user as a traceback
    signal.signal(signal.SIGTERM, _stop_soon)


def _stop_soon(_number: int, _frame: FrameType | None) -> None:
    _stopping.set()
    if not _working.is_set():
        os._exit(1)  # since Python 3.12 a pool waits for its workers without telling them to end


def _stop_if_asked(_: Progress) -> None:
    """Leave a file half done between two of its frames: an exception from a signal could get lost."""
    if _stopping.is_set():
        raise SystemExit(1)


def _run_in_worker(task: Task) -> FileResult:
    assert _worker is not None
    if isinstance(_worker, EyelidError):
        raise _worker
    _working.set()
    try:
        return attempt(_worker, task, _stop_if_asked)
    finally:
        _working.clear()
        if _stopping.is_set():
            os._exit(1)  # an exception would be sent to the pool, and the worker stay
