"""How one picture's samples become those of another that was exposed differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from eyelid.obfuscate.remove.picture import Mask, Stack

_MOST: Final = 4_000
_FLAT: Final = 4.0
_QUANTILES: Final = np.linspace(0.05, 0.95, 19)
_LEAST_GAIN, _MOST_GAIN = 0.5, 2.0
_NOISE: Final = 4.0  # of 255


def exposed(stack: Stack, like: Stack, both: Mask) -> Stack:
    """Return the stack in the exposure of another: one gain and one offset per plane, fitted where both show.

    Begins with the quantiles, which do not care whether the pictures are aligned to the pixel, and goes on
    with those pixels that the fit explains. A plane without contrast keeps its gain.
    """
    out = np.empty_like(stack)
    every = max(1, int(both.sum()) // _MOST)
    for layer in range(stack.shape[2]):
        theirs = stack[..., layer][both][::every].astype(np.float64)
        ours = like[..., layer][both][::every].astype(np.float64)
        gain, offset = _line(np.quantile(theirs, _QUANTILES), np.quantile(ours, _QUANTILES))
        for _ in range(4):
            off = np.abs(ours - gain * theirs - offset)
            keep = off <= max(_NOISE, 2 * float(np.median(off)))
            gain, offset = _line(theirs[keep], ours[keep])
        out[..., layer] = gain * stack[..., layer] + offset
    return out


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    spread = float(x.std())
    gain = 1.0
    if spread >= _FLAT:
        slope = float(((x - x.mean()) * (y - y.mean())).mean()) / spread**2
        gain = min(max(slope, _LEAST_GAIN), _MOST_GAIN)
    return gain, float(y.mean() - gain * x.mean())
