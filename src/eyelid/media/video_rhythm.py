"""Frames that seem to be missing from a file which does not say how many it holds."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappush, heappushpop
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fractions import Fraction

_REORDERED: Final = 32  # packets come in order of decoding; H.264 and HEVC hold back 16 frames at the most
_RARE: Final = 100


@dataclass(frozen=True, slots=True)
class Missing:
    """How many frames are missing, the first of them after so many seconds."""

    frames: int
    after: float


class Rhythm:
    """Finds the few pauses between frames that otherwise follow each other at one rate.

    ``step`` is the time between two frames in seconds, ``unit`` that of one tick. Frames of a variable rate
    have no rhythm, and so no pauses.
    """

    def __init__(self, step: Fraction, unit: Fraction) -> None:
        self._step, self._unit = step, unit
        self._waiting: list[int] = []
        self._last: int | None = None
        self._steps = self._irregular = self._pauses = self._lacking = 0
        self._first = 0

    def see(self, moment: int) -> None:
        """Take the time of the next packet, in ticks."""
        if len(self._waiting) < _REORDERED:
            heappush(self._waiting, moment)
        else:
            self._follow(heappushpop(self._waiting, moment))

    def end(self) -> Missing | None:
        """Return how many frames would have their place in the pauses."""
        for moment in sorted(self._waiting):
            self._follow(moment)
        self._waiting.clear()
        rare = 0 < self._pauses <= max(1, self._steps // _RARE)
        return (
            Missing(self._lacking, float(self._first * self._unit)) if rare and not self._irregular else None
        )

    def _follow(self, moment: int) -> None:
        before, self._last = self._last, moment
        if before is None:
            return
        self._steps += 1
        passed = (moment - before) * self._unit
        if abs(passed - self._step) <= self._unit:
            return
        lacking = round(passed / self._step) - 1
        if lacking < 1:
            self._irregular += 1
        else:
            self._first = self._first if self._pauses else before
            self._pauses += 1
            self._lacking += lacking
