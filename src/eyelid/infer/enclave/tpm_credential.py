"""Binds an attestation key to an endorsement key: a secret that only the TPM that holds both can recover."""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256

from eyelid.errors import AttestationError
from eyelid.infer.enclave import chain
from eyelid.infer.enclave.findings import Refused
from eyelid.infer.enclave.tpm_structures import parse_public

if TYPE_CHECKING:
    from cryptography import x509

SECRET_BYTES: Final = 32
_AES_BITS: Final = 128
_HASH_BITS: Final = 256


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential (TPM2_MakeCredential) for one AK under one EK, and the secret inside it.

    ``blob`` and ``encrypted_secret`` (TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET) are sent to the TPM;
    ``secret`` (32 bytes), ``ak_name`` and ``ek_certificate`` (DER) stay with the verifier.
    """

    ek_certificate: bytes
    ak_name: bytes
    blob: bytes
    encrypted_secret: bytes
    secret: bytes


def make_credential(ek_certificate: bytes, ak: bytes) -> Credential:
    """Make a credential for an AK (TPMT_PUBLIC) under the EK that a certificate (DER) names.

    TPM 2.0 library specification, part 1, clause 24, for the EK templates L-1 and L-2 of the TCG EK
    credential profile (RSA 2048 or P-256, SHA-256, AES-128). Raises AttestationError for any other key, and
    where certificate or AK is malformed.
    """
    try:
        name = parse_public(ak, "the attestation key").name
        certificate = chain.load(ek_certificate)
    except (Refused, ValueError) as error:
        raise AttestationError(f"no credential can be made: {error}") from None
    seed, encrypted = _seed_for(certificate)
    secret = os.urandom(SECRET_BYTES)
    key = _kdfa(seed, b"STORAGE", name, _AES_BITS)
    identity = _aes_cfb(key, _sized(secret))
    mac = hmac.digest(_kdfa(seed, b"INTEGRITY", b"", _HASH_BITS), identity + name, "sha256")
    return Credential(
        ek_certificate=ek_certificate,
        ak_name=name,
        blob=_sized(_sized(mac) + identity),
        encrypted_secret=_sized(encrypted),
        secret=secret,
    )


def _seed_for(certificate: x509.Certificate) -> tuple[bytes, bytes]:
    """Return a seed, and the same encrypted to the endorsement key (part 1, B.10.4 and C.6.4)."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size == 2048:
        seed = os.urandom(_HASH_BITS // 8)
        oaep = padding.OAEP(padding.MGF1(SHA256()), SHA256(), b"IDENTITY\0")
        return seed, key.encrypt(seed, oaep)
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        own = ec.generate_private_key(key.curve)
        shared = own.exchange(ec.ECDH(), key)
        mine, theirs = own.public_key().public_numbers(), key.public_numbers()
        parties = mine.x.to_bytes(32, "big") + theirs.x.to_bytes(32, "big")
        seed = hashlib.sha256(struct.pack(">I", 1) + shared + b"IDENTITY\0" + parties).digest()
        return seed, _sized(mine.x.to_bytes(32, "big")) + _sized(mine.y.to_bytes(32, "big"))
    raise AttestationError(
        "the endorsement key is neither RSA of 2,048 bits nor P-256, so it is not supported"
    )


def _kdfa(key: bytes, label: bytes, context: bytes, bits: int) -> bytes:
    """Derive at most 256 bits (part 1, 11.4.10.2: KDFa, one round)."""
    message = struct.pack(">I", 1) + label + b"\0" + context + struct.pack(">I", bits)
    return hmac.digest(key, message, "sha256")[: bits // 8]


def _aes_cfb(key: bytes, data: bytes) -> bytes:
    """Encrypt with AES in CFB mode from a zero vector, as TPMs do; libraries no longer offer that mode."""
    block = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305  # CFB is made of it
    before, done = bytes(16), b""
    for start in range(0, len(data), 16):
        part = data[start : start + 16]
        before = bytes(a ^ b for a, b in zip(part, block.update(before), strict=False))
        done += before
    return done


def _sized(data: bytes) -> bytes:
    """Return a TPM2B: the data behind its size in 2 bytes."""
    return struct.pack(">H", len(data)) + data
