"""The file of P3's secret part: for whoever holds the key, and bound to one public file.

    header   magic "EYELIDP3", version (1 byte), threshold (2 bytes), SHA-256 of the public file (32 bytes),
             salt (32 bytes), key check (16 bytes)
    body     AES-256-GCM ciphertext with its 16-byte tag

Numbers are big-endian. The key of the file and the key check are derived from the user's key and the random
salt with HKDF-SHA256 (RFC 5869), so no two files share a key and the nonce, all zeros, is used once for each.
The header is authenticated with the body. The plaintext is a JPEG too, as in the paper: that of the secret
coefficients. Its length, and so that of the file, tells how much detail the photo has.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from eyelid.errors import LockError

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX: Final = ".secret"
"""Of the name of the secret part, behind the whole name of the public part."""
_MAGIC: Final = b"EYELIDP3"
_VERSION: Final = 1
_HEADER: Final = struct.Struct(">8sBH32s32s16s")
_NONCE: Final = bytes(12)


@dataclass(frozen=True, slots=True)
class SecretPart:
    """What the key holder gets: the ``threshold``, the ``jpeg`` of the secret coefficients, and the SHA-256
    of the public file that it belongs to.
    """

    threshold: int
    public_sha256: bytes
    jpeg: bytes

    def check(self, public: bytes, public_name: str, secret_name: str) -> None:
        """Raise LockError unless ``public`` are the bytes of the public file that this part was made with."""
        if not hmac.compare_digest(hashlib.sha256(public).digest(), self.public_sha256):
            raise LockError(
                f"{secret_name} does not belong to {public_name}, or that file was changed; "
                "use both untouched, or give --resized where only its size was changed"
            )


def seal(secret_jpeg: bytes, public: bytes, threshold: int, key: bytes) -> bytes:
    """Return the bytes of the secret file of a public file, under ``key``, 32 bytes."""
    salt = secrets.token_bytes(32)
    cipher_key, check = _derive(key, salt)
    header = _HEADER.pack(_MAGIC, _VERSION, threshold, hashlib.sha256(public).digest(), salt, check)
    return header + AESGCM(cipher_key).encrypt(_NONCE, secret_jpeg, header)


def open_secret(path: Path, key: bytes) -> SecretPart:
    """Read the secret file at ``path``; raises LockError: missing, damaged, altered, or another key."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LockError(
            f"the secret part {path} cannot be read ({error.strerror}); keep it beside the public part, "
            "or name it with --secret"
        ) from error
    if len(data) < _HEADER.size or not data.startswith(_MAGIC):
        raise LockError(f"{path} is not a secret part; give the file that `eyelid p3 split` wrote")
    header = data[: _HEADER.size]
    _, version, threshold, public_sha256, salt, check = _HEADER.unpack(header)
    if version != _VERSION:
        raise LockError(f"{path} was written by a newer eyelid (format {version}); update eyelid")
    cipher_key, expected = _derive(key, salt)
    if not hmac.compare_digest(check, expected):
        raise LockError(f"wrong key for {path}: nothing was restored; use the key it was split with")
    try:
        jpeg = AESGCM(cipher_key).decrypt(_NONCE, data[_HEADER.size :], header)
    except InvalidTag:
        raise LockError(
            f"{path} was altered or is not complete, so it cannot be trusted; use an untouched copy"
        ) from None
    return SecretPart(threshold, public_sha256, jpeg)


def _derive(key: bytes, salt: bytes) -> tuple[bytes, bytes]:
    """Return the file's AES key and the bytes that tell a wrong key."""
    material = HKDF(SHA256(), 48, salt, b"eyelid p3 1").derive(key)
    return material[:32], material[32:]
