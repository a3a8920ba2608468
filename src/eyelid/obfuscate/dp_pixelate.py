"""dp-pixelate: a mosaic with noise that carries a theorem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from eyelid.obfuscate.denoise import denoise
from eyelid.obfuscate.dp import DpObfuscator, DpParameters
from eyelid.obfuscate.noisy_cells import smoothly

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.obfuscate.held import Tones
    from eyelid.obfuscate.regions import Coverage
    from eyelid.types import Samples


class DpPixelate(DpParameters):
    """A mosaic of noisy tones; ``smooth`` takes noise out for the eye, which costs no epsilon."""

    name: Literal["dp-pixelate"] = "dp-pixelate"
    smooth: bool = False

    def build(self, coverage: Coverage, _sidecar: Path | None = None, /) -> DpPixelateObfuscator:
        """Return the obfuscator; it writes no sidecar."""
        return DpPixelateObfuscator(self, coverage)


class DpPixelateObfuscator(DpObfuscator):
    """Paints each cell of a region in one noisy tone, or draws smooth transitions between filtered tones."""

    def __init__(self, parameters: DpPixelate, coverage: Coverage | None = None) -> None:
        super().__init__(parameters, coverage)
        self._smooth = parameters.smooth

    def _filter(self, means: Tones, deviation: float, peak: int) -> Tones:
        return denoise(means, deviation, peak) if self._smooth else means

    def _enlarge(self, picture: Samples, rows: int, columns: int) -> Samples:
        draw = smoothly if self._smooth else super()._enlarge
        return draw(picture, rows, columns)
