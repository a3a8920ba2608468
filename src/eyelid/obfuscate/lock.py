"""Lock: solid, and the original samples encrypted in a sidecar file for whoever holds the key."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  # pydantic reads the annotation
from typing import TYPE_CHECKING, ClassVar, Literal

from eyelid.obfuscate.base import NOT_COVERED
from eyelid.obfuscate.keys import read_key
from eyelid.obfuscate.method import Parameters
from eyelid.obfuscate.regions import whole
from eyelid.obfuscate.solid import SolidObfuscator
from eyelid.types import Guarantee, GuaranteeKind, RawFrame, SafeFrame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyelid.obfuscate.lock_format import LockWriter
    from eyelid.obfuscate.regions import Coverage, Region


class Lock(Parameters):
    """Paint regions black and keep the samples for the holder of ``key``, a file made by `eyelid keygen`."""

    sidecar: ClassVar[str | None] = ".lock"
    name: Literal["lock"] = "lock"
    key: Path

    def build(self, coverage: Coverage, sidecar: Path | None = None, /) -> LockObfuscator:
        """Return the obfuscator, which writes to ``sidecar``. Raises LockError (key) and OutputError."""
        from eyelid.obfuscate.lock_format import LockWriter  # loads OpenSSL, which only this method needs

        if sidecar is None:
            raise ValueError("the method lock needs a path for its sidecar")
        return LockObfuscator(LockWriter(sidecar, read_key(self.key)), coverage)


class LockObfuscator(SolidObfuscator):
    """Encrypts the bounding patch of every region in every plane, then paints the region black."""

    def __init__(self, writer: LockWriter, coverage: Coverage | None = None) -> None:
        super().__init__(coverage)
        self._writer = writer

    @property
    def guarantee(self) -> Guarantee:
        """Without the key, as solid; with the key, everything comes back."""
        return Guarantee(
            kind=GuaranteeKind.CRYPTOGRAPHIC,
            statement=(
                "Every sample of a covered region is black in the output and encrypted in the sidecar with "
                "AES-256-GCM, bound to its file, frame and place."
            ),
            assumption="The key stays secret, and the detectors found every target.",
            not_covered=("whoever holds the key sees everything", *NOT_COVERED),
        )

    def cover_frame(self, frame: RawFrame) -> SafeFrame:
        """Encrypt and destroy the whole frame."""
        self._lock(frame, [whole(frame.width, frame.height)])
        return super().cover_frame(frame)

    def finish(self, output: Path) -> None:
        """Bind the sidecar to the finished file ``output``. Raises OutputError."""
        self._writer.finish(output)

    def close(self) -> None:
        """Close the sidecar."""
        self._writer.close()

    def _cover(self, frame: RawFrame, found: Sequence[Region]) -> None:
        self._lock(frame, found)
        super()._cover(frame, found)

    def _lock(self, frame: RawFrame, found: Sequence[Region]) -> None:
        self._writer.write(frame, [[region.patch(plane) for region in found] for plane in frame.planes])
