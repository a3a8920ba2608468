"""Polynomials as residues modulo primes: packed to their bits, checked, multiplied without overflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from eyelid.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Residues: TypeAlias = "NDArray[np.uint64]"
"""(primes, degree): row i is the polynomial modulo prime i, in SEAL's NTT order."""

WORD = 64


def packed_size(degree: int, moduli: Sequence[int]) -> int:
    """Return the bytes that :func:`pack` makes of one polynomial: the same for every polynomial."""
    return sum(degree * modulus.bit_length() // 8 for modulus in moduli)


def pack(residues: Residues, moduli: Sequence[int]) -> bytes:
    """Return the residues in as many bits as their primes have, little-endian, prime by prime."""
    return b"".join(_squeeze(row, m.bit_length()).tobytes() for row, m in zip(residues, moduli, strict=True))


def unpack(data: bytes | memoryview, degree: int, moduli: Sequence[int]) -> Residues:
    """Return the residues, uint64 (primes, degree), that :func:`pack` wrote.

    Raises InputError unless ``data`` has just that length and every residue is below its prime.
    """
    if len(data) != packed_size(degree, moduli):
        raise InputError("a ciphertext is cut off or too long; send it again")
    residues = np.empty((len(moduli), degree), np.uint64)
    start = 0
    for row, modulus in zip(residues, moduli, strict=True):
        bits = modulus.bit_length()
        words = np.frombuffer(data, "<u8", degree * bits // WORD, start)
        row[:] = _spread(words.reshape(-1, bits), bits).reshape(-1)
        start += degree * bits // 8
        if row.max() >= modulus:
            raise InputError("a ciphertext holds a number that is none of its ring; it is forged or damaged")
    return residues


def _squeeze(row: NDArray[np.uint64], bits: int) -> NDArray[np.uint64]:
    """Put 64 values of ``bits`` bits into ``bits`` words, for all groups of 64 at once."""
    groups = row.reshape(-1, WORD)
    words = np.zeros((len(groups), bits), "<u8")
    for place in range(WORD):
        word, shift = divmod(place * bits, WORD)
        words[:, word] |= groups[:, place] << np.uint64(shift)
        if shift + bits > WORD:
            words[:, word + 1] |= groups[:, place] >> np.uint64(WORD - shift)
    return words


def _spread(words: NDArray[np.uint64], bits: int) -> NDArray[np.uint64]:
    """Undo :func:`_squeeze`."""
    groups = np.empty((len(words), WORD), np.uint64)
    mask = np.uint64((1 << bits) - 1)
    for place in range(WORD):
        word, shift = divmod(place * bits, WORD)
        value = words[:, word] >> np.uint64(shift)
        if shift + bits > WORD:
            value = value | (words[:, word + 1] << np.uint64(WORD - shift))
        groups[:, place] = value & mask
    return groups


def shift_by_product(base: Residues, first: Residues, second: Residues, moduli: Sequence[int]) -> Residues:
    """Return ``base + first * second`` modulo the primes (each below 2**61), element by element.

    ``second`` is split into two digits of 31 bits, so that float64 knows the quotient of each product but
    for one.
    """
    modulus = np.asarray(moduli, np.uint64)[:, None]
    result = _reduced(first, second >> np.uint64(31), modulus)
    result = _reduced(result, np.uint64(2**31), modulus)
    low = second & np.uint64(2**31 - 1)
    result = _sum(result, _reduced(first, low, modulus), modulus)
    return _sum(result, base, modulus)


def difference(first: Residues, second: Residues, moduli: Sequence[int]) -> Residues:
    """Return ``first - second`` modulo the primes."""
    modulus = np.asarray(moduli, np.uint64)[:, None]
    return _sum(first, modulus - second, modulus)


def _sum(first: Residues, second: Residues, modulus: NDArray[np.uint64]) -> Residues:
    total = first + second
    return np.where(total >= modulus, total - modulus, total)


def _reduced(value: Residues, digit: Residues | np.uint64, modulus: NDArray[np.uint64]) -> Residues:
    """Return ``value * digit`` modulo the primes, for digits up to 2**31; what wraps around cancels out."""
    quotient = (value.astype(np.float64) * digit / modulus).astype(np.uint64)
    rest = (value * digit - quotient * modulus).astype(np.int64)
    signed = modulus.astype(np.int64)
    rest = np.where(rest < 0, rest + signed, rest)
    return np.where(rest >= signed, rest - signed, rest).astype(np.uint64)
