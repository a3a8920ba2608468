"""The parameters of remove."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from eyelid.obfuscate.method import Parameters
from eyelid.types import Target

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.obfuscate.regions import Coverage
    from eyelid.obfuscate.remove.obfuscator import RemoveObfuscator


class Remove(Parameters):
    """Take things out and fill the place behind them; nothing to choose."""

    name: Literal["remove"] = "remove"
    targets: ClassVar[tuple[Target, ...]] = (Target.PERSON, Target.VEHICLE, Target.FACE, Target.PLATE)
    """A face or plate that no detector saw a body or car around is removed alone."""
    needs: ClassVar[frozenset[Target]] = frozenset(Target)
    brief: ClassVar[frozenset[Target]] = frozenset({Target.VEHICLE})
    """Guesses at where a large car may be cost what no view shows; the filled film is looked at again."""

    def build(self, coverage: Coverage, _sidecar: Path | None = None, /) -> RemoveObfuscator:
        """Return the obfuscator; it writes no sidecar."""
        from eyelid.obfuscate.remove.obfuscator import RemoveObfuscator  # loads OpenCV

        return RemoveObfuscator(coverage)
