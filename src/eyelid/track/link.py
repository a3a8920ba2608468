"""Link detections of successive frames into tracks.

Two stages as in ByteTrack (Zhang et al., ECCV 2022, section 3): strong detections choose first, weak ones may
only continue what is left. A third stage joins what is far apart and may or may not be the same thing: there
both readings are covered (see :attr:`Track.lead`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from eyelid.track import motion
from eyelid.track.assign import assign
from eyelid.types import Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from eyelid.track.settings import TrackSettings
    from eyelid.types import Detections

State: TypeAlias = tuple[float, float, float, float]
"""Centre x, centre y, log width, log height; or their rates of change in units a second."""

STILL: State = (0.0, 0.0, 0.0, 0.0)
SPEED_WINDOW_S = 0.3
"""Speeds are taken over this time, so that jitter of the detector is averaged."""

NEAR, NEAR_PER_S, NEAR_LIMIT = 0.5, 1.0, 1.2
"""Distance in box sides within which a detection continues a track: at once, more a second, at most."""

FAR, FAR_PER_S, FAR_LIMIT = 1.0, 12.0, 4.0
"""The same for a detection that perhaps continues it: a small face moves several sides between detections."""

SIZE_WEIGHT, SIZE_LIMIT = 0.5, 0.8
"""Cost of a difference in log size, and the difference (a factor of 2.2) above which it is another thing."""


SWEEP = 16
"""What is past is dropped every so many frames, because looking for it costs time."""

_CODES = {target: code for code, target in enumerate(Target)}


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """One detection of a track."""

    index: int
    time: float
    box: motion.Array
    state: State
    score: float
    polygon: NDArray[np.float32] | None


_index, _time = attrgetter("index"), attrgetter("time")


@dataclass(slots=True, eq=False)
class Track:
    """The detections of one thing within one shot, oldest first; ``code`` is the target as a number.

    ``confirmed`` once a detection reached the start score; it then counts from its first, weak detection.
    ``lead``: the last detection of another track that this one perhaps continues; the way between is covered
    although both are also covered as if they were two things. ``number`` is the public id, -1 until the
    track first appears in a plan. ``heir`` is the other end of a lead.
    """

    target: Target
    code: int
    shot: int
    sights: list[Sight]
    confirmed: bool
    lead: Sight | None = None
    heir: Sight | None = None
    number: int = -1
    speed: State = field(default=STILL)

    def add(self, sight: Sight, strong: bool) -> None:
        """Continue the track."""
        self.sights.append(sight)
        self.heir = None
        self.confirmed = self.confirmed or strong
        self.speed = self.speed_before(len(self.sights) - 1)

    def seen_until(self, index: int) -> int:
        """Return how many detections lie at or before frame ``index``."""
        if self.sights[-1].index <= index:
            return len(self.sights)
        return bisect_right(self.sights, index, key=_index)

    def speed_before(self, position: int) -> State:
        """Return the rate of change that led to a detection; zero where it is the first."""
        here = self.sights[position]
        if position == 0:
            return _speed(self.lead, here) if self.lead else STILL
        start = bisect_left(self.sights, here.time - SPEED_WINDOW_S, hi=position, key=_time)
        return _speed(self.sights[min(start, position - 1)], here)

    def speed_after(self, position: int) -> State:
        """Return the rate of change that follows a detection; zero where none follows."""
        here = self.sights[position]
        if position + 1 == len(self.sights):
            return _speed(here, self.heir) if self.heir else STILL
        end = bisect_right(self.sights, here.time + SPEED_WINDOW_S, lo=position, key=_time) - 1
        return _speed(here, self.sights[max(end, position + 1)])

    @property
    def alone(self) -> bool:
        """Whether a single detection is all there is, so that nothing is known of its speed."""
        return len(self.sights) == 1 and self.lead is None and self.heir is None

    def forget(self, index: int) -> None:
        """Drop detections that no frame from ``index`` on can depend on: its speed needs two at least."""
        if (seen := self.seen_until(index)) > 1:
            oldest = self.sights[seen - 1].time - SPEED_WINDOW_S
            del self.sights[: bisect_left(self.sights, oldest, hi=seen - 2, key=_time)]


def _speed(a: Sight, b: Sight) -> State:
    seconds = b.time - a.time
    if seconds <= 1e-6:
        return STILL
    (ax, ay, aw, ah), (bx, by, bw, bh) = a.state, b.state
    return (bx - ax) / seconds, (by - ay) / seconds, (bw - aw) / seconds, (bh - ah) / seconds


class Linker:
    """Holds the tracks; ``start_score`` is the score from which a target may start one (0 where missing)."""

    def __init__(self, settings: TrackSettings, start_score: Mapping[Target, float]) -> None:
        self.tracks: list[Track] = []
        self._gaps = {target: settings.gap_for(target) for target in Target}
        self._start_scores = np.array([start_score.get(target, 0.0) for target in Target], np.float32)
        self._calls = 0

    def link(self, index: int, time: float, shot: int, found: Detections) -> None:
        """Continue and start tracks with the detections of one frame."""
        open_tracks = [
            t for t in self.tracks if t.shot == shot and time - t.sights[-1].time <= self._gaps[t.target]
        ]
        if not len(found):
            return
        boxes = found.boxes.astype(np.float64)
        states = motion.to_states(boxes)
        codes = np.array([_CODES[target] for target in found.targets])
        scores = found.scores.tolist()
        is_strong = found.scores >= self._start_scores[codes]
        strong = is_strong.tolist()
        sights = [
            Sight(index, time, boxes[i], tuple(state), scores[i], found.polygons[i])
            for i, state in enumerate(states.tolist())
        ]
        leads: dict[int, Sight] = {}
        free = np.ones(len(sights), bool)
        if open_tracks:
            costs = _costs(open_tracks, states, codes, time)
            seconds = time - np.array([t.sights[-1].time for t in open_tracks])
            near = np.minimum(NEAR + NEAR_PER_S * seconds, NEAR_LIMIT)
            waiting = np.ones(len(open_tracks), bool)
            for stage in (is_strong, ~is_strong):
                for i, j in _matched(costs, near, waiting, free & stage):
                    open_tracks[i].add(sights[j], strong[j])
                    waiting[i] = free[j] = False
            far = np.minimum(FAR + FAR_PER_S * seconds, FAR_LIMIT)
            for i, j in _matched(costs, far, waiting, free & is_strong):
                leads[j] = open_tracks[i].sights[-1]
                open_tracks[i].heir = sights[j]
        for j in np.flatnonzero(free).tolist():
            track = Track(found.targets[j], int(codes[j]), shot, [sights[j]], strong[j], leads.get(j))
            track.speed = track.speed_before(0)
            self.tracks.append(track)

    def forget(self, index: int, shot: int, oldest: float) -> None:
        """Drop tracks of earlier shots, tracks not seen since ``oldest`` (seconds), and old detections."""
        self._calls += 1
        if self._calls % SWEEP:
            return
        self.tracks = [t for t in self.tracks if t.shot >= shot and t.sights[-1].time >= oldest]
        for track in self.tracks:
            track.forget(index)


def _matched(
    costs: motion.Array, gates: motion.Array, rows: NDArray[np.bool_], columns: NDArray[np.bool_]
) -> list[tuple[int, int]]:
    if not rows.any() or not columns.any():
        return []
    i, j = np.flatnonzero(rows), np.flatnonzero(columns)
    return [(int(i[a]), int(j[b])) for a, b in assign(costs[np.ix_(i, j)], gates[i])]


def _costs(
    tracks: Sequence[Track], states: motion.Array, codes: NDArray[np.int64], time: float
) -> motion.Array:
    """Return the cost (tracks, detections): distance from the predicted centre in box sides, and size."""
    last = np.array([t.sights[-1].state for t in tracks])
    seconds = time - np.array([t.sights[-1].time for t in tracks])
    travel = np.array([t.speed for t in tracks]) * seconds[:, None]
    travel[:, 2:] = np.clip(travel[:, 2:], -SIZE_LIMIT, SIZE_LIMIT)
    expected = last + travel
    sides = (_scale(expected)[:, None] + _scale(states)[None]) / 2
    apart = expected[:, None] - states[None]
    away = np.hypot(apart[..., 0] / sides[..., 0], apart[..., 1] / sides[..., 1])
    resized = (np.abs(apart[..., 2]) + np.abs(apart[..., 3])) / 2
    other = np.array([t.code for t in tracks])[:, None] != codes
    costs: motion.Array = np.where(other | (resized > SIZE_LIMIT), np.inf, away + SIZE_WEIGHT * resized)
    return costs


def _scale(states: motion.Array) -> motion.Array:
    """Return the unit of distance (n, 2): halfway between each side and the root of the area, in pixels."""
    sides = np.exp(states[:, 2:])
    scale: motion.Array = (sides + np.sqrt(sides.prod(axis=1, keepdims=True))) / 2
    return scale
