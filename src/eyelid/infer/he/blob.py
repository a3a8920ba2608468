"""SEAL's binary layout (4.x), built from and taken apart into residues.

seal-python neither makes seeded objects nor compresses. Its loaders do expand seeds (``Ciphertext::load``),
so both sides build what SEAL loads from residues that were checked before: no byte of a stranger reaches
SEAL's own parser but seeds, and residues below their primes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eyelid.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import seal

    from eyelid.infer.he.residues import Residues
    from eyelid.infer.he.scheme import Scheme

SEED_BYTES = 64
BLAKE2XB = b"\x01"
_OUTER = struct.Struct("<HBBBBHQ")
_META = struct.Struct("<BQQQdQ")
PARMS_ID_BYTES = 32
_DATA = _OUTER.size + PARMS_ID_BYTES + _META.size
"""Where a ciphertext's data begins, with a header and a length of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """A ciphertext taken apart: its polynomials, uint64 (size, primes, degree), and its scale."""

    polynomials: Residues
    scale: float


def parms_id(scheme: Scheme, primes: int) -> bytes:
    """Return SEAL's id for the level with so many primes; all of them is the level of keys."""
    data = scheme.context.key_context_data()
    while data is not None:
        if len(data.parms().coeff_modulus()) == primes:
            return struct.pack("<4Q", *data.parms_id())
        data = data.next_context_data()
    raise InputError(f"a ciphertext has {primes} primes, and these parameters have no such level")


def _frame(length: int) -> bytes:
    return _OUTER.pack(0xA15E, _OUTER.size, 4, 0, 0, 0, _OUTER.size + length)


def _framed(payload: bytes) -> bytes:
    return _frame(len(payload)) + payload


def _body(level: bytes, shape: tuple[int, int, int], scale: float, data: bytes, seed: bytes | None) -> bytes:
    size, primes, degree = shape
    meta = level + _META.pack(1, size, degree, primes, scale, 1)
    count = struct.pack("<Q", len(data) // 8)
    tail = b"" if seed is None else _framed(BLAKE2XB + seed)
    array = _frame(len(count) + len(data))
    # joined once: a ciphertext has megabytes
    return b"".join(
        [_frame(len(meta) + len(array) + len(count) + len(data) + len(tail)), meta, array, count, data, tail]
    )


def build(scheme: Scheme, parts: Parts, seed: bytes | None = None) -> seal.Ciphertext:
    """Return SEAL's ciphertext of the polynomials; with ``seed`` the second polynomial is expanded from it.

    Raises InputError where SEAL finds the ciphertext invalid for the scheme.
    """
    size, primes, degree = parts.polynomials.shape
    shape = (2 if seed is not None else size, primes, degree)
    data = np.ascontiguousarray(parts.polynomials, "<u8").tobytes()
    blob = _body(parms_id(scheme, primes), shape, parts.scale, data, seed)
    try:
        return scheme.context.from_cipher_str(blob)
    except (RuntimeError, ValueError) as error:
        raise InputError("a ciphertext does not fit the model's parameters; encrypt with its key") from error


def take_apart(ciphertext: seal.Ciphertext) -> Parts:
    """Return the polynomials and the scale of SEAL's ciphertext."""
    return _parts(ciphertext.to_string())


def _parts(blob: bytes, start: int = 0) -> Parts:
    _, size, degree, primes, scale, _ = _META.unpack_from(blob, start + _OUTER.size + PARMS_ID_BYTES)
    count = size * primes * degree
    values = np.frombuffer(blob, "<u8", count, start + _DATA + _OUTER.size + 8)
    return Parts(values.reshape(size, primes, degree), scale)


def secret_residues(secret: seal.SecretKey, scheme: Scheme) -> Residues:
    """Return the secret key, (primes, degree), at the level of keys."""
    blob = secret.to_string()
    count = len(scheme.moduli) * scheme.degree
    return np.frombuffer(blob, "<u8", count, len(blob) - 8 * count).reshape(-1, scheme.degree)


def build_secret(scheme: Scheme, residues: Residues) -> seal.SecretKey:
    """Return SEAL's secret key of its residues. Raises InputError."""
    data = np.ascontiguousarray(residues, "<u8").tobytes()
    meta = parms_id(scheme, len(scheme.moduli)) + struct.pack("<Qd", residues.size, 1.0)
    try:
        return scheme.context.from_secret_str(
            _framed(meta + _framed(struct.pack("<Q", len(data) // 8) + data))
        )
    except (RuntimeError, ValueError) as error:
        raise InputError("the key does not fit its parameters; restore it from a copy") from error


def switching_keys(blob: bytes) -> dict[int, list[Residues]]:
    """Take Galois or relinearisation keys apart: index -> polynomials (2, primes, degree) a digit."""
    at = _OUTER.size + PARMS_ID_BYTES
    (count,) = struct.unpack_from("<Q", blob, at)
    at += 8
    found: dict[int, list[Residues]] = {}
    for index in range(count):
        (digits,) = struct.unpack_from("<Q", blob, at)
        at += 8
        for _ in range(digits):
            found.setdefault(index, []).append(_parts(blob, at).polynomials)
            at += _OUTER.unpack_from(blob, at)[-1]
    return found


def switching_blob(scheme: Scheme, keys: Mapping[int, Sequence[tuple[Residues, bytes]]], count: int) -> bytes:
    """Return what SEAL loads as Galois (``count`` = degree) or relinearisation keys (``count`` = 1).

    ``keys``: index -> for each digit its first polynomial, (primes, degree), and the seed of its second.
    """
    level = parms_id(scheme, len(scheme.moduli))
    parts = [level, struct.pack("<Q", count)]
    for index in range(count):
        digits = keys.get(index, ())
        parts.append(struct.pack("<Q", len(digits)))
        for first, seed in digits:
            shape = (2, len(scheme.moduli), scheme.degree)
            parts.append(_body(level, shape, 1.0, np.ascontiguousarray(first, "<u8").tobytes(), seed))
    return _framed(b"".join(parts))
