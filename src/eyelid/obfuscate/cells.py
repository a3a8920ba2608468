"""Few cells of few tones: the grid that pixelate and blur share, and the bound on what it lets through.

A region becomes at most ``cells`` by ``cells`` tones a plane, each one of ``levels``; nothing finer is ever
computed, so no filter can bring it back. With one level (the default of both methods) the tones are a fixed
pattern that does not read the picture at all.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from eyelid.obfuscate.base import NOT_COVERED, Obfuscator
from eyelid.obfuscate.method import Parameters
from eyelid.types import Guarantee, GuaranteeKind, Plane, Samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyelid.obfuscate.regions import Coverage, Patch

Tones: TypeAlias = NDArray[np.float32]
"""One value a cell, shape (cells down, cells across), in units of the plane's samples."""

_SMALLEST_CELL: Final = 4
"""Samples; a smaller cell would hide next to nothing of a tiny region."""

# The additive recurrence of M. Roberts, "The Unreasonable Effectiveness of Quasirandom Sequences" (2018):
# neighbours differ clearly, and everybody gets the same pattern.
_PLASTIC: Final = (0.7548776662466927, 0.5698402909980532)


class CellParameters(Parameters):
    """How much of a region's tones stays.

    ``cells``: how many cells lie along the longer side of a region, whatever its size. ``levels``: how many
    tones a cell may take from the picture; 1 takes none, 256 gives the classical mosaic, which people can be
    re-identified from.
    """

    cells: int = Field(default=8, ge=1, le=64)
    levels: int = Field(default=1, ge=1, le=256)

    @property
    def bits(self) -> float:
        """The most that can survive of one region in one plane of one frame, in bits."""
        return self.cells**2 * math.log2(self.levels)


class CellObfuscator(Obfuscator):
    """Replaces regions by few tones; subclasses say how tones become samples again."""

    def __init__(self, parameters: CellParameters, coverage: Coverage | None = None) -> None:
        super().__init__(coverage)
        self.parameters = parameters

    @property
    def guarantee(self) -> Guarantee:
        """How many bits of a region survive at most, and that more than one level can be attacked."""
        if self.parameters.levels == 1:
            return Guarantee(
                kind=GuaranteeKind.EMPIRICAL,
                statement=(
                    "Every sample of a covered region is replaced by a fixed pattern that does not depend on "
                    "the picture: 0 bits of it survive. With more than one level this method can be attacked."
                ),
                assumption="The detectors found every target; their recall is measured, not proven.",
                not_covered=NOT_COVERED,
            )
        return Guarantee(
            kind=GuaranteeKind.EMPIRICAL,
            statement=(
                f"At most {self.parameters.bits:.0f} bits of a covered region survive in each colour plane "
                "of each frame. This can be attacked: who has pictures treated alike can re-identify people."
            ),
            assumption="The detectors found every target, and nobody tries to recognise what is left.",
            not_covered=(
                "recognition from the tones that are left",
                "further frames of the same target: each adds as many bits, together they show detail",
                *NOT_COVERED,
            ),
        )

    @abstractmethod
    def _enlarge(self, tones: Tones, rows: int, columns: int) -> Tones:
        """Return samples (rows, columns) drawn from the tones alone."""

    def _paint(self, plane: Plane, patches: Sequence[Patch]) -> None:
        for patch in patches:
            samples = plane.samples[patch.rows, patch.columns]
            drawn = self._enlarge(self._tones(samples, plane), patch.height, patch.width)
            where = True if patch.mask is None else patch.mask
            np.copyto(samples, drawn.astype(samples.dtype), where=where)

    def _tones(self, samples: Samples, plane: Plane) -> Tones:
        rows, columns = samples.shape
        cell = max(max(rows, columns) / self.parameters.cells, _SMALLEST_CELL)
        down, across = max(1, int(rows / cell)), max(1, int(columns / cell))
        levels, tones = self.parameters.levels, plane.peak + 1
        # The pattern stays within the middle quarter of a step: it makes cells visible and carries nothing.
        offset = 0.5 if plane.name in ("Cb", "Cr") else 0.375 + 0.25 * _pattern(down, across)
        if levels == 1:
            return np.full((down, across), offset * tones, np.float32)
        # Sums of whole numbers are exact in float64; the rounding of a mean would depend on single samples.
        vertical, horizontal = _members(rows, down), _members(columns, across)
        sums = (vertical @ samples.astype(np.float64) @ horizontal.T).astype(np.int64)
        counts = np.outer(vertical.sum(axis=1), horizontal.sum(axis=1)).astype(np.int64)
        level = sums * levels // (counts * tones)
        return np.minimum((level + offset) * (tones / levels), plane.peak).astype(np.float32)


def cell_of(side: int, cells: int) -> NDArray[np.intp]:
    """Return which of the cells along a side each sample belongs to."""
    return np.arange(side) * cells // side


@lru_cache(maxsize=512)
def _members(side: int, cells: int) -> NDArray[np.float64]:
    """Return the matrix (cells, side) with 1 where a sample belongs to a cell, else 0."""
    return np.asarray(np.arange(cells)[:, None] == cell_of(side, cells)[None, :], np.float64)


@lru_cache(maxsize=512)
def _pattern(down: int, across: int) -> Tones:
    row, column = np.ogrid[:down, :across]
    return np.asarray((row * _PLASTIC[0] + column * _PLASTIC[1]) % 1.0, np.float32)
