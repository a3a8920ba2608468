"""Pixelate: a mosaic whose cells grow with the region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from eyelid.obfuscate.cells import CellObfuscator, CellParameters, Tones, cell_of

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.obfuscate.regions import Coverage


class Pixelate(CellParameters):
    """A mosaic of at most ``cells`` by ``cells`` squares of ``levels`` tones."""

    name: Literal["pixelate"] = "pixelate"

    def build(self, coverage: Coverage, _sidecar: Path | None = None, /) -> PixelateObfuscator:
        """Return the obfuscator; it writes no sidecar."""
        return PixelateObfuscator(self, coverage)


class PixelateObfuscator(CellObfuscator):
    """Paints each cell of a region in one tone."""

    def _enlarge(self, tones: Tones, rows: int, columns: int) -> Tones:
        down, across = tones.shape
        return tones.take(cell_of(rows, down), axis=0).take(cell_of(columns, across), axis=1)
