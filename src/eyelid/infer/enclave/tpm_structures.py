"""Structures that a TPM signs or hands out, as part 2 of the TPM 2.0 library specification lays them out."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from eyelid.infer.enclave.findings import Refused

MAGIC: Final = 0xFF544347
QUOTE: Final = 0x8018
CERTIFY: Final = 0x8017

FIXED_TPM: Final = 1 << 1
FIXED_PARENT: Final = 1 << 4
SENSITIVE_DATA_ORIGIN: Final = 1 << 5
USER_WITH_AUTH: Final = 1 << 6
RESTRICTED: Final = 1 << 16
DECRYPT: Final = 1 << 17
SIGN: Final = 1 << 18

_RSA, _ECC, _NULL = 0x0001, 0x0023, 0x0010
_RSASSA, _RSAES, _RSAPSS, _ECDAA = 0x0014, 0x0015, 0x0016, 0x001A
_ECDSA: Final = 0x0018
_SHA256: Final = 0x000B
_HASHES: Final = {_SHA256: "sha256", 0x000C: "sha384", 0x000D: "sha512"}
_SIGNED: Final = {_SHA256: hashes.SHA256(), 0x000C: hashes.SHA384(), 0x000D: hashes.SHA512()}
_CURVES: Final[dict[int, ec.EllipticCurve]] = {0x0003: ec.SECP256R1(), 0x0004: ec.SECP384R1()}


class Reader:
    """Reads a structure from its start; raises Refused where it is cut off."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._at = 0
        self.what = what

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        end = self._at + size
        if end > len(self._data):
            raise Refused("format", f"{self.what} is cut off")
        part = self._data[self._at : end]
        self._at = end
        return part

    def number(self, size: int) -> int:
        """Return the next big-endian number."""
        return int.from_bytes(self.take(size), "big")

    def sized(self) -> bytes:
        """Return the next TPM2B: a size of 2 bytes, and as many bytes."""
        return self.take(self.number(2))

    def end(self) -> None:
        """Raise Refused where bytes are left."""
        if self._at != len(self._data):
            raise Refused("format", f"bytes follow {self.what}")


@dataclass(frozen=True, slots=True)
class Attest:
    """A TPMS_ATTEST: a quote has ``pcrs`` (SHA-256 bank) and their digest, a certification has ``name``."""

    kind: int
    extra: bytes
    pcrs: tuple[int, ...] = ()
    pcr_digest: bytes = b""
    name: bytes = b""


@dataclass(frozen=True, slots=True)
class Public:
    """A TPMT_PUBLIC of an RSA or ECC key; ``name`` is what the TPM calls it: its hash."""

    name: bytes
    attributes: int
    policy: bytes
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey

    def has(self, attributes: int) -> bool:
        """Whether all these attributes are set."""
        return self.attributes & attributes == attributes


@dataclass(frozen=True, slots=True)
class Signature:
    """A TPMT_SIGNATURE: ``hash_name`` as hashlib spells it, ``value`` in DER for ECDSA."""

    scheme: int
    hash_id: int
    value: bytes

    @property
    def hash_name(self) -> str:
        """The hash of the scheme, which a quote uses for its PCR digest too."""
        return _HASHES[self.hash_id]

    def check(self, key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey, data: bytes) -> None:
        """Raise InvalidSignature unless the key signed the data in this scheme."""
        algorithm = _SIGNED[self.hash_id]
        if isinstance(key, ec.EllipticCurvePublicKey) and self.scheme == _ECDSA:
            key.verify(self.value, data, ec.ECDSA(algorithm))
        elif isinstance(key, rsa.RSAPublicKey) and self.scheme == _RSASSA:
            key.verify(self.value, data, padding.PKCS1v15(), algorithm)
        elif isinstance(key, rsa.RSAPublicKey) and self.scheme == _RSAPSS:
            pss = padding.PSS(padding.MGF1(algorithm), padding.PSS.AUTO)
            key.verify(self.value, data, pss, algorithm)
        else:
            raise Refused("signature", "the signature's scheme is not one of the attestation key")


