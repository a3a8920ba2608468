"""Frames in, plans out: a bounded time later, one a frame, in order, in constant memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np

from eyelid.track.link import Linker
from eyelid.track.plan import FramePlan, Moment, Planner
from eyelid.types import Detections

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eyelid.track.settings import TrackSettings
    from eyelid.types import Target


class _Look(Enum):
    """Whether a detector ran on a frame."""

    NONE = "none"
    WORKED = "worked"
    FAILED = "failed"


Lost: TypeAlias = Literal[_Look.FAILED]

LOST: Final = _Look.FAILED
"""Pushed in place of detections where the detector failed: nothing is known about the frame."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame that waits for its plan; ``since`` is the time of the first frame of its shot."""

    index: int
    time: float
    shot: int
    since: float
    look: _Look


class Tracker:
    """Decides what to cover in each frame of one video, from detections before and after it.

    ``width`` and ``height`` of the frames in pixels; ``start_score`` gives the score from which a detection
    of a target may start a track (0 where missing): lower ones only continue a track, or count after the
    fact when the track that they began reaches it within the look-ahead.
    """

    def __init__(
        self, width: int, height: int, settings: TrackSettings, start_score: Mapping[Target, float]
    ) -> None:
        self._settings = settings
        self._linker = Linker(settings, start_score)
        self._planner = Planner(width, height, settings)
        self._waiting: deque[_Frame] = deque()
        self._newest: _Frame | None = None
        self._look_before = _Look.NONE
        self._worked_before: _Frame | None = None
        self._planned_shot = 0

    def push(self, index: int, time: float, found: Detections | Lost | None, cut: bool) -> list[FramePlan]:
        """Take the next frame; return the plans, in order of frames, that are now settled.

        ``time`` in seconds; ``found`` is what the detectors of all targets found together, None where none
        ran on this frame, :data:`LOST` where one failed; values that are not finite count as failed. ``cut``:
        this frame is the first of a new shot. Raises ValueError where ``index`` does not rise.
        """
        before = self._newest
        if before and index <= before.index:
            raise ValueError(f"frame {index} was pushed after frame {before.index}; push frames in order")
        if before:
            time = max(time, before.time) if np.isfinite(time) else before.time
        elif not np.isfinite(time):
            time = 0.0
        look = _look(found)
        shot, since = (before.shot, before.since) if before else (0, time)
        if cut and before:
            shot, since = shot + 1, time
        self._newest = frame = _Frame(index, time, shot, since, look)
        self._waiting.append(frame)
        if look is _Look.WORKED:
            assert isinstance(found, Detections)
            self._linker.link(index, time, shot, found)
        plans = []
        while self._waiting and (
            len(self._waiting) > self._settings.look_ahead_frames
            or time - self._waiting[0].time >= self._settings.look_ahead_s
        ):
            plans.append(self._plan_next())
        return plans

    def finish(self) -> list[FramePlan]:
        """Return the plans of the frames that still wait; the video ends here."""
        return [self._plan_next() for _ in range(len(self._waiting))]

    def _plan_next(self) -> FramePlan:
        frame = self._waiting[0]
        if frame.shot != self._planned_shot:
            self._planned_shot = frame.shot
            self._look_before, self._worked_before = _Look.NONE, None
        if frame.look is not _Look.NONE:
            self._look_before = frame.look
        if frame.look is _Look.WORKED:
            self._worked_before = frame
        until, look_after, worked_after = self._ahead(frame)
        moment = Moment(
            frame.index,
            frame.time,
            frame.shot,
            frame.since,
            until,
            self._worked_before.index if self._worked_before else -1,
            worked_after,
        )
        plan = self._planner.plan(moment, self._linker.tracks, self._is_blind(frame, look_after))
        self._waiting.popleft()
        longest = max(self._settings.gap_s, self._settings.look_ahead_s, self._settings.hold_s)
        self._linker.forget(frame.index, frame.shot, frame.time - longest)
        return plan

    def _ahead(self, frame: _Frame) -> tuple[float, _Look, int]:
        """Return how far the shot is known in seconds, the next look in it, and the next that worked."""
        assert self._newest is not None
        until, look, worked = self._newest.time, _Look.NONE, -1
        if self._newest.shot == frame.shot and frame.look is _Look.WORKED:
            return until, frame.look, frame.index
        for later in self._waiting:
            if later.shot != frame.shot:
                return later.time, look, worked
            if look is _Look.NONE:
                look = later.look
            if worked < 0 and later.look is _Look.WORKED:
                worked = later.index
                if self._newest.shot == frame.shot:
                    break
        return until, look, worked

    def _is_blind(self, frame: _Frame, look_after: _Look) -> bool:
        """Return whether nothing is known about a frame.

        That is so where the nearest look on either side failed, or where no detector ran near it in its shot.
        """
        if frame.look is not _Look.NONE:
            return frame.look is _Look.FAILED
        if _Look.FAILED in (self._look_before, look_after):
            return True
        if look_after is _Look.WORKED:
            return False
        worked = self._worked_before
        return worked is None or frame.time - worked.time > self._settings.look_ahead_s


def _look(found: Detections | Lost | None) -> _Look:
    if found is None:
        return _Look.NONE
    if isinstance(found, Detections) and np.isfinite(found.boxes).all() and np.isfinite(found.scores).all():
        return _Look.WORKED
    return _Look.FAILED
