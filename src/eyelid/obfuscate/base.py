"""What every obfuscator is: it destroys regions of a frame in place and vouches for the result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from eyelid.obfuscate.regions import Coverage, Patch, Region, is_finite, regions
from eyelid.types import _SEAL, Detections, Guarantee, Plane, RawFrame, SafeFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from eyelid.privacy.ledger import PrivacySpent
    from eyelid.types import Fill

NOT_COVERED = (
    "targets that no detector found",
    "the surroundings: hair, clothes, body, place and time",
    "the place, size and movement of each covered region",
)


class Obfuscator(ABC):
    """A method that hides regions of a frame; subclasses say how one plane is painted."""

    def __init__(self, coverage: Coverage | None = None) -> None:
        self.coverage = coverage or Coverage()

    @property
    @abstractmethod
    def guarantee(self) -> Guarantee:
        """What the method promises, and what it does not cover."""

    @property
    def models(self) -> tuple[str, ...]:
        """The networks that the method computes with, in float32 on the CPU, by the names of their cards."""
        return ()

    @property
    def spent(self) -> PrivacySpent | None:
        """What the releases so far cost in epsilon; None for a method that draws no noise."""
        return None

    @property
    def fill(self) -> Fill | None:
        """Where the pixels came from that replaced regions so far; None for a method that fills nothing."""
        return None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences on what may be wrong with the output so far."""
        return ()

    @abstractmethod
    def _paint(self, plane: Plane, patches: Sequence[Patch]) -> None:
        """Overwrite every sample of the patches of one colour plane; patches may overlap."""

    def apply(self, frame: RawFrame, detections: Detections) -> SafeFrame:
        """Destroy what was detected, in place in all planes of ``frame``, and return the frame as safe.

        Every luma sample that a grown outline touches, every chroma sample that stands for such a pixel, and
        the transparency there are overwritten. A detection that is not finite covers the whole frame, because
        nobody knows where its target is.
        """
        if not is_finite(detections):
            return self.cover_frame(frame)
        self._cover(frame, regions(detections, self.coverage, frame.width, frame.height))
        return SafeFrame(frame, _SEAL)

    def prepare(self, views: Iterable[tuple[RawFrame, Detections]]) -> None:
        """Take other pictures of the same place, with what is detected in each, before a file is begun.

        For a method that fills regions from them; all others leave them unread.
        """
        del views

    def recheck(self, look: Callable[[RawFrame], Detections | None]) -> None:
        """Take the detectors with which finished pages may be looked at again; None where one fails.

        For a method whose result depends on other pictures; all others leave them alone.
        """
        del look

    def stream(self, frames: Iterable[tuple[RawFrame, Detections | None]]) -> Iterator[SafeFrame]:
        """Destroy what was detected in every frame of one file; None covers the whole frame.

        One frame out for each one in, in order. A method that needs several frames at once holds back a
        bounded number of them.
        """
        for frame, detections in frames:
            yield self.cover_frame(frame) if detections is None else self.apply(frame, detections)

    def finish(self, output: Path) -> None:
        """Complete the sidecar, for a method that has one; ``output`` is the finished anonymised file."""
        del output

    def close(self) -> None:  # noqa: B027  # most methods hold nothing open
        """Let go of a sidecar that :meth:`finish` has not completed; nobody will accept it."""

    def cover_frame(self, frame: RawFrame) -> SafeFrame:
        """Destroy the whole frame: all planes become black and opaque."""
        for plane in frame.planes:
            plane.samples[...] = plane.black
        return SafeFrame(frame, _SEAL)

    def _cover(self, frame: RawFrame, found: Sequence[Region]) -> None:
        patches: list[Patch] = []
        step: tuple[int, int] | None = None
        for plane in frame.planes:
            if step != (plane.step_x, plane.step_y):  # Cb and Cr share theirs
                step = plane.step_x, plane.step_y
                patches = [region.patch(plane) for region in found]
            if plane.name == "A":
                blacken(plane, patches)
            else:
                self._paint(plane, patches)


def blacken(plane: Plane, patches: Sequence[Patch]) -> None:
    """Set every sample of the patches to the plane's black."""
    for patch in patches:
        samples = plane.samples[patch.rows, patch.columns]
        if patch.mask is None:
            samples[...] = plane.black
        else:
            np.copyto(samples, plane.black, where=patch.mask, casting="unsafe")
