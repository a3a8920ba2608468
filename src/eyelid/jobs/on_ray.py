"""Many files on a Ray cluster, through Ray Data: for folders that every machine of the cluster can reach."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, TypeAlias

from eyelid.errors import EyelidError, UsageError
from eyelid.evidence.file import read
from eyelid.jobs.anonymizer import Anonymizer
from eyelid.jobs.batch import attempt
from eyelid.jobs.tasks import FileResult, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eyelid.jobs.settings import Settings
    from eyelid.jobs.tasks import Task

Row: TypeAlias = "dict[str, int | str]"
"""What travels between machines: the number of a task going out, its outcome and message coming back."""


class _Actor:
    """One process of the cluster, with its own detectors."""

    def __init__(self, settings: Settings, tasks: Sequence[Task]) -> None:
        self._anonymizer = Anonymizer(settings)
        self._tasks = tasks

    def __call__(self, row: Row) -> Row:
        result = attempt(self._anonymizer, self._tasks[int(row["task"])])
        return {"task": row["task"], "outcome": result.outcome.value, "message": result.message}


def on_ray(settings: Settings, tasks: Sequence[Task], address: str) -> Iterator[FileResult]:
    """Yield results as the actors of a Ray cluster finish them, one inference thread and core for each.

    ``address``: ``local`` starts a cluster on this machine, ``auto`` takes the one that runs, anything else
    is its address. Only paths, outcomes and messages travel through Ray, never pixels. Raises UsageError
    where Ray is not installed or the cluster cannot be reached.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray is imported
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
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.enable_operator_progress_bars = False
        rows = ray.data.from_items([{"task": n} for n in range(len(tasks))], override_num_blocks=len(tasks))
        cores = ray.cluster_resources().get("CPU", 1)  # type: ignore[no-untyped-call]  # Ray lacks the types
        done = rows.map(
            _Actor,  # type: ignore[arg-type]  # Ray takes a class for actors, but does not say so
            fn_constructor_args=(settings.model_copy(update={"threads": 1}), list(tasks)),
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
