"""Noise with a known law, from the random numbers of the operating system; nothing here takes a seed.

Noise on whole numbers comes from OpenDP, whose samplers are exact: no bit of a floating-point number can tell
what was added to what (Mironov, "On significance of the least significant bits", CCS 2012). The noise of the
metric mechanisms is drawn in floating point, with 52 random bits a number; what they release is rounded to
whole tones, which hides the low bits but does not make the theorem exact.
"""

from __future__ import annotations

import math
import os
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from eyelid.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

PIECE: Final = 1 << 16
"""So many values go to OpenDP at once, where each takes half a kilobyte."""


def discrete_laplace(values: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
    """Return values (n,), int64, plus independent k with probability proportional to exp(-abs(k) / scale).

    Sums beyond 64 bits stay at the limit. Raises UsageError where OpenDP is not installed. Ghosh, Roughgarden
    and Sundararajan, "Universally Utility-Maximizing Privacy Mechanisms", STOC 2009.
    """
    dp = _opendp()
    space = dp.vector_domain(dp.atom_domain(T=dp.i64)), dp.l1_distance(T=dp.i64)
    return _in_pieces(dp.m.make_laplace(*space, scale=scale), values)


def discrete_gaussian(values: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
    """Return values (n,), int64, plus independent k with probability proportional to exp(-k^2 / (2 scale^2)).

    Sums beyond 64 bits stay at the limit. Raises UsageError where OpenDP is not installed. Canonne, Kamath
    and Steinke, "The Discrete Gaussian for Differential Privacy", NeurIPS 2020.
    """
    dp = _opendp()
    space = dp.vector_domain(dp.atom_domain(T=dp.i64)), dp.l2_distance(T=dp.f64)
    return _in_pieces(dp.m.make_gaussian(*space, scale=scale), values)


def vector_laplace(dimensions: int, epsilon: float) -> NDArray[np.float64]:
    """Return a vector z (dimensions,), float64, with density proportional to exp(-epsilon * norm(z)).

    Its direction is uniform, its Euclidean length follows Gamma(dimensions, 1 / epsilon): the sum of as many
    exponential draws. Chatzikokolakis et al., "Broadening the Scope of Differential Privacy", PETS 2013.
    """
    length = -np.log(_uniform(dimensions)).sum() / epsilon
    pairs = (dimensions + 1) // 2
    radius, angle = np.sqrt(-2 * np.log(_uniform(pairs))), 2 * math.pi * _uniform(pairs)
    direction = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:dimensions]
    return np.asarray(direction * (length / np.linalg.norm(direction)), np.float64)


def _uniform(count: int) -> NDArray[np.float64]:
    """Return draws strictly between 0 and 1."""
    bits = np.frombuffer(os.urandom(8 * count), np.uint64)
    return ((bits >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def _in_pieces(draw: Callable[[list[int]], list[int]], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return what a sampler that treats each value by itself makes of values (n,)."""
    noisy = np.empty(len(values), np.int64)
    for first in range(0, len(values), PIECE):
        noisy[first : first + PIECE] = draw(values[first : first + PIECE].tolist())
    return noisy


@cache
def _opendp() -> Any:
    try:
        import opendp.prelude as dp  # an extra, and slow to load
    except ImportError:
        raise UsageError("methods with noise need OpenDP; run: pip install 'eyelid[dp]'") from None
    dp.enable_features("contrib")
    return dp
