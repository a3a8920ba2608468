"""``eyelid detect``: what would be covered, as boxes; no pixels leave."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eyelid.cli.options import (
    Detectors,
    DeviceOption,
    Force,
    Json,
    Output,
    QualityOption,
    Quiet,
    Targets,
    Threads,
    settings_of,
    words,
)


def detect(
    sources: Annotated[
        list[Path], typer.Argument(metavar="SOURCE...", help="Photos, videos, or one folder.", readable=False)
    ],
    output: Output = None,
    format_: Annotated[
        str, typer.Option("--format", help="coco (json, to edit and give back) or mot (csv, one video).")
    ] = "coco",
    targets: Targets = "face,plate",
    quality: QualityOption = "balanced",
    detector: Detectors = None,
    device: DeviceOption = "cpu",
    threads: Threads = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write down what 'eyelid anonymize' would cover, in pixels, track by track."""
    from eyelid.cli.output import Display, complain, say, say_json
    from eyelid.errors import EyelidError, UsageError
    from eyelid.evidence.summary import NOUNS, number
    from eyelid.jobs.export import ExportFormat, export_detections
    from eyelid.jobs.search import Searcher
    from eyelid.jobs.tasks import tasks_for

    try:
        kind = ExportFormat(format_)
    except ValueError:
        raise UsageError(f"--format {format_!r}: choose coco or mot") from None
    settings = settings_of(
        {
            "targets": words(targets),
            "quality": quality,
            "detectors": detector or [],
            "device": device,
            "threads": threads,
        }
    )
    tasks = tasks_for(sources, None, force=force)
    output = output or _beside(sources[0], kind.suffix)
    with Display(as_json=as_json, quiet=quiet) as display:
        export = export_detections(Searcher(settings), tasks, output, kind, force=force, listener=display)
    for failure in export.failures:
        complain(failure)
    if as_json:
        counts = {count.target.value: count.detections for count in export.counts}
        say_json("result", {"output": str(output), "frames": export.frames, "detections": counts})
    else:
        counted = ", ".join(f"{number(count.detections, *NOUNS[count.target])}" for count in export.counts)
        say(f"{output}: {number(export.frames, 'frame', 'frames')}; detections: {counted}")
    if export.failures:
        raise typer.Exit(EyelidError.exit_code)


def _beside(source: Path, suffix: str) -> Path:
    """Return ``a.coco.json`` for ``a.mp4``, also where the source is named like ``.``."""
    named = source if source.name not in {"", ".", ".."} else source.resolve()
    return named.with_name(named.stem + suffix)
