"""Frames in order of time, each with the plan of what to cover in it."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

from eyelid.evidence.model import CoverReason
from eyelid.jobs.cover import PlannedFrame
from eyelid.track.cuts import CutDetector
from eyelid.track.settings import TrackSettings
from eyelid.track.tracker import Tracker
from eyelid.types import Quality

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from eyelid.jobs.finder import Finder
    from eyelid.jobs.settings import Settings
    from eyelid.track.plan import FramePlan
    from eyelid.types import RawFrame

LOOKS_A_SECOND: Final = {Quality.FAST: 5.0, Quality.BALANCED: 8.0}
"""How often the detectors look at a video; in between, the tracker knows where things went."""

LOOK_AHEAD_BYTES: Final = 160 * 2**20
"""How much memory the frames that wait for their plan may take."""

LONGEST_BLIND_S: Final = 0.2
"""So many seconds after a look the next frame is looked at, however few frames came: the rate may vary."""

_USUAL_RATE = 25.0
_LONGEST_STRIDE = 8
_GLANCE = 256
"""Samples across a frame that suffice to see a cut."""


def stride_for(quality: Quality, rate: float | None) -> int:
    """Return how many frames the detectors go forward at a time, in a video of ``rate`` frames a second."""
    if quality not in LOOKS_A_SECOND:
        return 1
    return max(1, min(_LONGEST_STRIDE, int((rate or _USUAL_RATE) / LOOKS_A_SECOND[quality] + 0.01)))


def tracking(settings: Settings) -> TrackSettings:
    """Return how things are followed through time."""
    return TrackSettings(on_lost=settings.on_lost, brief=settings.method.brief)


class Scan:
    """Looks at the frames of one video; holds back no more of them than the tracker looks ahead.

    The detectors run on every ``stride``-th frame, or sooner where frames come slowly or memory holds fewer
    of them, on the frames on both sides of a cut, and on the last one.
    """

    def __init__(self, finder: Finder, settings: TrackSettings, stride: int) -> None:
        self._finder = finder
        self._settings = settings
        self._stride = stride
        self._cuts = CutDetector()
        self._unplanned: deque[RawFrame] = deque()
        self._since_look = 0
        self._looked_at = -math.inf

    def over(self, frames: Iterable[RawFrame]) -> Iterator[PlannedFrame]:
        """Yield every frame in order with its plan."""
        coming = iter(frames)
        newest = next(coming, None)
        if newest is None:
            return
        settings = self._bounded(newest)
        self._stride = min(self._stride, settings.look_ahead_frames)
        tracker = Tracker(newest.width, newest.height, settings, self._finder.start_scores)
        self._cuts.is_cut(_glance(newest))
        starts_shot = False
        for frame in coming:
            cut = self._cuts.is_cut(_glance(frame))
            yield from self._settle(tracker, newest, starts_shot, look=cut)
            newest, starts_shot = frame, cut
        yield from self._settle(tracker, newest, starts_shot, look=True)
        yield from self._pair(tracker.finish())

    def _bounded(self, frame: RawFrame) -> TrackSettings:
        """Look no further ahead than memory allows."""
        size = sum(plane.samples.nbytes for plane in frame.planes)
        frames = max(1, min(self._settings.look_ahead_frames, LOOK_AHEAD_BYTES // size))
        return self._settings.model_copy(update={"look_ahead_frames": frames})

    def _settle(self, tracker: Tracker, frame: RawFrame, cut: bool, *, look: bool) -> Iterator[PlannedFrame]:
        time = float(frame.time or 0)
        late = time - self._looked_at >= LONGEST_BLIND_S
        due = frame.index == 0 or cut or look or late or self._since_look + 1 >= self._stride
        self._since_look = 0 if due else self._since_look + 1
        self._looked_at = time if due else self._looked_at
        self._unplanned.append(frame)
        found = self._finder.find(frame) if due else None
        yield from self._pair(tracker.push(frame.index, time, found, cut))

    def _pair(self, plans: list[FramePlan]) -> Iterator[PlannedFrame]:
        for plan in plans:
            reason = None
            if plan.cover_frame:
                reason = CoverReason.DETECTOR_FAILED if plan.blind else CoverReason.TRACK_LOST
            yield PlannedFrame(self._unplanned.popleft(), plan.detections, reason, plan.held, tracked=True)


def _glance(frame: RawFrame) -> NDArray[np.uint8]:
    """Return every so many samples of the first plane, which is luma in a video, as 8 bit."""
    plane = frame.planes[0]
    step = max(1, frame.width // _GLANCE)
    return (plane.samples[::step, ::step] // ((plane.peak + 1) // 256)).astype(np.uint8)
