"""metric: noise on the vector of cell means, so that likeness to the original is hidden by its distance.

Metric privacy (Chatzikokolakis et al., "Broadening the Scope of Differential Privacy", PETS 2013) with a
metric between pictures: the Euclidean distance of their cell means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from pydantic import Field

from eyelid.obfuscate.base import NOT_COVERED
from eyelid.obfuscate.held import ELSEWHERE, to_samples
from eyelid.obfuscate.noisy_cells import NoisyCellObfuscator, NoisyCellParameters
from eyelid.privacy.adjacency import DistanceAdjacency
from eyelid.privacy.ledger import exact
from eyelid.privacy.mechanism import Vector, VectorLaplace
from eyelid.types import Guarantee, GuaranteeKind

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.obfuscate.held import Account
    from eyelid.obfuscate.noisy_cells import CellWindow
    from eyelid.obfuscate.regions import Coverage
    from eyelid.types import Samples

TONES: Final = 255.0
"""The unit of distance is one step of 8 bits in one cell, whatever the depth of the file."""

ADJACENCY: Final = DistanceAdjacency(
    "the Euclidean distance of the cell means of a region in all planes, in tones from 0 to 255"
)


class Metric(NoisyCellParameters):
    """``epsilon`` is per unit of image distance: one tone of 255 in one cell."""

    name: Literal["metric"] = "metric"
    epsilon: float = Field(default=0.1, ge=1e-6, le=1e6, allow_inf_nan=False)

    def build(self, coverage: Coverage, _sidecar: Path | None = None, /) -> MetricObfuscator:
        """Return the obfuscator; it writes no sidecar."""
        return MetricObfuscator(self, coverage)


class MetricObfuscator(NoisyCellObfuscator):
    """Paints each cell of a region in one noisy tone."""

    mechanism: VectorLaplace

    def __init__(self, parameters: Metric, coverage: Coverage | None = None) -> None:
        super().__init__(parameters, coverage)
        self.mechanism = VectorLaplace(exact(parameters.epsilon), ADJACENCY)

    @property
    def guarantee(self) -> Guarantee:
        """Pictures are told apart by epsilon times their distance at most."""
        epsilon = self.parameters.epsilon
        budget = self.parameters.budget or epsilon
        return Guarantee(
            kind=GuaranteeKind.METRIC_DP,
            statement=(
                f"Two inputs at distance D are told apart by {epsilon:.16g} * D at most in each release, and "
                f"by {budget:.16g} * D in all releases of one region or track, for none reads what regions "
                f"share. D is {ADJACENCY.unit}."
            ),
            assumption=(
                "The detectors found every target, in the same places for both inputs, and all frames of a "
                "person are one track. The theorem is for real numbers: the noise has 52 random bits a "
                "number, so rarer events may tell inputs apart; what is released is rounded to whole tones."
            ),
            not_covered=(
                "what large distances tell, such as who somebody is: the epsilon of the whole region counts",
                *ELSEWHERE,
                *NOT_COVERED,
            ),
        )

    def _release(self, window: CellWindow, account: Account) -> tuple[Samples, ...]:
        planes = list(zip(window.sums, window.counts, window.peaks, strict=True))
        means = np.concatenate([(sums / counts * (TONES / peak)).ravel() for sums, counts, peak in planes])
        noisy = self.mechanism.release(Vector(means, (TONES,) * len(means)), account, self.ledger)
        ends = np.cumsum([counts.size for _, counts, _ in planes])[:-1]
        return tuple(
            to_samples(tones.reshape(counts.shape) * (peak / TONES), peak)
            for tones, (_, counts, peak) in zip(np.split(noisy, ends), planes, strict=True)
        )
