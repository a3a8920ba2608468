"""``eyelid unlock``: the original pixels back, for the holder of the key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eyelid.cli.options import Force, Json, Output, Quiet


def unlock(
    locked: Annotated[
        Path, typer.Argument(metavar="FILE", help="An output of --method lock.", readable=False)
    ],
    key: Annotated[
        Path, typer.Option("--key", metavar="FILE", help="The key that it was locked with.", readable=False)
    ],
    output: Output = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Restore the exact original pixels of a locked photo or video in a lossless copy."""
    from eyelid.cli.output import Display, say, say_json
    from eyelid.jobs.unlock import unlock as restore

    with Display(as_json=as_json, quiet=quiet) as display:
        restored = restore(locked, key, output, force=force, listener=display)
    if as_json:
        say_json("result", {"output": str(restored)})
    else:
        say(f"{restored}: the original pixels are visible again; this copy is NOT anonymised")
