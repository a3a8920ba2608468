"""Which two inputs a guarantee cannot tell apart, and what more distant ones cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class PixelAdjacency:
    """Two inputs that differ, within a region, in at most ``pixels`` pixels of the decoded frame.

    In a video: in at most so many pixels of each frame of a track.
    """

    pixels: int

    @property
    def statement(self) -> str:
        """The adjacency in words."""
        return (
            f"two inputs that differ, in one region or track, in at most {self.pixels} pixels of each "
            "decoded frame"
        )

    def steps(self, pixels: int) -> int:
        """Return how many steps lead to an input that differs in ``pixels`` pixels (group privacy)."""
        return math.ceil(pixels / self.pixels)


@dataclass(frozen=True, slots=True)
class DistanceAdjacency:
    """Two inputs at a distance of ``unit`` of what is released."""

    unit: str

    @property
    def statement(self) -> str:
        """The adjacency in words."""
        return f"two inputs at distance 1 of one another: {self.unit}"

    @staticmethod
    def farthest(sides: Sequence[float]) -> Fraction:
        """Return the largest Euclidean distance in a box with these ``sides``, rounded up."""
        return Fraction(math.nextafter(math.hypot(*sides), math.inf))
