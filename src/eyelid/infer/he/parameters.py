"""CKKS parameters at 128 bits of security: the smallest ring whose modulus holds the network's depth.

A linear stage multiplies by plaintexts at scale 2^w and its square doubles all, so that one prime of s + 2w
bits takes both back to the scale 2^s: one wide prime a stage instead of two narrow ones, since the time and
the size of keys grow with the number of primes and not with their bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from eyelid.infer.he.scheme import Scheme
from eyelid.models.extras import require

MAX_BITS: Final = {8192: 218, 16384: 438, 32768: 881}
"""Bits of the whole modulus, ring by ring: HomomorphicEncryption.org standard (2018), table 1, ternary
secrets, 128 bits against classical attacks."""

PRIME_BITS: Final = 60
LEAST_WEIGHT_BITS: Final = 14
IMAGE_BITS: Final = 4
"""By how many bits the image's scale exceeds that of the weights: there is no rescaling behind it yet."""
MIDDLE_BITS: Final = 7
"""The same between two squares: noise of rescaling and rotations against rounding of weights."""
LAST_BITS: Final = 10
"""The same for the last linear layer: its scale costs nothing, the prime before it shrinks by as much."""
SPECIAL_BITS: Final = 4
"""By how much the key prime exceeds the others, at most: it divides the noise of rotations, which grows with
the number of primes, and it is paid for once."""
MARGIN_BITS: Final = 2
"""The sign, and answers up to twice those of the calibration images."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """A scheme, and the scale of the tensors after 0, 1, ... squares; ``last`` is that of the answer."""

    scheme: Scheme
    scales: tuple[float, ...]
    last: float

    def product_scale(self, depth: int, squares: bool) -> float:
        """Return the scale of a linear map after ``depth`` squares: exact after its own square."""
        if not squares:
            return self.last
        return math.sqrt(self.scales[depth + 1] * self.scheme.moduli[len(self.scales) - 1 - depth])


@dataclass(frozen=True, slots=True)
class Bits:
    """The bits of the primes, key prime last, and of the scales after 0, 1, ... squares and of the answer."""

    primes: list[int]
    scales: list[float]
    last: float


def bits(degree: int, depth: int, answer: float) -> Bits | None:
    """Return the most precise sizes for ``depth`` squares and answers up to ``answer``, or None."""
    for step in range(4 * PRIME_BITS, 4 * LEAST_WEIGHT_BITS - 1, -1):
        weight = step / 8 if depth == 0 else step / 4
        scales = [weight + IMAGE_BITS, *[weight + MIDDLE_BITS] * (depth - 1), weight + LAST_BITS][: depth + 1]
        # so that precision is relative to the answers, but for tiny ones: no scale is above its modulus
        last = scales[-1] + weight - max(math.log2(answer), 1.0 - MARGIN_BITS)
        first = math.ceil(scales[-1] + weight + MARGIN_BITS)
        chain = [math.ceil(2 * (scales[k] + weight) - scales[k + 1]) for k in range(depth)]
        special = min(PRIME_BITS, max([first, *chain]) + min(depth, SPECIAL_BITS))
        primes = [first, *reversed(chain), special]
        if max(primes) <= PRIME_BITS and sum(primes) <= MAX_BITS[degree]:
            return Bits(primes, scales, last)
    return None


def deepest(answer: float) -> int:
    """Return how many squares the largest ring holds."""
    return max(depth for depth in range(32) if bits(max(MAX_BITS), depth, answer) is not None)


def choose(depth: int, slots: int, answer: float) -> Parameters | None:
    """Return the smallest parameters for ``depth`` squares and at least ``slots`` slots, or None."""
    for degree in MAX_BITS:
        found = bits(degree, depth, answer)
        if degree // 2 >= slots and found is not None:
            require("homomorphic encryption", "he", "seal")
            import seal

            moduli = tuple(prime.value() for prime in seal.CoeffModulus.Create(degree, found.primes))
            scales = tuple(2.0**scale for scale in found.scales)
            return Parameters(Scheme(degree=degree, moduli=moduli), scales, 2.0**found.last)
    return None
