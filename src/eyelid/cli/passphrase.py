"""Where a passphrase comes from: a file, the environment, or a question; never the command line itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from eyelid.errors import InputError, UsageError

VARIABLE = "EYELID_PASSPHRASE"


def passphrase(file: Path | None, *, new: bool = False) -> str:
    """Return the passphrase: the first line of ``file``, else the environment's, else what the user types.

    Raises UsageError where nobody can be asked or two typed ones differ, InputError for an unreadable file.
    """
    if file is not None:
        try:
            with file.open(encoding="utf-8") as lines:
                return lines.readline(4096).rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"the passphrase cannot be read from {file}; check its path") from error
    given = os.environ.get(VARIABLE)
    if given is not None:
        try:
            given.encode()
        except UnicodeEncodeError:
            raise UsageError(f"{VARIABLE} is no UTF-8 text; set it anew, or give --passphrase-file") from None
        return given
    if not sys.stdin.isatty():
        raise UsageError(f"the key needs its passphrase; give --passphrase-file, or set {VARIABLE}")
    from getpass import getpass

    typed = getpass("Passphrase: ")
    if new and getpass("Once more: ") != typed:
        raise UsageError("the two passphrases differ; start again")
    return typed
