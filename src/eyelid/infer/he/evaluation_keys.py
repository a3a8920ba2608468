"""Evaluation keys as bytes: what a server needs to compute, and nothing that decrypts.

Layout: ``EYEK``, version, length of the header, header (JSON), then for the relinearisation key (if demanded)
and each Galois element in ascending order its digits, each a seed and a packed polynomial; at the end SHA-256
of all before. The demands fix every length, so a server knows how many bytes to take before any arrives. The
key id is the beginning of that hash: nobody can put other keys in the place of someone's.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from eyelid.errors import InferenceError, InputError
from eyelid.infer.he import seeded
from eyelid.infer.he.blob import SEED_BYTES
from eyelid.infer.he.residues import pack, packed_size, unpack
from eyelid.infer.he.scheme import Demands

if TYPE_CHECKING:
    from collections.abc import Iterator

    import seal

    from eyelid.infer.he.residues import Residues

MAGIC = b"EYEK"
VERSION = 1
ID_BYTES = 16
_FRONT = struct.Struct("<4sBI")
_MAX_HEADER = 2**20


class Header(BaseModel):
    """What evaluation keys are for, and until when a server takes them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    demands: Demands
    created: AwareDatetime
    expires: AwareDatetime


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationKeys:
    """SEAL's keys to compute with; ``key_id`` is 32 hexadecimal digits."""

    key_id: str
    header: Header
    galois: seal.GaloisKeys | None
    relin: seal.RelinKeys | None

    def check_time(self, now: datetime | None = None) -> None:
        """Raise InferenceError if the keys have expired."""
        check_time(self.key_id, self.header.expires, now)


def check_time(key_id: str, expires: datetime, now: datetime | None = None) -> None:
    """Raise InferenceError if a key has expired."""
    if (now or datetime.now(UTC)) >= expires:
        raise InferenceError(
            f"key {key_id} expired on {expires:%Y-%m-%d}; make a new one with keygen --rotate"
        )


def body_size(demands: Demands) -> int:
    """Return the bytes of evaluation keys after their header."""
    moduli = demands.scheme.moduli
    digit = SEED_BYTES + packed_size(demands.scheme.degree, moduli)
    keys = len(demands.elements()) + demands.relinearise
    return keys * (len(moduli) - 1) * digit + hashlib.sha256().digest_size


def max_size(demands: Demands) -> int:
    """Return the bytes that evaluation keys for these demands have at most."""
    return _FRONT.size + len(demands.model_dump_json()) + 1024 + body_size(demands)


def write(
    header: Header, secret: Residues, galois: seal.GaloisKeys | None, relin: seal.RelinKeys | None
) -> Iterator[bytes]:
    """Yield SEAL's fresh keys as the bytes of a file; the last chunk is their SHA-256."""
    scheme = header.demands.scheme
    described = header.model_dump_json().encode()
    digest = hashlib.sha256()

    def counted(chunk: bytes) -> bytes:
        digest.update(chunk)
        return chunk

    yield counted(_FRONT.pack(MAGIC, VERSION, len(described)) + described)
    for fresh in (relin, galois):
        if fresh is None:
            continue
        for index, digits in sorted(seeded.reseed_keys(fresh, secret, scheme).items()):
            if fresh is galois and 2 * index + 1 not in header.demands.elements():
                raise InputError(f"a Galois key for {2 * index + 1} was made, and nothing demands it")
            for digit in digits:
                yield counted(digit.seed + pack(digit.first, scheme.moduli))
    yield digest.digest()


def read_header(data: bytes | bytearray) -> Header:
    """Return the header of evaluation keys. Raises InputError."""
    if len(data) < _FRONT.size or data[:4] != MAGIC:
        raise InputError("this is no file of evaluation keys; give the one that keygen wrote beside the key")
    _, version, length = _FRONT.unpack_from(data)
    if version != VERSION:
        raise InputError(f"these evaluation keys are of version {version}, this eyelid reads {VERSION}")
    if length > _MAX_HEADER or len(data) < _FRONT.size + length:
        raise InputError("these evaluation keys are cut off or damaged; send them again")
    try:
        return Header.model_validate_json(bytes(data[_FRONT.size : _FRONT.size + length]))
    except ValidationError as error:
        raise InputError("the header of these evaluation keys is damaged; send them again") from error


def read(data: bytes | bytearray, demands: Demands, key_id: str | None = None) -> EvaluationKeys:
    """Return the keys that :func:`write` wrote.

    Raises InputError unless all is in its place, the hash is right, and they are for these very ``demands``
    (and have ``key_id``, if given); InferenceError if they have expired.
    """
    header = read_header(data)
    if header.demands != demands:
        raise InputError("these evaluation keys are for another model; run keygen with this one")
    start = _FRONT.size + _FRONT.unpack_from(data)[2]
    view = memoryview(data)[start:]
    if len(view) != body_size(demands):
        raise InputError("these evaluation keys are cut off or too long; send them again")
    digest = hashlib.sha256(memoryview(data)[:-32]).digest()
    if digest != bytes(view[-32:]) or (key_id is not None and digest[:ID_BYTES].hex() != key_id):
        raise InputError("these evaluation keys are damaged or have another key id; send them again")
    check_time(digest[:ID_BYTES].hex(), header.expires)
    scheme = demands.scheme
    size = SEED_BYTES + packed_size(scheme.degree, scheme.moduli)
    digits = len(scheme.moduli) - 1

    def key(place: int) -> list[seeded.Seeded]:
        parts = [view[(place * digits + i) * size :][:size] for i in range(digits)]
        return [
            seeded.Seeded(unpack(part[SEED_BYTES:], scheme.degree, scheme.moduli), bytes(part[:SEED_BYTES]))
            for part in parts
        ]

    elements = demands.elements()
    first = int(demands.relinearise)
    galois = {(element - 1) // 2: key(first + i) for i, element in enumerate(elements)}
    return EvaluationKeys(
        digest[:ID_BYTES].hex(),
        header,
        seeded.load_galois(scheme, galois) if galois else None,
        seeded.load_relin(scheme, {0: key(0)}) if demands.relinearise else None,
    )
