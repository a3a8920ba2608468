"""How the command line speaks: sentences on stderr, results on stdout, progress on a terminal, JSON lines."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as Bars,
)
from rich.text import Text

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Task as BarTask

    from eyelid.jobs.progress import Progress

JSON_INTERVAL_S = 0.5


def complain(sentence: str) -> None:
    """Print one sentence about what went wrong on stderr."""
    sys.stderr.write(f"eyelid: {sentence}\n")


def say(line: str) -> None:
    """Print one line of result on stdout."""
    sys.stdout.write(f"{line}\n")


def say_json(event: str, content: dict[str, object]) -> None:
    """Print one event as a JSON line on stdout."""
    sys.stdout.write(json.dumps({"event": event, **content}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


class _Rate(ProgressColumn):
    def render(self, task: BarTask) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f} {task.fields['unit']}/s", style="cyan")


class Display:
    """Shows progress: a bar on a terminal, an event line with ``--json``, nothing where stderr is a file."""

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self._json = as_json
        console = Console(stderr=True)
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=as_json or quiet or not console.is_terminal,
        )
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        """Take a report of progress."""
        if self._json:
            self._write(progress)
        elif not self._bars.disable:
            self._draw(progress)

    def _write(self, progress: Progress) -> None:
        now = time.monotonic()
        if now >= self._next or progress.done == progress.total:
            self._next = now + JSON_INTERVAL_S
            say_json(
                "progress",
                {
                    "file": str(progress.path),
                    "done": progress.done,
                    "total": progress.total,
                    "unit": progress.unit,
                },
            )

    def _draw(self, progress: Progress) -> None:
        name = progress.path.name
        stage = name, progress.unit
        if stage not in self._tasks:
            for finished in self._tasks.values():
                self._bars.remove_task(finished)
            self._tasks = {stage: self._bars.add_task(name, total=progress.total, unit=progress.unit)}
        self._bars.update(self._tasks[stage], completed=progress.done, total=progress.total)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
