"""What every re-identification attacker is: features of single pictures, and who they are said to show."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from eyelid.attack.base import Knowledge
    from eyelid.attack.dataset import Labels, Pictures

Rows: TypeAlias = NDArray[np.float32]
"""Features, one row a picture."""

Scores: TypeAlias = NDArray[np.float64]

LONGEST_SIDE: Final = 56
"""Pixels; half of the AT&T pictures' height. More detail than that costs time and tells people no better."""


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """What an attacker learns from: features (n, draws, d) of n pictures of ``people`` (n,).

    At the naive level they are of clear pictures, else of pictures treated alike. ``ideal`` (n, d) are the
    features of the pictures treated without noise.
    """

    people: Labels
    features: Rows
    ideal: Rows

    def rows(self, limit: int) -> tuple[Rows, Labels]:
        """Return single rows with their people: all releases, fewer where they exceed ``limit`` numbers."""
        n, draws, d = self.features.shape
        used = max(1, min(draws, limit // (n * d)))
        return self.features[:, :used].reshape(-1, d), np.repeat(self.people, used)


class Attacker(ABC):
    """One way to name the person in a picture; ``levels`` are the threats at which it makes sense.

    ``draws`` is how many releases of a picture it wants to learn from where a method is random; ``seeds``
    bounds the splits that it takes part in, for an attacker that is slow to train.
    """

    name: ClassVar[str]
    levels: ClassVar[frozenset[Knowledge]]
    draws: ClassVar[int] = 20
    seeds: ClassVar[int | None] = None

    def features(self, pictures: Pictures) -> Rows:
        """Return a row for each picture (n, height, width), from it alone; by default its pixels."""
        return pixels(pictures)

    @abstractmethod
    def scores(self, training: Training, probes: Rows) -> Scores:
        """Return how much each probe (p, d) looks like each person: float64 (p, people), in sorted order."""


def pixels(pictures: Pictures, longest: int = LONGEST_SIDE) -> Rows:
    """Return the pixels of pictures (n, height, width), scaled down to a longest side: float32 (n, d)."""
    return small(pictures, longest).reshape(len(pictures), -1)


def small(pictures: Pictures, longest: int = LONGEST_SIDE) -> Rows:
    """Return pictures scaled down by averaging to a longest side: float32 (n, height, width)."""
    height, width = pictures.shape[1:]
    scale = min(1.0, longest / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized = [cv2.resize(p.astype(np.float32), size, interpolation=cv2.INTER_AREA) for p in pictures]
    return np.stack([np.asarray(p, np.float32) for p in resized])
