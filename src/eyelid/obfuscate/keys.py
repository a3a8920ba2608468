"""Key files for locking: 32 random bytes, written as one line of base64."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from typing import TYPE_CHECKING, Final

from eyelid.errors import LockError, OutputError

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES: Final = 32


def generate_key(path: Path) -> None:
    """Write a new key to ``path``, which only its owner may read; an existing file is never overwritten.

    Raises OutputError.
    """
    line = base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise OutputError(
            f"{path} exists and may be the only key to locked files; choose another name"
        ) from None
    except OSError as error:
        raise OutputError(
            f"the key cannot be written to {path} ({error.strerror}); choose another place"
        ) from error


def read_key(path: Path) -> bytes:
    """Return the 32 bytes of a key file. Raises LockError."""
    try:
        with path.open("rb") as file:
            key = base64.b64decode(file.read(1024).strip(), validate=True)
    except OSError as error:
        raise LockError(f"the key {path} cannot be read ({error.strerror}); check its path") from error
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise LockError(f"{path} is not an eyelid key; give a file that `eyelid keygen` made")
    return key
