"""Cells of a region through one or several frames: what dp-pixelate, dp-blur and metric release.

The grid depends on the size of the box alone. As many cells lie along a side as comes nearest to ``cell``
samples a cell, all of one size but for a sample, so that none is cut off; a smaller region is one cell.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from eyelid.errors import InputError
from eyelid.obfuscate.cells import cell_of
from eyelid.obfuscate.held import HeldObfuscator, NoisyParameters, colours, pixels_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from eyelid.obfuscate.exclusive import Part
    from eyelid.obfuscate.regions import Coverage
    from eyelid.types import Detections, RawFrame, SafeFrame, Samples

Counts: TypeAlias = NDArray[np.int64]


class NoisyCellParameters(NoisyParameters):
    """How a region is cut into cells.

    ``cell``: samples along a side of a cell, in every plane. ``frames``: how many frames of a track one
    release averages.
    """

    cell: int = Field(default=16, ge=1, le=4096)
    frames: int = Field(default=8, ge=1, le=32)


@dataclass(slots=True, eq=False)
class CellWindow:
    """Sums and numbers of samples of each cell (down, across), int64, of each colour plane.

    ``frames`` counts the regions added up, ``pixels`` is how many they have in one frame at most.
    """

    grids: tuple[tuple[int, int], ...]
    peaks: tuple[int, ...]
    sums: list[Counts] = field(init=False)
    counts: list[Counts] = field(init=False)
    frames: int = 0
    pixels: int = 0
    _newest: tuple[int, int] = (-1, 0)

    def __post_init__(self) -> None:
        self.sums = [np.zeros(grid, np.int64) for grid in self.grids]
        self.counts = [np.zeros(grid, np.int64) for grid in self.grids]

    def add(self, part: Part) -> None:
        """Add a region; one with fewer samples than the grid has cells is left out."""
        planes = [part.samples(plane) for plane in colours(part.frame)]
        if any(_too_small(samples, grid) for samples, grid in zip(planes, self.grids, strict=True)):
            return
        self.frames += 1
        before = self._newest[1] if self._newest[0] == part.frame.index else 0
        self._newest = part.frame.index, before + pixels_of(part.region)
        self.pixels = max(self.pixels, self._newest[1])
        for i, samples in enumerate(planes):
            (rows, columns), (down, across) = samples.shape, self.grids[i]
            self.sums[i] += cell_sums(samples, down, across)
            self.counts[i] += np.outer(
                np.bincount(cell_of(rows, down)), np.bincount(cell_of(columns, across))
            )


class NoisyCellObfuscator(HeldObfuscator[CellWindow]):
    """Releases cells; subclasses add the noise."""

    def __init__(self, parameters: NoisyCellParameters, coverage: Coverage | None = None) -> None:
        super().__init__(parameters.ledger, coverage, parameters.frames)
        self.parameters = parameters
        self._largest = (0, 0)

    @abstractmethod
    def _release(self, window: CellWindow, account: tuple[str, int]) -> tuple[Samples, ...]:
        """Return the noisy tones of a window."""

    def stream(self, frames: Iterable[tuple[RawFrame, Detections | None]]) -> Iterator[SafeFrame]:
        """Cover the frames of one file.

        Raises BudgetError, and InputError at the end where a cell that was asked for is larger than every
        region.
        """
        yield from super().stream(frames)
        cell = self.parameters.cell
        asked = cell != type(self.parameters).model_fields["cell"].default
        if asked and 0 < max(self._largest) < cell:
            width, height = self._largest
            raise InputError(
                f"a cell of {cell} samples is larger than every region found, of which the largest has "
                f"{width} by {height}, so nothing was written; choose a smaller cell"
            )

    def _open(self, part: Part) -> CellWindow:
        patches = [part.region.patch(plane) for plane in colours(part.frame)]
        self._largest = max(self._largest, (patches[0].width, patches[0].height), key=max)
        cell = self.parameters.cell
        grids = tuple((cells_along(patch.height, cell), cells_along(patch.width, cell)) for patch in patches)
        window = CellWindow(grids, tuple(plane.peak for plane in colours(part.frame)))
        window.add(part)
        return window

    def _add(self, window: CellWindow, part: Part) -> None:
        window.add(part)

    def _enlarge(self, picture: Samples, rows: int, columns: int) -> Samples:
        down, across = picture.shape
        drawn: Samples = picture.take(cell_of(rows, down), axis=0).take(cell_of(columns, across), axis=1)
        return drawn


def smoothly(picture: Samples, rows: int, columns: int) -> Samples:
    """Return tones enlarged with straight transitions between the middles of the cells."""
    enlarged: Samples = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    return enlarged


def cells_along(side: int, cell: int) -> int:
    """Return how many cells of about ``cell`` samples lie along a side, half a cell counting as one."""
    return max(1, (2 * side + cell) // (2 * cell))


def cell_sums(samples: Samples, down: int, across: int) -> Counts:
    """Return the sum (down, across), int64, of each cell; every sample lies in exactly one.

    ``samples`` has at least ``down`` rows and ``across`` columns.
    """
    rows, columns = samples.shape
    strips = np.add.reduceat(samples, _starts(rows, down), axis=0, dtype=np.int64)
    return np.asarray(np.add.reduceat(strips, _starts(columns, across), axis=1), np.int64)


def _starts(side: int, cells: int) -> NDArray[np.intp]:
    """Return the first sample of each cell, as :func:`~eyelid.obfuscate.cells.cell_of` cuts a side."""
    return -(-np.arange(cells) * side // cells)


def _too_small(samples: Samples, grid: tuple[int, int]) -> bool:
    rows, columns = samples.shape
    return bool(rows < grid[0] or columns < grid[1])
