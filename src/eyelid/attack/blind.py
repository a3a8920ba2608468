"""Finds how wide a filter was from what it blurred, and from nothing else.

A filter shapes the spectrum of a picture, and clear pictures have spectra alike: power that falls with the
square of frequency (Field, JOSA A 1987). So the filter is taken under which the spectrum that is seen is most
likely (Whittle, "Estimation and information in stationary time series", Arkiv för Matematik 1953).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyelid.attack.dataset import Picture, Pictures

    Floats = NDArray[np.float64]

_ROUNDING: Final = 1 / 12
"""Variance of the error that rounding to whole levels makes."""
_STRENGTHS: Final = np.exp(np.arange(-2.0, 10.0, 0.5))
"""How much power a picture may have, at frequency 1."""


def likeliest(pictures: Pictures, powers: Sequence[Floats], rounding: float = 1.0) -> int:
    """Return which filter most likely blurred all of the pictures, uint8 (n, height, width).

    ``powers`` are what :func:`power` makes of each candidate for pictures of that size; ``rounding`` is the
    variance of their error in units of one rounding to whole levels.
    """
    seen = np.mean([_spectrum(picture) for picture in pictures], axis=0)
    return int(np.argmin([_unlikelihood(seen, each, rounding * _ROUNDING) for each in powers]))


def power(weights: Floats, shape: tuple[int, ...]) -> Floats:
    """Return the share of power that a filter (k, k) leaves at each frequency of pictures of a shape."""
    places = np.arange(weights.shape[0]) - weights.shape[0] // 2
    down, across = (np.exp(-1j * np.pi * np.outer(np.arange(s) / s, places)) for s in _even(shape))
    return np.asarray(np.abs(down @ weights @ across.T) ** 2, np.float64)


def _spectrum(picture: Picture) -> Floats:
    """Return the power of a picture by cosine transform, which takes its edges as mirrored."""
    rows, columns = _even(picture.shape)
    values = picture[:rows, :columns].astype(np.float64)
    return np.asarray(cv2.dct(values - values.mean()), np.float64) ** 2


def _even(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the size that OpenCV's cosine transform can take."""
    return shape[0] // 2 * 2, shape[1] // 2 * 2


def _unlikelihood(seen: Floats, left: Floats, noise: float) -> float:
    """Return the negative log-likelihood of a spectrum under the best strength of the picture."""
    down, across = (np.arange(side) / side for side in seen.shape)
    falloff = 1 / np.maximum(down[:, None] ** 2 + across[None] ** 2, 1e-9)
    told = np.ones(seen.shape, np.bool_)
    told[:2, :2] = False  # the lowest frequencies are the scene's own

    def of(strength: float) -> float:
        expected = strength * falloff * left + noise
        return float((np.log(expected) + seen / expected)[told].sum())

    return min(of(float(strength)) for strength in _STRENGTHS)
