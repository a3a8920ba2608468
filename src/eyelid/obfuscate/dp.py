"""The mechanism of DP-Pix (Fan, "Image Pixelization with Differential Privacy", DBSec 2018) on whole numbers.

The published one adds Laplace noise of scale 255 m / (b^2 epsilon) to the mean of each grey cell. Here the
noise is discrete and on the sums of cells, and each of n planes takes its part: its scale is
n * peak * m / epsilon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from eyelid.obfuscate.base import NOT_COVERED
from eyelid.obfuscate.held import ELSEWHERE, to_samples
from eyelid.obfuscate.noisy_cells import NoisyCellObfuscator, NoisyCellParameters
from eyelid.privacy.adjacency import PixelAdjacency
from eyelid.privacy.ledger import exact
from eyelid.privacy.mechanism import CellSums, DiscreteLaplace
from eyelid.types import Guarantee, GuaranteeKind

if TYPE_CHECKING:
    from eyelid.obfuscate.held import Account, Tones
    from eyelid.obfuscate.noisy_cells import CellWindow
    from eyelid.obfuscate.regions import Coverage
    from eyelid.types import Samples


class DpParameters(NoisyCellParameters):
    """``epsilon`` is for any ``pixels`` pixels of a region, or of each frame of a track."""

    epsilon: float = Field(default=0.5, ge=1e-6, le=1e6, allow_inf_nan=False)
    pixels: int = Field(default=16, ge=1, le=10**8)


class DpObfuscator(NoisyCellObfuscator):
    """Releases cell sums with discrete Laplace noise; subclasses say how the noisy means are shown."""

    mechanism: DiscreteLaplace

    def __init__(self, parameters: DpParameters, coverage: Coverage | None = None) -> None:
        super().__init__(parameters, coverage)
        self.mechanism = DiscreteLaplace(exact(parameters.epsilon), PixelAdjacency(parameters.pixels))

    @property
    def guarantee(self) -> Guarantee:
        """Differential privacy for m pixels; for a whole region epsilon times the number of such steps."""
        epsilon, pixels = self.parameters.epsilon, self.mechanism.adjacency.pixels
        budget = self.parameters.budget or epsilon
        return Guarantee(
            kind=GuaranteeKind.DP,
            statement=(
                f"For {self.mechanism.adjacency.statement}, each release is epsilon-differentially private "
                f"with epsilon {epsilon:.16g}, over all colour planes; the releases of one region or track "
                f"cost at most {budget:.16g} together, for none reads what regions share. For everything in "
                f"a region of P pixels epsilon is larger by the factor P / {pixels}, rounded up."
            ),
            assumption=(
                "The detectors found every target, in the same places for both inputs, and all frames of a "
                "person are one track."
            ),
            not_covered=(
                f"what more than {pixels} pixels tell, such as who somebody is: the epsilon of the whole "
                "region counts",
                *ELSEWHERE,
                *NOT_COVERED,
            ),
        )

    def _release(self, window: CellWindow, account: Account) -> tuple[Samples, ...]:
        sums = tuple(plane.ravel() for plane in window.sums)
        query = CellSums(sums, window.peaks, window.pixels, window.frames)
        pictures = []
        for i, noisy in enumerate(self.mechanism.release(query, account, self.ledger)):
            counts, peak = window.counts[i], window.peaks[i]
            means = noisy.reshape(counts.shape) / counts
            deviation = float(np.sqrt(2) * self.mechanism.scale(query, i) / counts.mean())
            pictures.append(to_samples(self._filter(means, deviation, peak), peak))
        return tuple(pictures)

    def _filter(self, means: Tones, deviation: float, peak: int) -> Tones:
        """Change noisy means for the eye; ``deviation`` is that of their noise. It costs no epsilon."""
        del deviation, peak
        return means
