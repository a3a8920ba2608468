"""How far one step of the adjacency can move what is released."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def sums_l1(peak: int, samples: int) -> int:
    """Return the L1 sensitivity of the sums over cells that share no sample, where ``samples`` change.

    A sample lies in one cell, so it moves one sum, by ``peak`` at most: it does not matter how large a cell
    is or whether the last ones are cut off.
    """
    return peak * samples


def means_l1(peak: int, samples: int, cell: int) -> float:
    """Return the L1 sensitivity of sums over cells divided by ``cell`` squared, 255 m / b^2 for 8 bits.

    The divisor is that of a full cell always. The mean over the fewer samples of a cut cell can move further
    than this (Fan, "Image Pixelization with Differential Privacy", DBSec 2018, is for full cells).
    """
    return sums_l1(peak, samples) / cell**2


def picture_l1(peaks: Sequence[int], pixels: int, frames: int = 1) -> int:
    """Return the L1 sensitivity of the cell sums of all planes, added up over ``frames``.

    ``pixels`` of each frame change. A pixel has one sample in each plane, or shares one with its neighbours
    where colour is subsampled: so many pixels change at most as many samples of a plane.
    """
    return frames * sum(sums_l1(peak, pixels) for peak in peaks)
