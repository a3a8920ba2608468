"""How far one step of the adjacency can move what is released.

Noise goes on sums, for which the size of a cell does not matter. Published code that puts it on means has
the sensitivity peak * m / b^2 of full cells, but divides by fewer samples in the cells that an edge cuts off:
with 9 by 9 samples, b = 4 and m = 3 their means move by eight times that.
"""

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


def picture_l1(peaks: Sequence[int], pixels: int, frames: int = 1) -> int:
    """Return the L1 sensitivity of the cell sums of all planes, added up over ``frames``.

    ``pixels`` of each frame change. A pixel has one sample in each plane, or shares one with its neighbours
    where colour is subsampled: so many pixels change at most as many samples of a plane.
    """
    return frames * sum(sums_l1(peak, pixels) for peak in peaks)
