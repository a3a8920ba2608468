"""Files that a user names, read whole and never more than they may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyelid.errors import EyelidError, InputError

if TYPE_CHECKING:
    from pathlib import Path


def read_limited(
    what: str,
    path: Path,
    most: int,
    *,
    error: type[EyelidError] = InputError,
    advice: str = "check its path",
) -> bytes:
    """Return a file's content; raises ``error`` where it can't be read or has more than ``most`` bytes.

    ``advice`` says what to do where it can't be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as why:
        raise error(f"the {what} {path} can't be read ({why.strerror}); {advice}") from None
    if len(content) > most:
        raise error(f"the {what} {path} is larger than {most:,} bytes; is it the right file?")
    return content
