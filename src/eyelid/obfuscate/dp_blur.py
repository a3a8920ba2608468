"""dp-blur: noisy small cells under a wide Gaussian blur.

The blur comes after the noise, so it costs no epsilon (Fan, "Differential Privacy for Image Publication",
TPDP 2019).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
from pydantic import Field, field_validator

from eyelid.obfuscate.dp import DpObfuscator, DpParameters
from eyelid.obfuscate.noisy_cells import smoothly

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.obfuscate.held import Tones
    from eyelid.obfuscate.regions import Coverage
    from eyelid.types import Samples


class DpBlur(DpParameters):
    """Noisy cells of ``cell`` samples, blurred with a Gaussian of ``kernel`` samples."""

    name: Literal["dp-blur"] = "dp-blur"
    cell: int = Field(default=4, ge=1, le=4096)
    kernel: int = Field(default=99, ge=1, le=4095)

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError("a kernel has a middle: choose an odd number")
        return kernel

    @property
    def sigma(self) -> float:
        """The standard deviation in samples that OpenCV gives a kernel of that size."""
        return 0.3 * ((self.kernel - 1) * 0.5 - 1) + 0.8

    def build(self, coverage: Coverage, _sidecar: Path | None = None, /) -> DpBlurObfuscator:
        """Return the obfuscator; it writes no sidecar."""
        return DpBlurObfuscator(self, coverage)


class DpBlurObfuscator(DpObfuscator):
    """Blurs the noisy cells before they are enlarged, which takes a sixteenth of the work."""

    def __init__(self, parameters: DpBlur, coverage: Coverage | None = None) -> None:
        super().__init__(parameters, coverage)
        self._sigma = parameters.sigma / parameters.cell

    def _filter(self, means: Tones, deviation: float, peak: int) -> Tones:
        del deviation
        return np.asarray(cv2.GaussianBlur(np.clip(means, 0, peak), (0, 0), self._sigma), np.float64)

    def _enlarge(self, picture: Samples, rows: int, columns: int) -> Samples:
        return smoothly(picture, rows, columns)
