"""svd: noise on the largest singular values. Experimental.

Fan, "Practical Image Obfuscation with Provable Privacy", ICME 2019. The singular vectors are published as
they are, and they tell who somebody is: an attacker who compares the subspaces they span re-identifies people
where the pixels look like noise.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np
from pydantic import Field

from eyelid.obfuscate.base import NOT_COVERED
from eyelid.obfuscate.held import HeldObfuscator, NoisyParameters, Tones, colours, to_samples
from eyelid.obfuscate.noisy_cells import smoothly
from eyelid.privacy.adjacency import DistanceAdjacency
from eyelid.privacy.ledger import exact
from eyelid.privacy.mechanism import Vector, VectorLaplace
from eyelid.types import Guarantee, GuaranteeKind

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.obfuscate.exclusive import Part
    from eyelid.obfuscate.held import Account
    from eyelid.obfuscate.regions import Coverage
    from eyelid.types import Samples

TONES: Final = 255.0
"""Singular values are those of pictures with tones from 0 to 255, whatever the depth of the file."""

ADJACENCY: Final = DistanceAdjacency(
    "the Euclidean distance of the largest singular values of a region in all planes, of pictures that have "
    "the same singular vectors"
)

Patches: TypeAlias = tuple[tuple[Tones, int], ...]
"""The samples of a region in each colour plane, as tones, with the peak of the plane."""


class Svd(NoisyParameters):
    """``rank`` singular values of each plane stay, with noise; ``epsilon`` is per unit of their distance."""

    name: Literal["svd"] = "svd"
    epsilon: float = Field(default=0.001, ge=1e-6, le=1e6, allow_inf_nan=False)
    rank: int = Field(default=4, ge=1, le=64)

    def build(self, coverage: Coverage, _sidecar: Path | None = None, /) -> SvdObfuscator:
        """Return the obfuscator; it writes no sidecar."""
        return SvdObfuscator(self, coverage)


class SvdObfuscator(HeldObfuscator[Patches]):
    """Rebuilds each plane of a region from its singular vectors and noisy singular values."""

    mechanism: VectorLaplace

    def __init__(self, parameters: Svd, coverage: Coverage | None = None) -> None:
        super().__init__(parameters.ledger, coverage)
        self.parameters = parameters
        self.mechanism = VectorLaplace(exact(parameters.epsilon), ADJACENCY)

    @property
    def guarantee(self) -> Guarantee:
        """Experimental: nothing is promised about who somebody is."""
        return Guarantee(
            kind=GuaranteeKind.NONE,
            statement=(
                "Experimental, no guarantee for identity: the singular vectors are published and can be "
                f"attacked. Only for {ADJACENCY.statement}, a release is private with epsilon "
                f"{self.parameters.epsilon:.16g} for each unit."
            ),
            assumption="Nobody attacks the singular vectors; two real pictures never share them.",
            not_covered=("who somebody is: the singular vectors tell", *NOT_COVERED),
        )

    def _open(self, part: Part) -> Patches:
        return tuple(
            (part.samples(plane).astype(np.float64) * (TONES / plane.peak), plane.peak)
            for plane in colours(part.frame)
        )

    def _add(self, window: Patches, part: Part) -> None:
        """A release reads one region."""

    def _release(self, window: Patches, account: Account) -> tuple[Samples, ...]:
        parts = [np.linalg.svd(tones, full_matrices=False) for tones, _ in window]
        kept = [min(self.parameters.rank, len(values)) for _, values, _ in parts]
        values = np.concatenate([values[:k] for (_, values, _), k in zip(parts, kept, strict=True)])
        # A singular value is at most the Frobenius norm of the brightest picture of that size.
        sides = [TONES * math.sqrt(tones.size) for tones, _ in window]
        query = Vector(values, tuple(side for side, k in zip(sides, kept, strict=True) for _ in range(k)))
        noisy = np.split(self.mechanism.release(query, account, self.ledger), np.cumsum(kept)[:-1])
        return tuple(
            to_samples((left[:, :k] * changed) @ right[:k] * (peak / TONES), peak)
            for (left, _, right), k, changed, (_, peak) in zip(parts, kept, noisy, window, strict=True)
        )

    def _enlarge(self, picture: Samples, rows: int, columns: int) -> Samples:
        return smoothly(picture, rows, columns)
