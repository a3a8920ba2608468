"""Half of a fresh ciphertext or key is random: send the seed of it (SEAL, section "seed compression").

SEAL makes (c0, c1) under the secret s with its own sampling of noise. For a fresh a, expanded from a seed of
the operating system's randomness, (c0 + (c1 - a) s, a) has the same message and the same noise, and is
distributed as a fresh encryption whose random half is a; c0 and c1 themselves are never shown.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eyelid.infer.he import blob
from eyelid.infer.he.residues import difference, shift_by_product

if TYPE_CHECKING:
    from collections.abc import Mapping

    import seal

    from eyelid.infer.he.residues import Residues
    from eyelid.infer.he.scheme import Scheme


@dataclass(frozen=True, slots=True, eq=False)
class Seeded:
    """The first polynomial, uint64 (primes, degree), and the seed, 64 bytes, of the second."""

    first: Residues
    seed: bytes


def reseed(ciphertext: seal.Ciphertext, secret: Residues, scheme: Scheme) -> tuple[Seeded, float]:
    """Return a fresh symmetric encryption by SEAL as (seeded form, scale)."""
    parts = blob.take_apart(ciphertext)
    seed = os.urandom(blob.SEED_BYTES)
    primes = parts.polynomials.shape[1]
    zero = np.zeros((1, primes, scheme.degree), np.uint64)
    random = blob.take_apart(blob.build(scheme, blob.Parts(zero, parts.scale), seed)).polynomials[1]
    return Seeded(_moved(parts.polynomials, random, secret, scheme), seed), parts.scale


def reseed_keys(
    fresh: seal.GaloisKeys | seal.RelinKeys, secret: Residues, scheme: Scheme
) -> dict[int, list[Seeded]]:
    """Return SEAL's fresh Galois or relinearisation keys in seeded form: index -> one for each digit."""
    keys = blob.switching_keys(fresh.to_string())
    zero = np.zeros((len(scheme.moduli), scheme.degree), np.uint64)
    made: dict[int, list[Seeded]] = {}
    for index, digits in keys.items():
        seeds = [os.urandom(blob.SEED_BYTES) for _ in digits]
        asked = {0: [(zero, seed) for seed in seeds]}
        expanded = scheme.context.from_relin_str(blob.switching_blob(scheme, asked, 1)).to_string()
        random = blob.switching_keys(expanded)[0]
        made[index] = [
            Seeded(_moved(old, new[1], secret, scheme), seed)
            for old, new, seed in zip(digits, random, seeds, strict=True)
        ]
    return made


def load_galois(scheme: Scheme, keys: Mapping[int, list[Seeded]]) -> seal.GaloisKeys:
    """Return SEAL's Galois keys of the seeded form."""
    return scheme.context.from_galois_str(blob.switching_blob(scheme, _pairs(keys), scheme.degree))


def load_relin(scheme: Scheme, keys: Mapping[int, list[Seeded]]) -> seal.RelinKeys:
    """Return SEAL's relinearisation keys of the seeded form."""
    return scheme.context.from_relin_str(blob.switching_blob(scheme, _pairs(keys), 1))


def _pairs(keys: Mapping[int, list[Seeded]]) -> dict[int, list[tuple[Residues, bytes]]]:
    return {index: [(part.first, part.seed) for part in digits] for index, digits in keys.items()}


def _moved(pair: Residues, random: Residues, secret: Residues, scheme: Scheme) -> Residues:
    """Return c0 + (c1 - a) s for (c0, c1) = ``pair`` and a = ``random``."""
    primes = pair.shape[1]
    moduli = scheme.moduli[:primes] if primes < len(scheme.moduli) else scheme.moduli
    return shift_by_product(pair[0], difference(pair[1], random, moduli), secret[:primes], moduli)
