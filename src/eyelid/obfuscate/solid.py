"""Solid: every sample of the region becomes black, so nothing of it survives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from eyelid.obfuscate.base import NOT_COVERED, Obfuscator, blacken
from eyelid.obfuscate.method import Parameters
from eyelid.types import Guarantee, GuaranteeKind, Plane

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eyelid.obfuscate.regions import Coverage, Patch


class Solid(Parameters):
    """Paint regions black; nothing to choose."""

    name: Literal["solid"] = "solid"

    def build(self, coverage: Coverage, _sidecar: Path | None = None, /) -> SolidObfuscator:
        """Return the obfuscator; it writes no sidecar."""
        return SolidObfuscator(coverage)


class SolidObfuscator(Obfuscator):
    """Paints regions black and opaque; the output does not depend on the samples inside."""

    @property
    def guarantee(self) -> Guarantee:
        """Nothing of the covered samples survives; which samples are covered rests on the detectors."""
        return Guarantee(
            kind=GuaranteeKind.EMPIRICAL,
            statement="Every sample of a covered region is replaced by black: 0 bits of it survive.",
            assumption="The detectors found every target; their recall is measured, not proven.",
            not_covered=NOT_COVERED,
        )

    def _paint(self, plane: Plane, patches: Sequence[Patch]) -> None:
        blacken(plane, patches)
