"""Key files for locking: 32 random bytes, written as one line of base64."""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import TYPE_CHECKING, Final

from eyelid.errors import LockError
from eyelid.media.key_files import KeyFile, write_new

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES: Final = 32


def generate_key(path: Path) -> None:
    """Write a new key to ``path``, which only its owner may read; an existing file is never overwritten.

    Raises OutputError.
    """
    write_new(KeyFile(path, base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n"))


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
