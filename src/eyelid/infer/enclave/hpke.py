"""HPKE (RFC 9180, base mode) whose private key may stay in a TPM, with many messages and exported keys.

``cryptography`` has HPKE too, but for one message, without the exporter, and with the private key in memory;
the tests hold this one against it and against the vectors of the RFC. All is DHKEM with HKDF-SHA256 and
AES-256-GCM; P-256 where the key is in a TPM, X25519 where it is in the memory of a TEE.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eyelid.errors import AttestationError

Exchange: TypeAlias = Callable[[bytes], bytes]
"""From an encapsulated public key to the 32 bytes of the shared secret: by whoever has the private key."""

HKDF_SHA256: Final = 0x0001
AES_256_GCM: Final = 0x0002
P256: Final = 0x0010
X25519: Final = 0x0020
LENGTHS: Final = {P256: 65, X25519: 32}
"""Bytes of a public key, by KEM."""
TAG_BYTES: Final = 16


@dataclass(slots=True)
class Context:
    """One end of an HPKE channel: messages are numbered from 0, each number is used once."""

    key: bytes
    base_nonce: bytes
    exporter: bytes
    suite: bytes
    sequence: int = 0

    def seal(self, plaintext: bytes, aad: bytes) -> bytes:
        """Encrypt the next message."""
        sealed = AESGCM(self.key).encrypt(self._nonce(), plaintext, aad)
        self.sequence += 1
        return sealed

    def open(self, sealed: bytes | memoryview, aad: bytes) -> bytes:
        """Decrypt the next message; raises AttestationError where it is not that one, or was altered."""
        try:
            plaintext = AESGCM(self.key).decrypt(self._nonce(), sealed, aad)
        except InvalidTag:
            raise AttestationError(
                "a message was altered, or was encrypted for another key or workload"
            ) from None
        self.sequence += 1
        return plaintext

    def export(self, context: bytes, length: int = 32) -> bytes:
        """Return a key of ``length`` bytes that both ends have and nobody else (RFC 9180, section 5.3)."""
        return _expand(self.suite, self.exporter, b"sec", context, length)

    def _nonce(self) -> bytes:
        number = self.sequence.to_bytes(len(self.base_nonce), "big")
        return bytes(a ^ b for a, b in zip(self.base_nonce, number, strict=True))


def kem_of(public: bytes) -> int:
    """Return the KEM of a public key by its length; raises AttestationError where it is none."""
    for kem, length in LENGTHS.items():
        if len(public) == length:
            return kem
    raise AttestationError(f"a key of {len(public)} bytes is neither P-256 nor X25519")


def sender(public: bytes, info: bytes) -> tuple[bytes, Context]:
    """Return the encapsulated key and the context to encrypt to ``public`` with."""
    kem = kem_of(public)
    if kem == P256:
        ephemeral = generate_private_key(SECP256R1())
        enc = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        dh = ephemeral.exchange(ECDH(), point(public))
    else:
        private = X25519PrivateKey.generate()
        enc = private.public_key().public_bytes_raw()
        dh = _x25519(private, public)
    return enc, _schedule(kem, dh, enc, public, info)


def receiver(enc: bytes, public: bytes, info: bytes, exchange: Exchange) -> Context:
    """Return the context to decrypt with; ``exchange`` has the private key of ``public``.

    Raises AttestationError where ``enc`` is not a key of the same kind.
    """
    kem = kem_of(public)
    if len(enc) != LENGTHS[kem]:
        raise AttestationError("the encapsulated key is not of the kind of the server's key")
    if kem == P256:
        point(enc)
    return _schedule(kem, exchange(enc), enc, public, info)


def point(encoded: bytes) -> EllipticCurvePublicKey:
    """Return a point of P-256; raises AttestationError where it is not on the curve."""
    try:
        return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), encoded)
    except ValueError:
        raise AttestationError("an encapsulated key is not a point of P-256") from None


def in_memory() -> tuple[bytes, Exchange]:
    """Return the public part of a fresh X25519 key, and the exchange with its private part."""
    private = X25519PrivateKey.generate()
    return private.public_key().public_bytes_raw(), lambda enc: _x25519(private, enc)


def _x25519(private: X25519PrivateKey, public: bytes) -> bytes:
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:  # a point of small order: the shared secret would be zero
        raise AttestationError("an encapsulated key is not a sound point of X25519") from None


def _schedule(kem: int, dh: bytes, enc: bytes, public: bytes, info: bytes) -> Context:
    suite = b"KEM" + kem.to_bytes(2, "big")
    prk = _extract(suite, b"", b"eae_prk", dh)
    shared = _expand(suite, prk, b"shared_secret", enc + public, 32)
    suite = b"HPKE" + b"".join(i.to_bytes(2, "big") for i in (kem, HKDF_SHA256, AES_256_GCM))
    context = b"\x00" + _extract(suite, b"", b"psk_id_hash", b"") + _extract(suite, b"", b"info_hash", info)
    secret = _extract(suite, shared, b"secret", b"")
    return Context(
        _expand(suite, secret, b"key", context, 32),
        _expand(suite, secret, b"base_nonce", context, 12),
        _expand(suite, secret, b"exp", context, 32),
        suite,
    )


def _extract(suite: bytes, salt: bytes, label: bytes, material: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + material, hashlib.sha256)


def _expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    labelled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    out = block = b""
    count = 1
    while len(out) < length:
        block = hmac.digest(key, block + labelled + bytes([count]), hashlib.sha256)
        out += block
        count += 1
    return out[:length]
