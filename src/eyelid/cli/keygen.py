"""``eyelid keygen``: keys for locking and for signing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def keygen(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where the new key goes; never replaced.", readable=False)
    ],
    sign: Annotated[
        bool, typer.Option("--sign", help="Make an Ed25519 key pair for --sign instead of a key for lock.")
    ] = False,
) -> None:
    """Make a key for --method lock, or with --sign a key pair to sign evidence with."""
    from eyelid.cli.output import say

    if sign:
        from eyelid.evidence.signing import generate_signing_key

        made = generate_signing_key(file)
        say(f"{made.private}: keep it secret; {made.public}: give it to those who verify; key {made.key_id}")
    else:
        from eyelid.obfuscate.keys import generate_key

        generate_key(file)
        say(f"{file}: keep it safe; without it nothing that it locks can ever be restored")
