"""How one picture's samples become those of another that was exposed differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from eyelid.obfuscate.remove.picture import Mask, Stack

Exposure: TypeAlias = NDArray[np.float32]
"""One gain and one offset for each plane, (planes, 2)."""

_MOST: Final = 4_000
_FLAT: Final = 4.0
_QUANTILES: Final = np.linspace(0.05, 0.95, 19)
_LEAST_GAIN, _MOST_GAIN = 0.5, 2.0
_NOISE: Final = 4.0  # of 255


def exposed(stack: Stack, like: Stack, both: Mask) -> Stack:
    """Return the stack in the exposure of another, as it is fitted where both show."""
    return relit(stack, exposure(stack, like, both))


def relit(stack: Stack, fitted: Exposure) -> Stack:
    """Return a stack by one gain and one offset for each of its planes."""
    return np.asarray(stack * fitted[:, 0] + fitted[:, 1], np.float32)


def exposure(stack: Stack, like: Stack, both: Mask) -> Exposure:
    """Return one gain and one offset per plane, (planes, 2), fitted where both stacks show.

    Begins with the quantiles, which do not care whether the pictures are aligned to the pixel, and goes on
    with those pixels that the fit explains. A plane without contrast keeps its gain.
    """
    fitted = np.empty((stack.shape[2], 2))
    every = max(1, int(both.sum()) // _MOST)
    for layer in range(stack.shape[2]):
        theirs = stack[..., layer][both][::every].astype(np.float64)
        ours = like[..., layer][both][::every].astype(np.float64)
        gain, offset = _line(np.quantile(theirs, _QUANTILES), np.quantile(ours, _QUANTILES))
        for _ in range(4):
            off = np.abs(ours - gain * theirs - offset)
            keep = off <= max(_NOISE, 2 * float(np.median(off)))
            gain, offset = _line(theirs[keep], ours[keep])
        fitted[layer] = gain, offset
    return fitted.astype(np.float32)


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    spread = float(x.std())
    gain = 1.0
    if spread >= _FLAT:
        slope = float(((x - x.mean()) * (y - y.mean())).mean()) / spread**2
        gain = min(max(slope, _LEAST_GAIN), _MOST_GAIN)
    return gain, float(y.mean() - gain * x.mean())
