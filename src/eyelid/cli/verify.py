"""``eyelid verify``: does an output belong to its evidence or audit, and who signed that?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eyelid.cli.options import Json


def verify(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="An output, its .evidence.json, or its .audit.json.", readable=False
        ),
    ],
    trust: Annotated[
        Path | None,
        typer.Option(
            "--trust", metavar="PEM", help="The public key that must have signed it.", readable=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check an output against its evidence or its audit, and the signature if there is one."""
    from eyelid.audit.verify import verify as check
    from eyelid.cli.output import say, say_json
    from eyelid.errors import EyelidError

    result = check(file, trusted_key=trust)
    if as_json:
        say_json(
            "result",
            {
                "file": str(result.output_path),
                result.noun: str(result.record_path),
                "ok": result.ok,
                "intact": result.intact,
                "signature": result.signature.value,
                "key_id": result.key_id,
                "trusted": result.trusted,
            },
        )
    else:
        say(result.sentence())
    if not result.ok:
        raise typer.Exit(EyelidError.exit_code)
