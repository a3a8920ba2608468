"""Licence plates of any country: a RetinaFace-style network over prior boxes."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from eyelid.detect.base import Boxes, Detector, clip, detections, fit, merge, require_finite
from eyelid.detect.passes import worthwhile
from eyelid.models.session import Session
from eyelid.types import Quality, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyelid.models.session import Device
    from eyelid.types import Detections, RawFrame

PRIOR_SIDES: Final = {8: (24, 48), 16: (96, 192), 32: (384, 768)}
"""The sides of the square prior boxes at each stride, in pixels of the network's input."""

CENTRE_VARIANCE: Final = 0.1
SIDE_VARIANCE: Final = 0.2

STILL_PASSES: Final = {
    Quality.FAST: (640,),
    Quality.BALANCED: (640, 1024),
    Quality.THOROUGH: (640, 1024, 1600),
}
MOVING_PASSES: Final = {Quality.FAST: (480,), Quality.BALANCED: (640,), Quality.THOROUGH: (640, 1024)}
"""The long sides at which the network looks at a frame, in pixels."""

STILL_SCORE: Final = 0.25
MOVING_SCORE: Final = 0.15
MOVING_START_SCORE: Final = 0.3
SAME_PLATE: Final = 0.4
"""Boxes that overlap by more (IoU) are one plate; all of them are covered."""


class PlateDetector(Detector):
    """Finds licence plates as boxes.

    A plate that is turned by more than about 30 degrees, or seen from the side, is often missed. Network and
    decoding: Deng et al., RetinaFace (CVPR 2020), section 3, with plates in the place of faces.
    """

    name = "plate"
    targets = frozenset({Target.PLATE})
    models = ("plate",)

    def __init__(self, quality: Quality, *, device: Device, threads: int | None, moving: bool) -> None:
        self._passes = (MOVING_PASSES if moving else STILL_PASSES)[quality]
        steady = moving and len(self._passes) == 1
        self._session = Session("plate", device=device, threads=threads, steady=steady)
        self._score = MOVING_SCORE if moving else STILL_SCORE
        self.start_score = MOVING_START_SCORE if moving else STILL_SCORE

    def detect(self, frames: Sequence[RawFrame]) -> list[Detections]:
        """Return the plates of each frame; raises DetectionError where the network fails."""
        return [self._find(frame) for frame in frames]

    def _find(self, frame: RawFrame) -> Detections:
        boxes, scores = [], []
        for long_side in worthwhile(self._passes, frame):
            width, height = fit(frame.width, frame.height, long_side, 32)
            outputs = self._session.run(frame.bgr(width, height)[None])
            require_finite(outputs, "plate")
            offsets, confidences = outputs[0][0], outputs[1][0, :, 1]
            seen = confidences >= self._score
            found = decode(offsets[seen], priors(width, height)[seen])
            boxes.append(found * np.array([frame.width / width, frame.height / height] * 2, np.float32))
            scores.append(confidences[seen])
        joined = merge(np.concatenate(boxes), np.concatenate(scores), SAME_PLATE)
        return detections(clip(joined[0], frame.width, frame.height), joined[1], Target.PLATE)


@lru_cache(maxsize=8)
def priors(width: int, height: int) -> NDArray[np.float32]:
    """Return the prior boxes for an input of that size: float32 (n, 3), centre x, centre y, side, in pixels.

    The order is that of the network's outputs: by stride, row, column, side.
    """
    levels = []
    for stride, sides in PRIOR_SIDES.items():
        rows, columns = -(-height // stride), -(-width // stride)
        y, x, side = np.meshgrid(np.arange(rows), np.arange(columns), sides, indexing="ij")
        levels.append(np.stack([(x + 0.5) * stride, (y + 0.5) * stride, side], axis=-1).reshape(-1, 3))
    return np.concatenate(levels).astype(np.float32)


def decode(offsets: NDArray[np.float32], prior: NDArray[np.float32]) -> Boxes:
    """Return boxes (n, 4) in pixels from the network's offsets (n, 4) to prior boxes (n, 3)."""
    centres = prior[:, :2] + offsets[:, :2] * CENTRE_VARIANCE * prior[:, 2:]
    halves = prior[:, 2:] * np.exp(offsets[:, 2:] * SIDE_VARIANCE) / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)
