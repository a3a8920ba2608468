"""Ed25519 keys and signatures (RFC 8032) for evidence."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from eyelid.errors import EvidenceError
from eyelid.evidence.model import Signature
from eyelid.media.key_files import KeyFile, write_new

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class SigningKeyFiles:
    """A new pair of keys on disk; ``key_id`` is what ``eyelid verify`` prints for its signatures."""

    private: Path
    public: Path
    key_id: str


def key_id(key: Ed25519PublicKey) -> str:
    """Return the short name of a key: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def generate_signing_key(path: Path) -> SigningKeyFiles:
    """Write a new private key to ``path`` (PKCS #8 PEM, mode 0600) and its public key to ``path`` + ``.pub``.

    Raises OutputError where one of the two files exists or cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    public = path.with_name(path.name + ".pub")
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    told = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    write_new(KeyFile(path, secret), KeyFile(public, told, 0o644))
    return SigningKeyFiles(path, public, key_id(key.public_key()))


def load_signing_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key from PEM; raises EvidenceError where there is none of the right kind."""
    try:
        key = load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise EvidenceError(
            f"{path} is not an unencrypted Ed25519 private key (PEM); make one: eyelid keygen --sign FILE"
        )
    return key


def load_public_key(path: Path) -> Ed25519PublicKey:
    """Read a public key from PEM; raises EvidenceError where there is none of the right kind."""
    try:
        key = load_pem_public_key(_read(path))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise EvidenceError(f"{path} is not an Ed25519 public key in PEM; give the .pub file of the signer")
    return key


def sign(message: bytes, key: Ed25519PrivateKey) -> Signature:
    """Sign the canonical bytes of evidence."""
    return Signature(
        algorithm="Ed25519",
        public_key=key.public_key().public_bytes_raw().hex(),
        value=key.sign(message).hex(),
    )


def signer(message: bytes, signature: Signature) -> Ed25519PublicKey | None:
    """Return the key that signed ``message``, or None where the signature does not fit."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature.public_key))
        key.verify(bytes.fromhex(signature.value), message)
    except (InvalidSignature, ValueError):
        return None
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise EvidenceError(f"the key {path} cannot be read ({error.strerror}); check the name") from None
