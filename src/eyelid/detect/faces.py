"""Finds faces: CenterFace at several sizes of the picture, in stills closer, and judged, where in doubt."""

from __future__ import annotations

import math
from itertools import cycle
from typing import TYPE_CHECKING, Final

import numpy as np

from eyelid.detect.base import Detector, clip, detections, fit
from eyelid.detect.centerface import MULTIPLE, NAME, Faces, join, look
from eyelid.detect.closer import WINDOW, hesitant, look_closer, windows
from eyelid.detect.realface import MODELS, RealFace
from eyelid.models.session import Device, Precision, Session
from eyelid.types import Quality, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from eyelid.detect.base import Scores
    from eyelid.types import Detections, RawFrame

VIDEO_SIDES: Final = {Quality.FAST: (512,), Quality.BALANCED: (640,), Quality.THOROUGH: (640, 1280)}
"""The long sides, in pixels, at which a frame of a video is looked at."""

LARGEST: Final = 1920.0
"""Stills are not looked at or judged at more than this, as the width of a 4:3 picture, but when thorough."""

HINT: Final = 0.08
"""A look that gives a place less than this does not hesitate there."""
STEEPEST: Final = 2.0
"""Enlarged more than this, a picture shows faces that the look before gave no hint of."""

STILL_SCORE: Final = 0.25
VIDEO_SCORE: Final = 0.1
VIDEO_START_SCORE: Final = 0.3

SURE: Final = 0.8
"""A face of this score is covered without a second opinion."""
JUDGED_WIDTH: Final = 24.0
"""Faces narrower than this, in pixels, cannot be judged and are covered."""
DOUBT: Final = 0.8
"""What a second opinion of -1 takes from the score; at 0.75 drawings pass, at 0.9 a profile is lost."""


class FaceDetector(Detector):
    """Finds faces.

    Parameters as for every detector (:mod:`eyelid.detect.registry`), and the ``precision`` of the networks.
    Raises :class:`~eyelid.errors.ModelError` where the weights or the device cannot be used.
    """

    name = "centerface"
    targets = frozenset({Target.FACE})

    def __init__(
        self,
        quality: Quality = Quality.BALANCED,
        *,
        device: Device = Device.CPU,
        threads: int | None = None,
        moving: bool = False,
        precision: Precision = Precision.AUTO,
    ) -> None:
        self._quality = quality
        self._moving = moving
        # one network a size where sizes are steady; a network for any size keeps what it made for each
        looks = len(VIDEO_SIDES[quality]) if moving else 1
        self._sessions = [
            Session(NAME, device=device, precision=precision, threads=threads, steady=moving)
            for _ in range(looks)
        ]
        closer = not moving and quality is Quality.BALANCED
        self._closer = (
            Session(NAME, device=device, precision=precision, threads=threads, steady=True)
            if closer
            else None
        )
        self._second = None if moving else RealFace(device=device, precision=precision, threads=threads)
        self.models = (NAME,) if moving else (NAME, *MODELS)
        self.start_score = VIDEO_START_SCORE if moving else STILL_SCORE

    def detect(self, frames: Sequence[RawFrame]) -> list[Detections]:
        """Return the faces of each frame, boxes in its pixels; raises DetectionError as the base says."""
        return [self._detect(frame) for frame in frames]

    def _detect(self, frame: RawFrame) -> Detections:
        least = VIDEO_SCORE if self._moving else STILL_SCORE
        sides = VIDEO_SIDES[self._quality] if self._moving else still_sides(frame, self._quality)
        sizes = list(dict.fromkeys(fit(frame.width, frame.height, side, MULTIPLE) for side in sides))
        looks = self._closing_in(frame, sizes) if self._closer else self._each(frame, sizes, least)
        faces = join([seen.at_least(least) for seen in looks])
        if self._second:
            faces = _doubted(faces, frame, self._second).at_least(least)
        return detections(clip(faces.boxes, frame.width, frame.height), faces.scores, Target.FACE)

    def _each(self, frame: RawFrame, sizes: list[tuple[int, int]], least: float) -> Iterator[Faces]:
        """Look at all of a frame at every size."""
        for session, size in zip(cycle(self._sessions), sizes, strict=False):
            yield look(session, frame, size, least)

    def _closing_in(self, frame: RawFrame, sizes: list[tuple[int, int]]) -> Iterator[Faces]:
        """Look at all of a frame at every size but the last, and at that only where the one before hesitates.

        Where that is nearly everywhere, all of the frame is looked at once more.
        """
        *whole, last = sizes
        seen = Faces.none()
        for seen in self._each(frame, whole, HINT):
            yield seen
        width, height = last
        corners = None
        if whole and min(last) >= WINDOW:
            doubts = hesitant(seen, width / frame.width)
            corners = windows(doubts.centres * (width / frame.width, height / frame.height), width, height)
        if corners is None or len(corners) * WINDOW**2 >= width * height:
            yield look(self._sessions[0], frame, last, STILL_SCORE)
        elif self._closer and corners:
            yield from look_closer(self._closer, frame, last, corners, STILL_SCORE)


