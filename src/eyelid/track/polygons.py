"""Outlines between two detections."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Polygon: TypeAlias = NDArray[np.float32]
"""Corners in order around the outline, float32 (k, 2), in pixels."""


def between(
    first: tuple[Polygon | None, NDArray[np.float64]],
    last: tuple[Polygon | None, NDArray[np.float64]],
    u: float,
    box: NDArray[np.float64],
) -> Polygon | None:
    """Return the outline at ``u`` in 0..1 of the way between two detections, stretched to ``box`` (4,).

    Each end is a polygon and its box (4,). None, so that the box is covered, where an end has no polygon,
    the numbers of corners differ, or the outlines do not morph into each other without shrinking.
    """
    (a, box_a), (b, box_b) = first, last
    if a is None or b is None or len(a) != len(b) or len(a) < 3:
        return None
    a, b = _within(a, box_a), _within(b, box_b)
    turns = [np.roll(order, shift, axis=0) for order in (b, b[::-1]) for shift in range(len(b))]
    nearest = min(turns, key=lambda turned: float(((turned - a) ** 2).sum()))
    blend = (1 - u) * a + u * nearest
    smaller = min(cv2.contourArea(a), cv2.contourArea(b))
    if cv2.contourArea(blend) < 0.95 * smaller:
        return None
    corners: Polygon = (box[:2] + blend * (box[2:] - box[:2])).astype(np.float32)
    return corners


def _within(polygon: Polygon, box: NDArray[np.float64]) -> Polygon:
    """Return the corners in units of the box, 0..1 from its low to its high corner."""
    relative = (polygon - box[:2]) / np.maximum(box[2:] - box[:2], 1.0)
    return relative.astype(np.float32)
