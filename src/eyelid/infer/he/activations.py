"""Activations as parabolas: what one encrypted square can compute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eyelid.errors import UnsupportedError
from eyelid.infer.network import Activation, Polynomial, Relu, Square

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLAT = 1e-9
"""A parabola with less curvature than this (for its range) is a line."""


@dataclass(frozen=True, slots=True)
class Parabola:
    """``curvature * (x + shift)^2 + constant``; ``error`` is the fit's root mean square, None where exact."""

    curvature: float
    shift: float
    constant: float
    error: float | None

    @property
    def coefficients(self) -> tuple[float, float, float]:
        """Return the same in ascending powers."""
        a = self.curvature
        return a * self.shift**2 + self.constant, 2 * a * self.shift, a


def parabola(name: str, activation: Activation, values: NDArray[np.float64]) -> Parabola:
    """Return an activation as a parabola, fitted by least squares to calibration ``values`` where it is none.

    Raises :class:`UnsupportedError`, naming the layer, for polynomials of a degree other than 2.
    """
    error = None
    match activation:
        case Square():
            return Parabola(1.0, 0.0, 0.0, None)
        case Polynomial(coefficients=coefficients):
            given = np.trim_zeros(np.asarray(coefficients, float), "b")
            if len(given) != 3:
                raise UnsupportedError(
                    f"{name} is a polynomial of degree {len(given) - 1}; encrypted layers take 2: fit it so"
                )
            constant, line, curvature = given
        case Relu():
            x = values.ravel()
            curvature, line, constant = np.polyfit(x, np.maximum(x, 0.0), 2)
            error = float(
                np.sqrt(np.mean((np.polyval([curvature, line, constant], x) - np.maximum(x, 0.0)) ** 2))
            )
            if abs(curvature) * np.abs(x).max() < FLAT:
                raise UnsupportedError(
                    f"{name} (Relu) is never crossed by the calibration images; calibrate with real ones"
                )
    shift = line / (2 * curvature)
    return Parabola(float(curvature), float(shift), float(constant - curvature * shift**2), error)
