"""Many files on several processes: no result is lost when a worker dies."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING

from eyelid.jobs import batch
from eyelid.jobs.settings import Settings
from eyelid.jobs.tasks import FileResult, Outcome, Task, tasks_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


class BreakingPool:
    """A pool whose first task dies in the same moment as its second is done."""

    def __init__(self, *_: object, **__: object) -> None:
        self._given = 0

    def submit(self, _: Callable[[Task], FileResult], task: Task) -> Future[FileResult]:
        future: Future[FileResult] = Future()
        self._given += 1
        if self._given == 1:
            future.set_exception(BrokenProcessPool())
        elif self._given == 2:
            future.set_result(FileResult(task, Outcome.DONE))
        return future

    def shutdown(self, *, cancel_futures: bool) -> None:
        pass


def test_what_is_done_when_another_worker_dies_is_not_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a.png", "b.png", "c.png", "d.png", "e.png"):
        (photos / name).touch()
    waiting = deque(tasks_for([photos], tmp_path / "out", force=False))
    first, second, third, fourth, fifth = waiting
    died = deque[Task]()
    monkeypatch.setattr(batch, "ProcessPoolExecutor", BreakingPool)
    results = list(batch._until_death(Settings(), waiting, 2, died))
    assert [result.task for result in results] == [second]
    assert list(died) == [first, third, fourth]
    assert list(waiting) == [fifth]
