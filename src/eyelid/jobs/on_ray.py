"""Many files on a Ray cluster, through Ray Data: for folders that every machine of the cluster can reach."""

from __future__ import annotations

import logging
import os
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from eyelid.errors import EyelidError, UsageError
from eyelid.evidence.file import read
from eyelid.jobs.anonymizer import Anonymizer
from eyelid.jobs.batch import attempt, died_twice
from eyelid.jobs.tasks import FileResult, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eyelid.jobs.settings import Settings
    from eyelid.jobs.tasks import Task

Row: TypeAlias = "dict[str, int | str]"
"""What travels between machines: the number of a task going out, its outcome and message coming back."""


_QUIET: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # all that the cluster would print among our results
}
"""Read when Ray is imported or started."""

_TRIES = 2


class _Tries:
    """Counts how often each task was begun, in a process that no task can kill: Ray repeats them for ever."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, task: int) -> int:
        self._begun[task] += 1
        return self._begun[task]


class _Actor:
    """One process of the cluster, with its own detectors, which it loads with its first file."""

    def __init__(self, settings: Settings, tasks: Sequence[Task], tries: Any) -> None:
        self._settings, self._tasks, self._tries = settings, tasks, tries
        self._anonymizer: Anonymizer | None = None

    def __call__(self, row: Row) -> Row:
        result = self._run(int(row["task"]))
        return {"task": row["task"], "outcome": result.outcome.value, "message": result.message}

    def _run(self, number: int) -> FileResult:
        import ray

        task = self._tasks[number]
        if ray.get(self._tries.begin.remote(number)) > _TRIES:
            return died_twice(task)
        try:
            self._anonymizer = self._anonymizer or Anonymizer(self._settings)
            return attempt(self._anonymizer, task)
        except EyelidError as error:  # this machine may lack a key or a model that others have
            return FileResult(task, Outcome.FAILED, message=f"{task.source}: {error}")


def on_ray(settings: Settings, tasks: Sequence[Task], address: str) -> Iterator[FileResult]:
    """Yield results as the actors of a Ray cluster finish them, one inference thread and core for each.

    ``address``: ``local`` starts a cluster on this machine, ``auto`` takes the one that runs, anything else
    is its address. Only paths, outcomes and messages travel through Ray, never pixels. A file whose actor
    dies is tried once more and then fails. Raises UsageError where Ray is not installed or the cluster cannot
    be reached.
    """
    os.environ.update(_QUIET)
    try:
        import ray
        from ray.data import DataContext
    except ImportError:
        raise UsageError("--ray needs Ray; install it with: pip install 'eyelid[ray]'") from None
    try:
        ray.init(address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError):
        raise UsageError(f"no Ray cluster answers at {address}; start one, or use --ray local") from None
    try:
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)
        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.enable_operator_progress_bars = False
        rows = ray.data.from_items([{"task": n} for n in range(len(tasks))], override_num_blocks=len(tasks))
        cores = ray.cluster_resources().get("CPU", 1)  # type: ignore[no-untyped-call]  # Ray lacks the types
        tries = ray.remote(num_cpus=0)(_Tries).remote()
        done = rows.map(
            _Actor,  # type: ignore[arg-type]  # Ray takes a class for actors, but does not say so
            fn_constructor_args=(settings.model_copy(update={"threads": 1}), list(tasks), tries),
            num_cpus=1,
            concurrency=(1, max(1, int(cores))),
        )
        for row in done.iter_rows():
            yield _result(tasks[int(row["task"])], Outcome(row["outcome"]), str(row["message"]))
    finally:
        ray.shutdown()


def _result(task: Task, outcome: Outcome, message: str) -> FileResult:
    """Return the result of a task with its evidence, which lies beside its output."""
    if outcome not in {Outcome.DONE, Outcome.SKIPPED}:
        return FileResult(task, outcome, message=message)
    try:
        return FileResult(task, outcome, read(task.evidence))
    except EyelidError as error:
        return FileResult(task, Outcome.FAILED, message=str(error))
