"""Counts what was covered, frame by frame, for the evidence."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from eyelid.evidence.model import CoveredFrames, CoverReason, Frames, TargetCount

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from eyelid.types import Detections, Target


class Tally:
    """Counts over the frames of one file; it keeps numbers and track ids, never boxes."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self.targets = tuple(targets)
        self._detections: Counter[Target] = Counter()
        self._frames: Counter[Target] = Counter()
        self._tracks: defaultdict[Target, set[int]] = defaultdict(set)
        self._total = 0
        self._held = 0
        self._covered: list[CoveredFrames] = []

    def add(self, covered: Detections, held: int = 0) -> None:
        """Count a frame in which these detections were covered, ``held`` of them seen by no detector."""
        self._total += 1
        self._held += held > 0
        self._detections.update(covered.targets)
        self._frames.update(set(covered.targets))
        for target, track in zip(covered.targets, covered.tracks.tolist(), strict=True):
            if track >= 0:
                self._tracks[target].add(track)

    def add_covered(self, reason: CoverReason) -> None:
        """Count a frame that was covered whole."""
        index = self._total
        self._total += 1
        last = self._covered[-1] if self._covered else None
        if last is not None and last.last == index - 1 and last.reason is reason:
            self._covered[-1] = last.model_copy(update={"last": index})
        else:
            self._covered.append(CoveredFrames(first=index, last=index, reason=reason))

    def holds(self, targets: Collection[Target]) -> bool:
        """Return whether one of some targets was covered, or a frame in doubt was covered whole."""
        return bool(self._covered) or any(self._detections[target] for target in targets)

    @property
    def total(self) -> int:
        """The number of frames so far."""
        return self._total

    def frames(self) -> Frames:
        """Return the part of the evidence about frames."""
        return Frames(total=self._total, held=self._held, covered=tuple(self._covered))

    def counts(self, *, tracked: bool) -> tuple[TargetCount, ...]:
        """Return the part of the evidence about targets."""
        return tuple(
            TargetCount(
                target=target,
                detections=self._detections[target],
                tracks=len(self._tracks[target]) if tracked else None,
                frames=self._frames[target],
            )
            for target in self.targets
        )
