"""Runs anonymisation for the command line and tells what became of each file."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import typer
from rich.filesize import decimal

from eyelid.cli.output import Display, complain, say, say_json
from eyelid.errors import EyelidError, UsageError
from eyelid.evidence.summary import summary
from eyelid.jobs.preview import preview
from eyelid.jobs.progress import Progress
from eyelid.jobs.run import anonymize_files
from eyelid.jobs.search import Searcher
from eyelid.jobs.tasks import FileResult, Outcome, tasks_for

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eyelid.jobs.settings import Settings


def anonymize_many(
    sources: Sequence[Path],
    output: Path | None,
    settings: Settings,
    *,
    workers: int | None,
    ray: str | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Anonymise all sources; exit code 1 where one of them could not be done."""
    tasks = tasks_for(sources, output, force=force)
    alone = len(tasks) == 1 and not sources[0].is_dir()
    outcomes: Counter[Outcome] = Counter()
    with Display(as_json=as_json, quiet=quiet) as display:
        results = anonymize_files(tasks, settings, workers=workers, ray=ray, listener=display)
        for done, result in enumerate(results, start=1):
            outcomes[result.outcome] += 1
            if not alone:
                display(Progress(sources[0], done, len(tasks), "files"))
            _tell(result, as_json=as_json)
    if not alone:
        _tell_all(outcomes, as_json=as_json)
    if outcomes[Outcome.FAILED] or (alone and outcomes[Outcome.UNSUPPORTED]):
        raise typer.Exit(EyelidError.exit_code)


def _tell(result: FileResult, *, as_json: bool) -> None:
    task = result.task
    if as_json:
        say_json(
            "result",
            {
                "file": str(task.source),
                "outcome": result.outcome.value,
                "output": str(task.output) if result.evidence else None,
                "evidence": str(task.evidence) if result.evidence else None,
                "message": result.message or None,
                "summary": summary(result.evidence, task.evidence) if result.evidence else None,
            },
        )
    elif result.outcome is Outcome.DONE and result.evidence:
        say(summary(result.evidence, task.evidence))
    elif result.outcome is not Outcome.SKIPPED:
        complain(result.message)


def _tell_all(outcomes: Counter[Outcome], *, as_json: bool) -> None:
    if as_json:
        say_json("end", {outcome.value: outcomes[outcome] for outcome in Outcome})
    else:
        counted = [f"{outcomes[outcome]:,} {outcome.value}" for outcome in Outcome if outcomes[outcome]]
        say(", ".join(counted) or "there was no file to anonymise")


def preview_one(
    sources: Sequence[Path],
    output: Path | None,
    settings: Settings,
    *,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Make a preview of one video and print what the full run would take."""
    if len(sources) != 1:
        raise UsageError("--preview takes one video")
    with Display(as_json=as_json, quiet=quiet) as display:
        made = preview(sources[0], output, Searcher(settings), force=force, listener=display)
    if as_json:
        content = {
            "output": str(made.output),
            "starts": made.starts,
            "seconds": made.seconds,
            "bytes": made.size,
        }
        say_json("preview", content)
    else:
        places = ", ".join(f"{start:.1f} s" for start in made.starts)
        say(
            f"{made.output}: the seconds from {places}, without sound or evidence; "
            f"the full run takes about {_duration(made.seconds)} and {decimal(made.size)}"
        )


def _duration(seconds: float) -> str:
    whole = max(1, round(seconds))
    hours, minutes = whole // 3600, whole // 60 % 60
    return (
        f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
    )
