"""Integer matrices times residues modulo primes of up to 60 bits, exactly, by float64 matrix products.

A residue is cut into limbs so short that a whole row of products and sums stays below 2^53, where float64 is
exact: two products of matrices then do what SEAL does in one scalar multiplication for each weight.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyelid.infer.he.residues import Residues

EXACT_BITS: Final = 53
PRIME_BITS: Final = 60
CHUNK: Final = 4096
"""Coefficients at a time, so that limbs and products stay in the cache."""
UNDER: Final = 2.0**-10
"""Taken off a quotient in float64, so that it is never above the true one."""


class IntegerMatrix:
    """A matrix (outputs, inputs) of whole numbers, float64, and a bias of Python integers (outputs,)."""

    def __init__(self, weights: NDArray[np.float64], bias: Sequence[int]) -> None:
        self.weights, self.bias = weights, bias
        longest = max(float(np.abs(weights).sum(axis=1).max(initial=1.0)), 1.0)
        self._bits = min(math.floor(EXACT_BITS - math.log2(longest)), PRIME_BITS)
        if self._bits < 8:
            raise ValueError(f"weights that sum up to {longest:.3g} leave no room for residues")
        self._limbs = -(-PRIME_BITS // self._bits)

    def times(self, inputs: Sequence[Residues], modulus: int, *, plus_bias: bool = False) -> Residues:
        """Return the products modulo a prime below 2^60, uint64 (outputs, degree), of inputs (degree,) each.

        The bias is added to all coefficients: in the form that SEAL keeps, that is a constant.
        """
        degree = inputs[0].size
        made = np.empty((len(self.weights), degree), np.uint64)
        for start in range(0, degree, CHUNK):
            part = np.stack([row[start : start + CHUNK] for row in inputs])
            made[:, start : start + CHUNK] = self._reduced(self._products(part), modulus)
        if plus_bias:
            made += np.array([value % modulus for value in self.bias], np.uint64)[:, None]
            np.minimum(made, made - np.uint64(modulus), out=made)
        return made

    def _products(self, part: Residues) -> list[NDArray[np.float64]]:
        mask = np.uint64((1 << self._bits) - 1)
        found = []
        for limb in range(self._limbs):
            shifted = part >> np.uint64(self._bits * limb) if limb else part
            digits = shifted & mask if limb < self._limbs - 1 else shifted
            found.append(self.weights @ digits.view(np.int64).astype(np.float64))
        return found

    def _reduced(self, products: list[NDArray[np.float64]], modulus: int) -> Residues:
        """Return the sum of ``products[i] * 2^(bits * i)`` modulo a prime; what wraps around cancels out."""
        quotient = products[-1] * (2.0 ** (self._bits * (self._limbs - 1)) / modulus)
        for limb, values in enumerate(products[:-1]):
            quotient += values * (2.0 ** (self._bits * limb) / modulus)
        quotient -= UNDER
        rest = np.floor(quotient, out=quotient).astype(np.int64)
        rest *= np.int64(-modulus)
        for limb, values in enumerate(products):
            whole = values.astype(np.int64)
            whole <<= np.int64(self._bits * limb)
            rest += whole
        result = rest.view(np.uint64)
        return np.asarray(np.minimum(result, result - np.uint64(modulus)))
