"""CenterFace: what the network's three maps mean, and how faces are read from them.

Xu, Yan, Yang, Sun, Tang, "CenterFace: Joint Face Detection and Alignment Using Face as Point", 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from eyelid.detect.base import nms, require_finite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyelid.detect.base import Boxes, Scores
    from eyelid.models.session import Session
    from eyelid.types import RawFrame

NAME: Final = "centerface"
STRIDE: Final = 4
MULTIPLE: Final = 32
SAME_FACE: Final = 0.4
"""Boxes whose IoU is above this are one face."""


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Faces of one picture: ``boxes`` (n, 4) in pixels, ``scores`` (n,)."""

    boxes: Boxes
    scores: Scores

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def none(cls) -> Faces:
        """Return no faces."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))

    @property
    def centres(self) -> NDArray[np.float32]:
        """The middles of the boxes, float32 (n, 2): x and y in pixels."""
        middles: NDArray[np.float32] = (self.boxes[:, :2] + self.boxes[:, 2:]) / np.float32(2)
        return middles

    def at_least(self, score: float) -> Faces:
        """Return the faces whose score is ``score`` or more."""
        keep = self.scores >= score
        return Faces(self.boxes[keep], self.scores[keep])


def decode(maps: Sequence[NDArray[np.float32]], least_score: float) -> Faces:
    """Read the faces of one picture from the maps heatmap, scale and offset, each (1, c, h, w).

    A face is a cell of the heatmap that is no lower than its eight neighbours. Its box has the sides
    4 exp(scale) and the centre 4 (cell + offset + 1/2); the maps hold y before x. Boxes are in pixels of the
    network's input, duplicates removed, best first. Raises DetectionError where a map is not finite.
    """
    require_finite(maps, NAME)
    heat, scale, offset = maps[0][0, 0], maps[1][0], maps[2][0]
    peak = (heat >= least_score) & (heat >= cv2.dilate(heat, np.ones((3, 3), np.uint8)))
    y, x = np.nonzero(peak)
    half = np.exp(scale[:, y, x]) * (STRIDE / 2)
    centre = (np.stack([y, x]) + offset[:, y, x] + 0.5) * STRIDE
    low, high = centre - half, centre + half
    boxes = np.stack([low[1], low[0], high[1], high[0]], axis=1).astype(np.float32)
    scores = heat[y, x].astype(np.float32)
    kept = nms(boxes, scores, SAME_FACE)
    return Faces(boxes[kept], scores[kept])


def look(
    session: Session, frame: RawFrame, size: tuple[int, int], least_score: float, *, mirrored: bool = False
) -> Faces:
    """Return the faces of a frame, boxes in its pixels, as seen at ``size`` (width, height).

    ``mirrored`` shows the network the picture with left and right exchanged.
    """
    width, height = size
    picture = frame.bgr(width, height)
    if mirrored:
        picture = np.ascontiguousarray(picture[:, ::-1])
    faces = decode(session.run(picture[None]), least_score)
    boxes = faces.boxes
    if mirrored:
        boxes = boxes[:, [2, 1, 0, 3]] * np.array([-1, 1, -1, 1], np.float32)
        boxes[:, [0, 2]] += width
    factor = np.array([frame.width / width, frame.height / height] * 2, np.float32)
    return Faces(boxes * factor, faces.scores)


def join(looks: Sequence[Faces]) -> Faces:
    """Join several looks at one frame: each face once, as the look saw it that saw it best."""
    boxes = np.concatenate([faces.boxes for faces in looks])
    scores = np.concatenate([faces.scores for faces in looks])
    kept = nms(boxes, scores, SAME_FACE)
    return Faces(boxes[kept], scores[kept])