def parse_attest(data: bytes, kind: int, what: str) -> Attest:
    """Read a TPMS_ATTEST of one kind; raises Refused where it is another or malformed."""
    reader = Reader(data, what)
    if reader.number(4) != MAGIC:
        raise Refused("format", f"{what} was not made inside a TPM: it lacks TPM_GENERATED")
    if reader.number(2) != kind:
        raise Refused("format", f"{what} is a TPM's statement of another kind")
    reader.sized()  # the name of the signing key, which a verifier has no use for
    extra = reader.sized()
    reader.take(17 + 8)  # clock, reset and restart counts, whether the clock is safe; firmware version
    if kind == CERTIFY:
        name = reader.sized()
        reader.sized()
        reader.end()
        return Attest(kind, extra, name=name)
    if reader.number(4) != 1 or reader.number(2) != _SHA256:
        raise Refused("format", f"{what} does not cover exactly the SHA-256 bank")
    select = reader.take(reader.number(1))
    pcrs = tuple(i for i in range(8 * len(select)) if select[i // 8] >> i % 8 & 1)
    digest = reader.sized()
    reader.end()
    return Attest(kind, extra, pcrs, digest)


def parse_public(data: bytes, what: str) -> Public:
    """Read a TPMT_PUBLIC; raises Refused where it is malformed, or of a kind that is not supported."""
    reader = Reader(data, what)
    family, name_hash = reader.number(2), reader.number(2)
    attributes = reader.number(4)
    policy = reader.sized()
    if name_hash not in _HASHES:
        raise Refused("format", f"{what} is named by an unknown hash")
    if reader.number(2) != _NULL:  # the cipher that protects children, which only storage keys have
        reader.take(4)
    scheme = reader.number(2)
    if scheme not in (_NULL, _RSAES):
        reader.take(4 if scheme == _ECDAA else 2)
    try:
        key = _rsa(reader) if family == _RSA else _ecc(reader) if family == _ECC else None
    except ValueError:
        raise Refused("format", f"{what} is no sound key") from None
    if key is None:
        raise Refused("format", f"{what} is neither RSA nor ECC")
    reader.end()
    name = struct.pack(">H", name_hash) + hashlib.new(_HASHES[name_hash], data).digest()
    return Public(name, attributes, policy, key)


def parse_signature(data: bytes, what: str) -> Signature:
    """Read a TPMT_SIGNATURE; raises Refused where it is malformed, or of a scheme that is not supported."""
    reader = Reader(data, what)
    scheme, hash_id = reader.number(2), reader.number(2)
    if hash_id not in _HASHES:
        raise Refused("format", f"{what} uses an unknown hash")
    if scheme == _ECDSA:
        r, s = (int.from_bytes(reader.sized(), "big") for _ in range(2))
        value = encode_dss_signature(r, s)
    elif scheme in (_RSASSA, _RSAPSS):
        value = reader.sized()
    else:
        raise Refused("format", f"{what} has an unknown scheme")
    reader.end()
    return Signature(scheme, hash_id, value)


def pcr_policy(pcr: int, value: bytes) -> bytes:
    """Return the policy (TPM2_PolicyPCR) of a key that works only while a PCR (SHA-256) holds a value."""
    select = bytearray(3)
    select[pcr // 8] = 1 << pcr % 8
    selection = struct.pack(">IHB", 1, _SHA256, len(select)) + select
    command = struct.pack(">I", 0x0000017F)
    return hashlib.sha256(bytes(32) + command + selection + hashlib.sha256(value).digest()).digest()


def _rsa(reader: Reader) -> rsa.RSAPublicKey:
    bits, exponent = reader.number(2), reader.number(4) or 65537
    modulus = reader.sized()
    if bits < 2048 or len(modulus) * 8 != bits:
        raise ValueError("an RSA key is too short, or not of its size")
    return rsa.RSAPublicNumbers(exponent, int.from_bytes(modulus, "big")).public_key()


def _ecc(reader: Reader) -> ec.EllipticCurvePublicKey:
    curve = _CURVES.get(reader.number(2))
    if reader.number(2) != _NULL:  # the key derivation of the scheme
        reader.take(2)
    x, y = (int.from_bytes(reader.sized(), "big") for _ in range(2))
    if curve is None:
        raise ValueError("an unknown curve")
    return ec.EllipticCurvePublicNumbers(x, y, curve).public_key()
