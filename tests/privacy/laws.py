"""Declared laws of noise, and how far draws are from them (Kolmogorov and Smirnov)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Law: TypeAlias = "Callable[[NDArray[np.float64]], NDArray[np.float64]]"
"""The probability of a value not above x, for each x (n,)."""


def threshold(n: int, chance: float = 1e-9) -> float:
    """Return a distance that n draws exceed with at most this chance (Massart, 1990)."""
    return math.sqrt(math.log(2 / chance) / (2 * n))


def distance(drawn: NDArray[np.int64] | NDArray[np.float64], law: Law) -> float:
    """Return the largest difference between the share of draws up to x and what the law says."""
    values, counts = np.unique(drawn.astype(np.float64), return_counts=True)
    share = np.cumsum(counts) / counts.sum()
    said = law(values)
    before = law(np.nextafter(values, -np.inf))
    return float(max(np.abs(share - said).max(), np.abs(share - counts / counts.sum() - before).max()))


def laplace_law(scale: float) -> Law:
    """The discrete Laplace law on whole numbers."""
    ratio = math.exp(-1 / scale)

    def law(x: NDArray[np.float64]) -> NDArray[np.float64]:
        k = np.floor(x)
        return np.where(k < 0, ratio ** np.abs(k) / (1 + ratio), 1 - ratio ** (np.abs(k) + 1) / (1 + ratio))

    return law


def table_law(weight: Callable[[int], float], reach: int = 400) -> Law:
    """The law on whole numbers whose probabilities are proportional to ``weight``."""
    weights = np.array([weight(k) for k in range(-reach, reach + 1)])
    total = np.cumsum(weights) / weights.sum()

    def law(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(total[np.clip(np.floor(x).astype(int) + reach, 0, 2 * reach)], np.float64)

    return law


def gamma_law(shape: int) -> Law:
    """The Gamma law of whole shape and scale 1 (Erlang): 1 - exp(-x) * sum of x^i / i!."""

    def law(x: NDArray[np.float64]) -> NDArray[np.float64]:
        terms = [np.exp(-x + i * np.log(np.maximum(x, 1e-300)) - math.lgamma(i + 1)) for i in range(shape)]
        return np.asarray(1 - np.sum(terms, axis=0), np.float64)

    return law
