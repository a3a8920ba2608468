"""Blur: the cells of a coarse mosaic drawn with soft transitions.

A Gaussian filter keeps a share of every pixel in the 8-bit result and can be reversed (Mahloujifar et al.,
"Privacy Blur", arXiv 2512.16086); here nothing finer than a cell is ever computed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from eyelid.obfuscate.cells import CellObfuscator, CellParameters, Tones

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.obfuscate.regions import Coverage


class Blur(CellParameters):
    """Soft tones from at most ``cells`` by ``cells`` cells of ``levels`` tones."""

    name: Literal["blur"] = "blur"
    cells: int = Field(default=4, ge=1, le=64)

    def build(self, coverage: Coverage, _sidecar: Path | None = None, /) -> BlurObfuscator:
        """Return the obfuscator; it writes no sidecar."""
        return BlurObfuscator(self, coverage)


class BlurObfuscator(CellObfuscator):
    """Paints a region with tones that run smoothly from the middle of each cell to the next."""

    def _enlarge(self, tones: Tones, rows: int, columns: int) -> Tones:
        down, across = tones.shape
        return np.asarray(_smooth(rows, down) @ tones @ _smooth(columns, across).T, np.float32)


@lru_cache(maxsize=512)
def _smooth(side: int, cells: int) -> Tones:
    """Return the matrix (side, cells) of weights that interpolate between cell centres along a cosine."""
    position = np.clip((np.arange(side) + 0.5) * cells / side - 0.5, 0, cells - 1)
    below = np.minimum(position.astype(np.intp), max(cells - 2, 0))
    weight = 0.5 - 0.5 * np.cos(np.pi * (position - below))
    matrix = np.zeros((side, cells))
    matrix[np.arange(side), below] = 1 - weight
    matrix[np.arange(side), np.minimum(below + 1, cells - 1)] += weight
    return matrix.astype(np.float32)