def still_sides(frame: RawFrame, quality: Quality) -> tuple[int, ...]:
    """Return the long sides, in pixels, at which a still is looked at.

    The sizes are those of a 4:3 picture with as many pixels, so that a panorama costs no more and is not
    shrunk further: once small, for large and blurred faces, and once near its own size, for small ones. The
    last of the balanced looks, for the doubts of the one before, enlarges that twofold at most.
    """
    own = _own(frame)
    near = min(own, 640.0)
    far = min(max(own, 960.0), LARGEST, 1.5 * own)
    widths = {
        Quality.FAST: (min(1.5 * own, 800.0),),
        Quality.BALANCED: (max(near, far / STEEPEST), far),
        Quality.THOROUGH: (near, far, min(2 * own, 1280.0), min(2 * own, 2560.0)),
    }[quality]
    return tuple(round(width * max(frame.width, frame.height) / own) for width in widths)


def _own(frame: RawFrame) -> float:
    """The width of a 4:3 picture with as many pixels as the frame."""
    return max(1.0, math.sqrt(frame.width * frame.height * 4 / 3))


def _doubted(faces: Faces, frame: RawFrame, second: RealFace) -> Faces:
    """Lower the scores of faces that the second opinion finds drawn, moulded or no faces.

    Only faces that are neither sure nor small are judged: the widest, and where that looks wrong the others.
    """
    shrink = min(1.0, LARGEST / _own(frame))
    boxes = faces.boxes * np.float32(shrink)
    widths = boxes[:, 2] - boxes[:, 0]
    doubtful = np.flatnonzero((widths >= JUDGED_WIDTH) & (faces.scores < SURE))
    if len(doubtful) == 0:
        return faces
    picture = frame.bgr(max(1, round(frame.width * shrink)), max(1, round(frame.height * shrink)))
    order = doubtful[np.argsort(-widths[doubtful], kind="stable")]
    verdicts = second.judge(picture, boxes[order[:1]])
    if verdicts[0] < 0:
        verdicts = np.append(verdicts, second.judge(picture, boxes[order[1:]]))
    scores = faces.scores.copy()
    judged = order[: len(verdicts)]
    scores[judged] = weigh(scores[judged], verdicts)
    return Faces(faces.boxes, scores)


def weigh(scores: Scores, verdicts: NDArray[np.float32]) -> Scores:
    """Return the scores (n,) of the judged faces, at least one, lowered by doubts and never raised.

    A picture is a photograph or a drawing as a whole, so half of each verdict is the median of all.
    """
    shared = (verdicts + np.median(verdicts)) / 2
    lowered: Scores = np.clip(scores + DOUBT * np.minimum(shared, 0), 0, 1).astype(np.float32)
    return lowered
