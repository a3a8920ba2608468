"""People, vehicles and screens: one look of NanoDet finds all of them that are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from eyelid.detect.base import Detector, clip, detections, merge
from eyelid.detect.nanodet import NanoDet, best
from eyelid.types import Detections, Quality, Target

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from eyelid.models.session import Device
    from eyelid.types import RawFrame

CLASSES: Final = {
    Target.PERSON: ("person",),
    Target.VEHICLE: ("car", "motorcycle", "bus", "train", "truck", "boat"),
    Target.SCREEN: ("tv", "laptop", "cell phone"),
}
"""The classes of COCO behind each target. Bicycles are no vehicles here: they bear no mark that names their
owner, and a rider is a person. Aeroplanes are left out too."""

STILL_PASSES: Final = {
    Quality.FAST: (640,),
    Quality.BALANCED: (416, 832),
    Quality.THOROUGH: (416, 832, 1280),
}
MOVING_PASSES: Final = {Quality.FAST: (416,), Quality.BALANCED: (640,), Quality.THOROUGH: (832,)}
"""The long sides at which the network looks at a frame, in pixels."""

STILL_SCORE: Final = 0.25
MOVING_SCORE: Final = 0.2
MOVING_START_SCORE: Final = 0.35
SAME_OBJECT: Final = 0.5
"""Boxes of a target that overlap by more (IoU) are one object; all of them are covered."""


class ObjectDetector(Detector):
    """Finds people, vehicles and screens as boxes, in one look at each frame."""

    name = "object"
    models = (NanoDet.model,)

    def __init__(
        self,
        quality: Quality,
        *,
        device: Device,
        threads: int | None,
        moving: bool,
        targets: Collection[Target] = tuple(CLASSES),
    ) -> None:
        self.targets = frozenset(targets)
        self._network = NanoDet(device=device, threads=threads, steady=moving)
        self._passes = (MOVING_PASSES if moving else STILL_PASSES)[quality]
        self._score = MOVING_SCORE if moving else STILL_SCORE
        self.start_score = MOVING_START_SCORE if moving else STILL_SCORE

    def detect(self, frames: Sequence[RawFrame]) -> list[Detections]:
        """Return the objects of each frame; raises DetectionError where the network fails."""
        return [self._find(frame) for frame in frames]

    def _find(self, frame: RawFrame) -> Detections:
        looks = [self._network.look(frame, long_side, self._score) for long_side in self._passes]
        boxes = clip(np.concatenate([look[0] for look in looks]), frame.width, frame.height)
        scores = np.concatenate([look[1] for look in looks])
        found = []
        for target in sorted(self.targets):
            confidences = best(scores, CLASSES[target])
            seen = confidences >= self._score
            found.append(detections(*merge(boxes[seen], confidences[seen], SAME_OBJECT), target))
        return Detections.concatenate(found)


class PersonDetector(ObjectDetector):
    """Finds whole people."""

    name = "person"

    def __init__(self, quality: Quality, *, device: Device, threads: int | None, moving: bool) -> None:
        super().__init__(quality, device=device, threads=threads, moving=moving, targets=(Target.PERSON,))


class VehicleDetector(ObjectDetector):
    """Finds cars, motorcycles, buses, trains, trucks and boats."""

    name = "vehicle"

    def __init__(self, quality: Quality, *, device: Device, threads: int | None, moving: bool) -> None:
        super().__init__(quality, device=device, threads=threads, moving=moving, targets=(Target.VEHICLE,))


class ScreenDetector(ObjectDetector):
    """Finds televisions, monitors, laptops and mobile phones."""

    name = "screen"

    def __init__(self, quality: Quality, *, device: Device, threads: int | None, moving: bool) -> None:
        super().__init__(quality, device=device, threads=threads, moving=moving, targets=(Target.SCREEN,))
