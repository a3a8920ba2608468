"""Finds faces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from eyelid.detect.base import Detector, clip, detections, fit
from eyelid.detect.centerface import MULTIPLE, NAME, join, look
from eyelid.models.session import Device, Session
from eyelid.types import Quality, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyelid.types import Detections, RawFrame

STILL_LOOKS: Final = {
    Quality.FAST: (640,),
    Quality.BALANCED: (640, 1280),
    Quality.THOROUGH: (640, 960, 1280, 1920),
}
"""The long sides, in pixels, at which a still is looked at."""

VIDEO_LOOKS: Final = {Quality.FAST: (640,), Quality.BALANCED: (640,), Quality.THOROUGH: (640, 1280)}
"""The long sides, in pixels, at which a frame of a video is looked at."""

STILL_SCORE: Final = 0.25
VIDEO_SCORE: Final = 0.1
VIDEO_START_SCORE: Final = 0.3


class FaceDetector(Detector):
    """Finds faces with CenterFace at several sizes of the picture.

    Raises :class:`~eyelid.errors.ModelError` where the weights or the device cannot be used.
    """

    name = "centerface"
    targets = frozenset({Target.FACE})
    models = (NAME,)

    def __init__(
        self,
        quality: Quality = Quality.BALANCED,
        *,
        device: Device = Device.CPU,
        threads: int | None = None,
        moving: bool = False,
    ) -> None:
        self._session = Session(NAME, device=device, threads=threads)
        self._sides = (VIDEO_LOOKS if moving else STILL_LOOKS)[quality]
        self._least_score = VIDEO_SCORE if moving else STILL_SCORE
        self.start_score = VIDEO_START_SCORE if moving else STILL_SCORE

    def detect(self, frames: Sequence[RawFrame]) -> list[Detections]:
        """Return the faces of each frame, boxes in its pixels; raises DetectionError as the base says."""
        return [self._detect(frame) for frame in frames]

    def _detect(self, frame: RawFrame) -> Detections:
        sizes = {fit(frame.width, frame.height, side, MULTIPLE): None for side in self._sides}
        faces = join([look(self._session, frame, size, self._least_score) for size in sizes])
        return detections(clip(faces.boxes, frame.width, frame.height), faces.scores, Target.FACE)
