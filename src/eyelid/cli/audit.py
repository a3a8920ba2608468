"""``eyelid audit``: attack an output, and say what is left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eyelid.cli.options import DeviceOption, Force, Json, Quiet, Sign, Threads

if TYPE_CHECKING:
    from eyelid.audit.api import AuditResult


def audit(
    output: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="The anonymised photo or video.", readable=False)
    ],
    original: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What it was made from; the attacks need it.", readable=False),
    ] = None,
    prefix: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PREFIX",
            help="Write PREFIX.audit.html and PREFIX.audit.json; by default beside OUTPUT.",
            readable=False,
        ),
    ] = None,
    gallery: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Other people, a folder for each: they make the line-up longer.",
            readable=False,
        ),
    ] = None,
    evidence: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The evidence, where it does not lie beside OUTPUT.", readable=False
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="What happens when: how well a network still learns it is measured.",
            readable=False,
        ),
    ] = None,
    show_original: Annotated[
        bool, typer.Option("--show-original", help="Put faces of the original into the report, too.")
    ] = False,
    sign: Sign = None,
    device: DeviceOption = "cpu",
    threads: Threads = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Attack an output with all that fits it, and say in a report what is left.

    The exit code is 0 when the audit was made, whatever it says: programs read the standing from --json.
    """
    from eyelid.audit.api import audit as run
    from eyelid.cli.output import Display
    from eyelid.errors import UsageError

    if original is None:
        raise UsageError(
            "--original is missing: an audit tries to tell who of the original is behind what was covered, "
            "so it needs the file that the output was made from"
        )
    with Display(as_json=as_json, quiet=quiet) as display:
        result = run(
            output,
            original,
            prefix,
            gallery=gallery,
            evidence=evidence,
            labels=labels,
            show_original=show_original,
            sign=sign,
            device=device,
            threads=threads,
            force=force,
            listener=display,
        )
    if as_json:
        _tell_program(output, result)
    else:
        _tell_person(result)


def _tell_program(output: Path, result: AuditResult) -> None:
    from eyelid.cli.output import say_json

    verdict = result.audit.verdict
    say_json(
        "result",
        {
            "file": str(output),
            "standing": verdict.standing.value,
            "sentence": verdict.sentence,
            "reason": verdict.reason,
            "visible": [span.model_dump(mode="json") for span in result.audit.visible],
            "json": str(result.json),
            "html": str(result.html),
        },
    )


def _tell_person(result: AuditResult) -> None:
    from rich.console import Console
    from rich.text import Text

    from eyelid.attack.base import Knowledge
    from eyelid.audit.words import COLOURS, STANDINGS
    from eyelid.cli.results import results_table

    console = Console(soft_wrap=True, highlight=False)
    if console.is_terminal:
        console.print(results_table(result.audit.attacks, console.width), soft_wrap=False)
        console.print()
    verdict = result.audit.verdict
    standing = STANDINGS[verdict.standing]
    colour = COLOURS[standing.tone]
    console.print(Text.assemble((standing.title, f"bold {colour}"), ": ", (verdict.sentence, colour)))
    console.print(Text(f"Why: {verdict.reason}"))
    for skipped in result.audit.skipped:
        if skipped.attack.endswith(
            Knowledge.RETRAINED
        ):  # who learns is the attacker that counts, so that its lack is told
            console.print(Text(f"Not run: {skipped.attack}: {skipped.reason}."))
    console.print(Text(f"Report: {result.html}"))
    console.print(Text(f"Record: {result.json}"))
