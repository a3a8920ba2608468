"""Many files at once: in turn, on the cores of this machine, or on a Ray cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyelid.errors import UsageError
from eyelid.jobs.batch import in_turn, on_processes
from eyelid.jobs.source import refusal
from eyelid.models.session import cores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eyelid.jobs.progress import ProgressListener
    from eyelid.jobs.settings import Settings
    from eyelid.jobs.tasks import FileResult, Task

_WORTH_A_POOL = 8
"""From so many files on, starting processes takes less time than it saves."""


def anonymize_files(
    tasks: Sequence[Task],
    settings: Settings,
    *,
    workers: int | None,
    ray: str | None,
    listener: ProgressListener,
) -> Iterator[FileResult]:
    """Yield the result of each task as it ends; errors of one file are results and stop no other.

    ``workers`` processes work side by side, by default one for each core when there are many files; ``ray``
    is the address of a Ray cluster that works instead. Raises ModelError, UsageError, InputError, LockError
    and EvidenceError where the settings cannot be used at all.
    """
    for task in tasks:
        refused = None if task.in_folder else refusal(settings.method, task.source)
        if refused:
            raise UsageError(refused)
    if workers is None:
        workers = cores() if len(tasks) >= _WORTH_A_POOL else 1
    if ray is None and min(workers, len(tasks)) > 1:
        return on_processes(settings, tasks, min(workers, len(tasks)))
    from eyelid.jobs.anonymizer import Anonymizer  # loads much that a pool's parent does not need

    anonymizer = Anonymizer(settings)
    if ray is not None:
        from eyelid.jobs.on_ray import on_ray

        return on_ray(settings, tasks, ray)
    return in_turn(anonymizer, tasks, listener)
