"""Runs anonymisation for the command line and tells what became of each file."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import typer

from eyelid.cli.output import Display, complain, say, say_json
from eyelid.errors import EyelidError
from eyelid.evidence.summary import brief, summary, weakness
from eyelid.jobs.progress import Progress
from eyelid.jobs.run import anonymize_files
from eyelid.jobs.tasks import Outcome, tasks_for

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eyelid.jobs.settings import Settings
    from eyelid.jobs.tasks import FileResult


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
    results: list[FileResult] = []
    with Display(as_json=as_json, quiet=quiet) as display:
        try:
            for result in anonymize_files(tasks, settings, workers=workers, ray=ray, listener=display):
                results.append(result)
                if not alone:
                    display(Progress(sources[0], len(results), len(tasks), "files"))
                _tell(result, alone=alone, as_json=as_json)
        finally:  # told last, stopped or not: between a thousand good files nobody finds them
            if not as_json:
                _tell_refused(results)
    if not alone:
        _tell_all(results, as_json=as_json)
    failures = {Outcome.FAILED, Outcome.UNSUPPORTED} if alone else {Outcome.FAILED}
    if any(result.outcome in failures for result in results):
        raise typer.Exit(EyelidError.exit_code)


def _tell(result: FileResult, *, alone: bool, as_json: bool) -> None:
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
        say(summary(result.evidence, task.evidence) if alone else brief(result.evidence))


def _tell_refused(results: Sequence[FileResult]) -> None:
    for outcome in (Outcome.UNSUPPORTED, Outcome.FAILED):
        for result in results:
            if result.outcome is outcome:
                complain(result.message)


def _tell_all(results: Sequence[FileResult], *, as_json: bool) -> None:
    outcomes = Counter(result.outcome for result in results)
    if as_json:
        say_json("end", {outcome.value: outcomes[outcome] for outcome in Outcome})
        return
    counted = [f"{outcomes[outcome]:,} {outcome.value}" for outcome in Outcome if outcomes[outcome]]
    made = [result.evidence for result in results if result.evidence]
    limits = dict.fromkeys(limit for evidence in made for limit in evidence.guarantee.not_covered)
    dropped = dict.fromkeys(name for evidence in made for name in evidence.dropped)
    attackable = dict.fromkeys(words for evidence in made for words in weakness(evidence))
    parts = [
        ", ".join(counted) or "there was no file to anonymise",
        *attackable,
        f"dropped: {', '.join(dropped) or 'nothing'}",
        f"NOT covered: {'; '.join(limits)}",
        "evidence: beside each output",
    ]
    say(" | ".join(parts if made else parts[:1]))
