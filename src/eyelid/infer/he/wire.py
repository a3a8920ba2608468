"""Requests and responses as bytes: each length follows from the offer, so nothing unbounded is ever parsed.

Layout: ``EYHE``, version, kind, polynomials sent of each ciphertext, key id, artefact, request id, count,
primes, degree, scale; the ciphertexts; SHA-256 of all before, which finds damage (TLS is what finds forgery).
A fresh ciphertext is a seed and one polynomial, so all requests for one artefact have one size.
"""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from eyelid.errors import InferenceError, InputError
from eyelid.infer.he import blob
from eyelid.infer.he.blob import SEED_BYTES, Parts
from eyelid.infer.he.residues import pack, packed_size, unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

    import seal

    from eyelid.infer.he.contract import Offer, Wire
    from eyelid.infer.he.scheme import Scheme
    from eyelid.infer.he.seeded import Seeded

MAGIC = b"EYHE"
VERSION = 1
_FRONT = struct.Struct("<4sBBBx16s32s16sIIId")
_HASH = 32
MAX_SCALE = 2.0**120


class Kind(IntEnum):
    """What a message is."""

    REQUEST = 1
    RESPONSE = 2


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """A checked message: SEAL's ciphertexts, whose key they are under, and which request they belong to."""

    key_id: str
    request_id: bytes
    ciphertexts: list[seal.Ciphertext]


def size(scheme: Scheme, wire: Wire, kind: Kind) -> int:
    """Return the bytes of every message of this kind: requests are seeded, responses are two polynomials."""
    polynomial = packed_size(scheme.degree, scheme.moduli[: wire.primes])
    each = SEED_BYTES + polynomial if kind is Kind.REQUEST else 2 * polynomial
    return _FRONT.size + wire.count * each + _HASH


def write_request(offer: Offer, key_id: str, request_id: bytes, inputs: Sequence[Seeded]) -> bytes:
    """Return fresh symmetric encryptions as a request."""
    moduli = offer.demands.scheme.moduli[: offer.request.primes]
    payload = [part.seed + pack(part.first, moduli) for part in inputs]
    return _whole(offer, offer.request, Kind.REQUEST, key_id, request_id, offer.request.scale, payload)


def write_response(offer: Offer, key_id: str, request_id: bytes, outputs: Sequence[seal.Ciphertext]) -> bytes:
    """Return what a program computed as a response; raises InferenceError if it is not what is on offer."""
    wire, degree = offer.response, offer.demands.scheme.degree
    moduli = offer.demands.scheme.moduli[: wire.primes]
    parts = [blob.take_apart(output) for output in outputs]
    shapes = {part.polynomials.shape for part in parts}
    if len(parts) != wire.count or shapes != {(2, wire.primes, degree)}:
        raise InferenceError("the artefact computed something else than it offers; compile the model again")
    payload = [pack(polynomial, moduli) for part in parts for polynomial in part.polynomials]
    return _whole(offer, wire, Kind.RESPONSE, key_id, request_id, parts[0].scale, payload)


def _whole(
    offer: Offer, wire: Wire, kind: Kind, key_id: str, request_id: bytes, scale: float, payload: list[bytes]
) -> bytes:
    front = _FRONT.pack(
        MAGIC,
        VERSION,
        kind,
        1 if kind is Kind.REQUEST else 2,
        bytes.fromhex(key_id),
        bytes.fromhex(offer.artefact),
        request_id,
        wire.count,
        wire.primes,
        offer.demands.scheme.degree,
        scale,
    )
    whole = b"".join([front, *payload])
    return whole + hashlib.sha256(whole).digest()


def key_id_of(data: bytes) -> str:
    """Return the key id that a request names, before anything else of it is read. Raises InputError."""
    if len(data) < _FRONT.size or data[:4] != MAGIC:
        raise InputError("this is no message of encrypted inference; send what eyelid wrote")
    return bytes(_FRONT.unpack_from(data)[4]).hex()


def read(data: bytes, offer: Offer, kind: Kind) -> Message:
    """Return a message whose every field is as the offer has it.

    Raises InputError in one sentence for what is no message, of another version, artefact, or form, cut off,
    too long, damaged, or holds what is no ciphertext of these parameters.
    """
    key_id = key_id_of(data)
    fields = _FRONT.unpack_from(data)
    _, version, is_kind, sent, _, artefact, request_id, count, primes, degree, scale = fields
    wire = offer.request if kind is Kind.REQUEST else offer.response
    scheme = offer.demands.scheme
    if version != VERSION:
        raise InputError(f"this message is of version {version}, this eyelid reads {VERSION}; use the same")
    if is_kind != kind or sent != (1 if kind is Kind.REQUEST else 2):
        raise InputError(f"this message is no {kind.name.lower()}; servers take requests, clients responses")
    if artefact.hex() != offer.artefact:
        raise InputError(f"this message is for artefact {artefact.hex()[:16]}, not {offer.artefact[:16]}")
    if (count, primes, degree) != (wire.count, wire.primes, scheme.degree):
        raise InputError("this message has not the form that the artefact asks for; encrypt again for it")
    if len(data) != size(scheme, wire, kind):
        raise InputError(f"this message is cut off or too long ({len(data):,} bytes); send it again")
    if hashlib.sha256(memoryview(data)[:-_HASH]).digest() != data[-_HASH:]:
        raise InputError("this message was damaged on its way; send it again")
    if kind is Kind.REQUEST and scale != wire.scale:
        raise InputError("this message has another scale than the artefact asks for; encrypt again for it")
    if not (math.isfinite(scale) and 1.0 < scale <= MAX_SCALE):
        raise InputError("this message has a scale that none can be; it is forged")
    return Message(key_id, request_id, _ciphertexts(memoryview(data), scheme, wire, scale, kind))


def _ciphertexts(
    data: memoryview, scheme: Scheme, wire: Wire, scale: float, kind: Kind
) -> list[seal.Ciphertext]:
    moduli = scheme.moduli[: wire.primes]
    length = packed_size(scheme.degree, moduli)
    found = []
    at = _FRONT.size
    for _ in range(wire.count):
        seed = None
        if kind is Kind.REQUEST:
            seed = bytes(data[at : at + SEED_BYTES])
            at += SEED_BYTES
        polynomials = []
        for _ in range(1 if seed is not None else 2):
            polynomials.append(unpack(data[at : at + length], scheme.degree, moduli))
            at += length
        found.append(blob.build(scheme, Parts(np.stack(polynomials), scale), seed))
    return found
