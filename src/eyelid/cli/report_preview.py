"""Makes a preview for the command line and tells what the full run would take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.filesize import decimal

from eyelid.cli.output import Display, say, say_json
from eyelid.errors import UsageError
from eyelid.jobs.preview import preview
from eyelid.jobs.search import Searcher

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eyelid.jobs.settings import Settings


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
        noun = "second" if len(made.starts) == 1 else "seconds"
        say(
            f"{made.output}: the {noun} from {places}, without sound or evidence; "
            f"the full run takes about {_duration(made.seconds)} and {decimal(made.size)}"
        )


def _duration(seconds: float) -> str:
    whole = max(1, round(seconds))
    hours, minutes = whole // 3600, whole // 60 % 60
    return (
        f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
    )
