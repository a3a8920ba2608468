"""One of many steps for each pixel: where its own costs are least, and smooth but for edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_SLANT, _JUMP = np.float32(3), np.float32(30)
"""What it costs to lie a step, or further, off the pixel beside."""


def smoothed(volume: Floats) -> Floats:
    """Return the step of each pixel (rows, columns), to parts of a step, by the costs (rows, columns, steps).

    It is that of least cost along paths from eight directions (Hirschmueller, "Stereo processing by
    semiglobal matching", IEEE PAMI 2008). Costs are float32, in parts of 255.
    """
    total = np.zeros_like(volume)
    for turns in range(4):
        for slant in (0, 1):
            total += np.rot90(_path(np.rot90(volume, turns), slant), -turns)
    best = total.argmin(axis=-1)
    inner = np.clip(best, 1, volume.shape[-1] - 2)
    low, mid, high = (np.take_along_axis(total, (inner + k)[..., None], -1)[..., 0] for k in (-1, 0, 1))
    curve = np.maximum(low - 2 * mid + high, 1e-3)
    shift = ((low - high) / (2 * curve)).clip(-0.5, 0.5)
    return np.asarray(np.where(best == inner, inner + shift, best), np.float32)


def _path(volume: Floats, slant: int) -> Floats:
    """Return the least costs of paths that come from the row before, ``slant`` columns to the left."""
    out = volume.copy()
    for row in range(1, len(volume)):
        before = np.roll(out[row - 1], slant, axis=0)
        before[:slant] = 0
        least = before.min(axis=-1, keepdims=True)
        move = np.minimum(before, least + _JUMP)
        np.minimum(move[:, 1:], before[:, :-1] + _SLANT, out=move[:, 1:])
        np.minimum(move[:, :-1], before[:, 1:] + _SLANT, out=move[:, :-1])
        out[row] += move - least
    return out
