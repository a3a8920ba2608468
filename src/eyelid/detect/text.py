"""Lines of text in any script: a probability map, its connected regions, and the rotated box of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from eyelid.detect.base import Detector, fit, require_finite
from eyelid.detect.passes import worthwhile
from eyelid.models.session import Session
from eyelid.types import Detections, Quality, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyelid.models.session import Device
    from eyelid.types import RawFrame

STILL_PASSES: Final = {
    Quality.FAST: (736,),
    Quality.BALANCED: (736, 1472),
    Quality.THOROUGH: (736, 1472, 2208),
}
MOVING_PASSES: Final = {Quality.FAST: (512,), Quality.BALANCED: (736,), Quality.THOROUGH: (736, 1472)}
"""The long sides at which the network looks at a frame, in pixels."""

IN_TEXT: Final = 0.3
"""A pixel belongs to a line at or above this probability."""

STILL_SCORE: Final = 0.5
MOVING_SCORE: Final = 0.4
MOVING_START_SCORE: Final = 0.6

UNCLIP: Final = 1.6
"""How far outlines are pushed out, in areas over perimeters: the network marks the inner part of a line."""


class TextDetector(Detector):
    """Finds lines of text as rotated boxes (polygons of four corners).

    Source of the map and of the outward push: Liao et al., Real-time Scene Text Detection with Differentiable
    Binarization (AAAI 2020), sections 3.2 and 3.5.
    """

    name = "text"
    targets = frozenset({Target.TEXT})
    models = ("text",)

    def __init__(self, quality: Quality, *, device: Device, threads: int | None, moving: bool) -> None:
        self._passes = (MOVING_PASSES if moving else STILL_PASSES)[quality]
        steady = moving and len(self._passes) == 1
        self._session = Session("text", device=device, threads=threads, steady=steady)
        self._score = MOVING_SCORE if moving else STILL_SCORE
        self.start_score = MOVING_START_SCORE if moving else STILL_SCORE

    def detect(self, frames: Sequence[RawFrame]) -> list[Detections]:
        """Return the lines of text of each frame; raises DetectionError where the network fails."""
        return [self._find(frame) for frame in frames]

    def _find(self, frame: RawFrame) -> Detections:
        found = []
        for long_side in worthwhile(self._passes, frame):
            width, height = fit(frame.width, frame.height, long_side, 32)
            outputs = self._session.run(frame.bgr(width, height)[None])
            require_finite(outputs, "text")
            corners, scores = lines(outputs[0][0, 0], self._score)
            found.append(_detections(corners * (frame.width / width, frame.height / height), scores, frame))
        return Detections.concatenate(found)


def lines(probability: NDArray[np.float32], least: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the corners (n, 4, 2) of the rotated boxes of lines, in pixels of the map, and scores (n,).

    ``probability`` is float32 (height, width). The score of a line is the mean probability in its region;
    regions below ``least`` are left out.
    """
    inside = (probability >= IN_TEXT).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    corners, scores = [], []
    for label in range(1, count):
        x, y, w, h = stats[label, :4]
        window = np.s_[y : y + h, x : x + w]
        mask = labels[window] == label
        score = float(probability[window][mask].mean())
        if score < least:
            continue
        rows, columns = np.nonzero(mask)
        corners.append(_push(np.stack([columns + x, rows + y], axis=1).astype(np.float32)))
        scores.append(score)
    return np.array(corners, np.float32).reshape(-1, 4, 2), np.array(scores, np.float32)


def _push(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    centre, sides, angle = cv2.minAreaRect(pixels + 0.5)
    w, h = sides[0] + 1, sides[1] + 1
    out = UNCLIP * w * h / (w + h)
    return cv2.boxPoints((centre, (w + out, h + out), angle)).astype(np.float32)


def _detections(corners: NDArray[np.float32], scores: NDArray[np.float32], frame: RawFrame) -> Detections:
    limit = np.array([frame.width, frame.height], np.float32)
    low, high = np.clip(corners.min(axis=1), 0, limit), np.clip(corners.max(axis=1), 0, limit)
    boxes = np.concatenate([low, high], axis=1).astype(np.float32).reshape(-1, 4)
    polygons = tuple(polygon.astype(np.float32) for polygon in corners)
    return Detections(boxes, scores, (Target.TEXT,) * len(scores), polygons=polygons)
