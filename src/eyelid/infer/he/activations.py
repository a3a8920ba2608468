"""Activations as squares of sums: what encrypted layers can compute, up to degree 4."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from eyelid.errors import UnsupportedError, UsageError
from eyelid.infer.network import Activation, Polynomial, Relu, Square

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLAT: Final = 1e-9
"""A term with less than this over its range is none."""
HIGHEST: Final = 4
FAR: Final = 1.0
"""A quartic whose axis lies farther from zero than this, in ranges, is no single square of a parabola."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A polynomial in ascending powers; ``error`` is the fit's root mean square, None where exact."""

    coefficients: tuple[float, ...]
    error: float | None

    @property
    def degree(self) -> int:
        """The highest power."""
        return len(self.coefficients) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Squares:
    """A curve of x as ``constant + rest . u + gains . v`` with ``u = (x + shifts)^2`` and ``v`` a second row.

    ``v = (inner u + offsets)^2``, float64: shifts (k,), rest (k,), inner (j, k), offsets (j,), gains (j,).
    Degree 2 has j = 0, degrees 3 and 4 take two levels.
    """

    shifts: NDArray[np.float64]
    rest: NDArray[np.float64]
    inner: NDArray[np.float64]
    offsets: NDArray[np.float64]
    gains: NDArray[np.float64]
    constant: float


def curve(name: str, activation: Activation, values: NDArray[np.float64], degree: int) -> Curve:
    """Return an activation as a polynomial; a Relu is fitted to calibration ``values`` with ``degree``.

    Raises :class:`UnsupportedError`, naming the layer, for polynomials of a degree above 4, and
    :class:`UsageError` for a ``degree`` to fit that is none of 2 to 4.
    """
    if not 2 <= degree <= HIGHEST:
        raise UsageError(f"degree {degree}: encrypted layers compute degrees 2 to {HIGHEST}")
    match activation:
        case Square():
            return Curve((0.0, 0.0, 1.0), None)
        case Polynomial(coefficients=coefficients):
            given = np.trim_zeros(np.asarray(coefficients, float), "b")
            if len(given) > HIGHEST + 1:
                raise UnsupportedError(
                    f"{name} is a polynomial of degree {len(given) - 1}; encrypted layers take {HIGHEST} at "
                    "most: fit it so"
                )
            return Curve(tuple(given.tolist()), None)
        case Relu():
            x = values.ravel()
            wanted = np.maximum(x, 0.0)
            largest = float(np.abs(x).max()) or 1.0
            found = np.polynomial.Polynomial.fit(x, wanted, degree, domain=[-largest, largest])
            if np.abs(found.coef[2:]).max() < FLAT * largest:
                raise UnsupportedError(
                    f"{name} (Relu) is never crossed by the calibration images; calibrate with real ones"
                )
            error = float(np.sqrt(np.mean((found(x) - wanted) ** 2)))
            return Curve(tuple(found.convert().coef.tolist()), error)


def squares(polynomial: Curve, largest: float) -> Squares:
    """Return a polynomial of degree 2 to 4 as squares; ``largest`` is the largest absolute x."""
    constant, line, bend, *higher = polynomial.coefficients
    cubic, quartic = (*higher, 0.0, 0.0)[:2]
    if not higher:
        shift = line / (2 * bend)
        return _made([shift], [bend], [], [], [], constant - bend * shift**2)
    if abs(cubic) <= abs(quartic) * 2 * FAR * largest:
        return _quartic((constant, line, bend, cubic, quartic), largest)
    # With u = x^2 and v = (u + k x)^2, (u - k x)^2 the sum of v has x^4 in it, and the difference x^3.
    k = largest
    x = np.array([-1.0, 1.0]) / (2 * k)  # x = (w - u) / 2k - k / 2 with w = (x + k)^2
    u = np.array([1.0, 0.0])
    inner = np.stack([u + k * x, u - k * x])
    offsets = np.array([-k * k / 2, k * k / 2])
    gains = quartic / 2 + np.array([1.0, -1.0]) * cubic / (4 * k)
    rest = (bend - quartic * k * k) * u + line * x
    return _made([0.0, k], rest, inner, offsets, gains, constant - line * k / 2)


def _quartic(coefficients: tuple[float, float, float, float, float], largest: float) -> Squares:
    """Return a (z^2 + g)^2 + d z + e, where z = x + shift: one square of a parabola, and a line."""
    quartic = coefficients[4]
    shift = coefficients[3] / (4 * quartic)
    moved = np.polynomial.Polynomial(coefficients)(np.polynomial.Polynomial([-shift, 1.0])).coef
    g = moved[2] / (2 * quartic)
    line, constant = moved[1], moved[0] - quartic * g * g
    k = largest + abs(shift)
    if abs(line) * k <= FLAT * max(abs(quartic) * k**4, abs(moved[2]) * k**2):
        return _made([shift], [0.0], [[1.0]], [g], [quartic], constant)
    rest = line * np.array([-1.0, 1.0]) / (2 * k)
    return _made([shift, shift + k], rest, [[1.0, 0.0]], [g], [quartic], constant - line * k / 2)


def _made(
    shifts: _Numbers, rest: _Numbers, inner: _Rows, offsets: _Numbers, gains: _Numbers, constant: float
) -> Squares:
    k = len(shifts)
    rows = np.asarray(inner, float).reshape(-1, k)
    return Squares(
        np.asarray(shifts, float),
        np.asarray(rest, float),
        rows,
        np.asarray(offsets, float),
        np.asarray(gains, float),
        float(constant),
    )


if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    _Numbers: TypeAlias = Sequence[float] | NDArray[np.float64]
    _Rows: TypeAlias = Sequence[Sequence[float]] | NDArray[np.float64]
