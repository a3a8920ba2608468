"""Points and planes in space, and cameras that are moved past them by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH, HEIGHT = 640, 480
LENS = np.array([[600, 0, 320], [0, 600, 240], [0, 0, 1]], np.float64)


@dataclass(frozen=True)
class Pose:
    """Where a camera is and how it is turned against the first."""

    turn: NDArray[np.float64]
    shift: NDArray[np.float64]

    def sees(self, space: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the pixels (n, 2) of points (n, 3)."""
        there = (space @ self.turn.T + self.shift) @ LENS.T
        return np.asarray(there[:, :2] / there[:, 2:], np.float64)

    def plane(self, distance: float) -> NDArray[np.float64]:
        """Return the map from the first camera's pixels to these for a wall at a distance."""
        wall = np.array([0, 0, 1 / distance])
        return np.asarray(LENS @ (self.turn + np.outer(self.shift, wall)) @ np.linalg.inv(LENS), np.float64)


def by_hand(count: int, *, moved: float = 0.05, seed: int = 0) -> list[Pose]:
    """Return so many poses beside the first camera, each a step further to one side or the other."""
    random = np.random.default_rng(seed)
    poses = []
    for i in range(count):
        side = (1 + i // 2) * (1 if i % 2 else -1)
        turn, _ = cv2.Rodrigues(random.normal(0, 0.01, 3))
        shift = np.array([moved * side, *(random.normal(0, moved / 5, 2))])
        poses.append(Pose(np.asarray(turn, np.float64), shift))
    return poses


def scattered(count: int, seed: int = 0) -> NDArray[np.float64]:
    """Return points (n, 3) that the first camera sees, 2 to 6 away: half of them on the wall at 6."""
    random = np.random.default_rng(seed)
    pixels = np.column_stack([random.uniform(0, WIDTH, count), random.uniform(0, HEIGHT, count)])
    away = np.where(random.random(count) < 0.5, 6.0, random.uniform(2, 6, count))
    rays = np.column_stack([pixels, np.ones(count)]) @ np.linalg.inv(LENS).T
    return np.asarray(rays * away[:, None], np.float64)
