"""``eyelid attack context``, ``metadata``, ``voice`` and ``redetect``: what one output still tells.

The exit code is 0 when the attack was run, whatever it found: programs read the result from ``--json``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from eyelid.cli.options import Detectors, DeviceOption, Json, Quiet, Threads, settings_of, words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel

    from eyelid.attack.base import AttackResult
    from eyelid.attack.redetect import Redetection

MOMENTS = 20
"""So many times are listed for people to read."""

File: TypeAlias = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="The anonymised photo or video.", show_default=False, readable=False),
]
Original: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--original", metavar="FILE", help="What it was made from, to compare with.", readable=False
    ),
]


def context(
    file: File,
    original: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="What it was made from: it says where the people are.", readable=False
        ),
    ],
    detector: Detectors = None,
    device: DeviceOption = "cpu",
    threads: Threads = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Name the people of a film by what surrounds their hidden faces: clothes, build, place and time."""
    from eyelid.attack.context import ContextAttack
    from eyelid.audit.pair import sightings
    from eyelid.cli.output import Display

    settings = settings_of(
        {"targets": ["face"], "detectors": detector or [], "device": device, "threads": threads}
    )
    with Display(as_json=as_json, quiet=quiet) as display:
        met = sightings(file, original, settings, display)
        results = [ContextAttack(place=place).run(met) for place in (False, True)]
    _tell(file, results, as_json=as_json)


def metadata(file: File, original: Original = None, as_json: Json = False) -> None:
    """Read what a file says besides its pictures; with --original, search it for that file's words too."""
    from eyelid.attack.metadata import MetadataAttack

    attack = MetadataAttack(original)
    found = attack.measure(file)
    _tell(file, [attack.result(found)], found, as_json=as_json)


def voice(file: File, as_json: Json = False) -> None:
    """Count the seconds of sound that are like a voice; nobody and nothing said is recognised."""
    from eyelid.attack.voice import VoiceAttack

    attack = VoiceAttack()
    found = attack.measure(file)
    _tell(file, [attack.result(found)], found, as_json=as_json)


def redetect(
    file: File,
    original: Original = None,
    targets: Annotated[
        str, typer.Option("--targets", "-t", help="What to look for, with commas, as in anonymize.")
    ] = "face,person",
    threshold: Annotated[float, typer.Option(help="The least score that counts, up to 1.")] = 0.3,
    every: Annotated[
        float, typer.Option(metavar="SECONDS", help="Time between two looks; 0 looks at every frame.")
    ] = 0.5,
    detector: Detectors = None,
    device: DeviceOption = "cpu",
    threads: Threads = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Look for people, or other targets, with detectors at their most thorough, and say when they show."""
    from eyelid.attack.redetect import RedetectAttack
    from eyelid.cli.output import Display
    from eyelid.detect.custom import load_detector
    from eyelid.jobs.progress import Progress
    from eyelid.media.kinds import MediaKind, sniff

    settings = settings_of(
        {"targets": words(targets), "detectors": detector or [], "device": device, "threads": threads}
    )
    own = [load_detector(s, device=settings.device, threads=settings.threads) for s in settings.detectors]
    with Display(as_json=as_json, quiet=quiet) as display:
        attack = RedetectAttack(
            settings.targets,
            threshold=threshold,
            every=every,
            original=original,
            detectors=own,
            device=settings.device,
            threads=settings.threads,
            listener=lambda path, done: display(Progress(path, done, None, "frames")),
        )
        found = attack.measure(file)
    pages = sniff(file) is MediaKind.STILL
    _tell(file, [attack.result(found)], found, _moments(found, pages=pages), as_json=as_json)


def _tell(
    file: Path,
    results: Iterable[AttackResult],
    found: BaseModel | None = None,
    more: Iterable[str] = (),
    *,
    as_json: bool,
) -> None:
    """Print a table and what there is to say of each result, or a line of JSON for each."""
    from rich.console import Console

    from eyelid.cli.output import say, say_json
    from eyelid.cli.results import results_table

    results = list(results)
    if as_json:
        details = {"found": found.model_dump(mode="json")} if found else {}
        for result in results:
            say_json("result", {"file": str(file), **result.model_dump(mode="json"), **details})
        return
    console = Console(highlight=False)
    console.print(results_table(results, console.width))
    for result in results:
        say(f"{result.attack}: {result.note}")
    for line in more:
        say(line)


def _moments(found: Redetection, *, pages: bool) -> Iterable[str]:
    """Say when each target was found."""
    for seen in (one for one in found.seen if one.times):
        times = [f"page {time + 1:.0f}" if pages else f"{time:.2f} s" for time in seen.times[:MOMENTS]]
        more = len(seen.times) - len(times)
        listed = ", ".join(times) + (f" and {more} times more (--json lists all)" if more else "")
        yield f"{seen.target.value}, best score {seen.best_score:.2f}: {listed}"
