"""A filter for the eye: what noisy tones most likely were, going by the laws of noise and of pictures."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from eyelid.obfuscate.held import Tones

_CONTRAST: Final = 0.15
_DECAY: Final = 1.0


def denoise(tones: Tones, deviation: float, peak: int) -> Tones:
    """Return the Wiener estimate of tones (rows, columns) whose noise has that standard deviation.

    It takes pictures to have a power spectrum that falls with the square of the frequency (Field, "Relations
    between the statistics of natural images and the response properties of cortical cells", 1987). It reads
    noisy tones only, so it is post-processing.
    """
    rows, columns = tones.shape
    down, across = _cosines(rows), _cosines(columns)
    middle = (peak + 1) / 2
    spectrum = down @ (tones - middle) @ across.T
    frequency = np.arange(rows)[:, None] ** 2 + np.arange(columns)[None, :] ** 2
    signal = rows * columns * (_CONTRAST * peak) ** 2 / (1 + _DECAY * frequency)
    kept = spectrum * (signal / (signal + deviation**2))
    return np.asarray(down.T @ kept @ across + middle, np.float64)


@lru_cache(maxsize=32)
def _cosines(side: int) -> Tones:
    """Return the orthonormal matrix (side, side) of the discrete cosine transform, one frequency a row."""
    matrix = np.cos(np.pi * np.arange(side)[:, None] * (np.arange(side) + 0.5)[None, :] / side)
    matrix *= np.sqrt(2 / side)
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix, np.float64)
