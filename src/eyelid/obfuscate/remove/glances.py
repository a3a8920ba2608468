"""Where things may have been between two glances at a film."""

from __future__ import annotations

from typing import Final

import numpy as np

from eyelid.types import Detections

_REACH: Final = 1.0
"""How far a thing may have gone in between, in parts of its longer side: who runs goes one height in .5 s."""


def between(before: Detections, after: Detections) -> Detections:
    """Return boxes around every two finds of one target that may be the same thing, on its way."""
    pairs = [
        (i, j)
        for i, old in enumerate(before.boxes)
        for j, new in enumerate(after.boxes)
        if before.targets[i] is after.targets[j] and _within_reach(old, new)
    ]
    if not pairs:
        return Detections.none()
    one, other = (list(side) for side in zip(*pairs, strict=True))
    low = np.minimum(before.boxes[one, :2], after.boxes[other, :2])
    high = np.maximum(before.boxes[one, 2:], after.boxes[other, 2:])
    scores = np.minimum(before.scores[one], after.scores[other])
    return Detections(np.hstack([low, high]), scores, tuple(before.targets[i] for i in one))


def _within_reach(old: np.ndarray, new: np.ndarray) -> bool:
    side = max(float((box[2:] - box[:2]).max()) for box in (old, new))
    apart = np.abs((old[:2] + old[2:]) - (new[:2] + new[2:])).max() / 2
    return bool(apart <= _REACH * side)
