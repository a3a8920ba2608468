"""Solid: every sample of the region becomes black, so nothing of it survives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyelid.obfuscate.base import NOT_COVERED, Obfuscator, blacken
from eyelid.types import Guarantee, GuaranteeKind, Plane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyelid.obfuscate.regions import Patch


class Solid(Obfuscator):
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
