"""What to cover in a frame, given the tracks on both sides of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from eyelid.track import motion, polygons
from eyelid.track.settings import OnLost
from eyelid.types import Detections, Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from eyelid.track.link import Sight, State, Track
    from eyelid.track.polygons import Polygon
    from eyelid.track.settings import TrackSettings


UNKNOWN = 3.0
"""A thing seen once may have any speed: it grows this many times as fast."""


GROWTH_SHARES: Final = {Target.PERSON: 0.25, Target.VEHICLE: 0.25, Target.SCREEN: 0.25}
"""Targets as large as bodies move by a smaller part of their own sides in a second than faces do."""


@dataclass(frozen=True, slots=True, eq=False)
class FramePlan:
    """What to cover in one frame.

    ``detections`` hold the track ids (from 0, in order of first appearance), boxes before shape and margin;
    they may reach beyond the picture. ``cover_frame``: cover all of it, because nothing is known (``blind``)
    or because a track is lost. ``held``: how many entries no detector saw in this frame.
    """

    index: int
    detections: Detections
    cover_frame: bool
    held: int
    blind: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """The frame to plan, and what is known around it in its shot.

    ``since`` is the time in seconds of the first frame of the shot, ``until`` that of the last known frame of
    it (of the first frame of the next shot once there is one). ``looked_before`` and ``looked_after`` are the
    indices of the nearest frames, this one included, on which a detector worked; -1 where there is none.
    """

    index: int
    time: float
    shot: int
    since: float
    until: float
    looked_before: int
    looked_after: int


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """One track in one frame: the box (4,) to cover, and the polygon where there is one."""

    track: Track
    box: motion.Array
    score: float
    polygon: Polygon | None
    seen: bool


_Between: TypeAlias = "tuple[Track, Sight, Sight, State, State]"
_Beyond: TypeAlias = "tuple[Track, Sight, State, bool]"


class Planner:
    """Turns tracks into the entries of one frame after another."""

    def __init__(self, width: int, height: int, settings: TrackSettings) -> None:
        self._width, self._height = width, height
        self._settings = settings
        self._next_number = 0

    def plan(self, moment: Moment, tracks: Sequence[Track], blind: bool) -> FramePlan:
        """Return what to cover at ``moment``; ``blind``: cover all of the frame in any case."""
        seen: list[_Entry] = []
        gaps: list[_Between] = []
        ends: list[_Beyond] = []
        for track in tracks:
            if not track.confirmed or track.shot != moment.shot:
                continue
            count = track.seen_until(moment.index)
            if count == 0:
                first = track.sights[0]
                speed = track.speed_after(0)
                ends.append((track, first, (-speed[0], -speed[1], -speed[2], -speed[3]), False))
                if track.lead and track.lead.index < moment.index:
                    gaps.append((track, track.lead, first, track.speed, speed))
                continue
            last = track.sights[count - 1]
            if last.index == moment.index:
                seen.append(_Entry(track, last.box, last.score, last.polygon, True))
            elif count < len(track.sights):
                speeds = track.speed_before(count - 1), track.speed_after(count)
                gaps.append((track, last, track.sights[count], *speeds))
            else:
                ends.append((track, last, track.speed_before(count - 1), True))
        held, lost = self._beyond(moment, ends)
        entries = self._visible([*seen, *_joined([*self._between(moment, gaps), *held])])
        return FramePlan(
            moment.index,
            self._detections(entries),
            blind or (lost and self._settings.on_lost is OnLost.COVER_FRAME),
            sum(not entry.seen for entry in entries),
            blind,
        )

    def _between(self, moment: Moment, gaps: list[_Between]) -> Iterator[_Entry]:
        if not gaps:
            return
        since = np.array([moment.time - first.time for _, first, _, _, _ in gaps])
        until = np.array([last.time - moment.time for _, _, last, _, _ in gaps])
        shares_of_growth = _shares_of_growth(track for track, *_ in gaps)
        boxes = motion.between(
            np.array([first.state for _, first, _, _, _ in gaps]),
            np.array([last.state for _, _, last, _, _ in gaps]),
            (np.array([before for *_, before, _ in gaps]), np.array([after for *_, after in gaps])),
            since,
            until,
            self._settings.growth_per_s * shares_of_growth,
            self._settings.growth_limit * shares_of_growth,
        )
        shares = since / np.maximum(since + until, 1e-9)
        for (track, first, last, _, _), box, u in zip(gaps, boxes, shares.tolist(), strict=True):
            polygon = polygons.between((first.polygon, first.box), (last.polygon, last.box), u, box)
            yield _Entry(track, box, min(first.score, last.score), polygon, False)

    def _beyond(self, moment: Moment, ends: list[_Beyond]) -> tuple[list[_Entry], bool]:
        """Return the entries of tracks with detections on one side only, and whether one of them is lost."""
        if not ends:
            return [], False
        settings = self._settings
        states, speeds = np.array([s.state for _, s, _, _ in ends]), np.array([v for _, _, v, _ in ends])
        away = np.abs(moment.time - np.array([sight.time for _, sight, _, _ in ends]))
        seen_boxes = motion.to_boxes(states)
        shares = _shares_of_growth(track for track, *_ in ends)
        rates = settings.growth_per_s * shares * np.array([UNKNOWN if t.alone else 1.0 for t, *_ in ends])
        boxes = motion.beyond(states, speeds, away, rates, settings.growth_limit * shares)
        outer = motion.touches_border(seen_boxes, self._width, self._height).tolist()
        entries: list[_Entry] = []
        lost = False
        for i, (track, sight, _, after) in enumerate(ends):
            gap_s, hold_s = settings.gap_for(track.target), settings.hold_for(track.target)
            if after:
                missed = moment.looked_before > sight.index
                undecided = moment.until - sight.time < gap_s
            else:
                missed = 0 <= moment.looked_after < sight.index
                undecided = sight.time - moment.since < gap_s
            if missed and not undecided and away[i] > hold_s:
                continue
            entries.append(_Entry(track, boxes[i], sight.score, None, False))
            lost = lost or (after and missed and not outer[i])
        return entries, lost

    def _visible(self, entries: list[_Entry]) -> list[_Entry]:
        """Return the entries that reach into the picture, in order of their ids, new ids given."""
        if not entries:
            return []
        boxes: motion.Array = np.array([entry.box for entry in entries])
        size = np.array([self._width, self._height], np.float64)
        inside: list[bool] = np.all((boxes[:, :2] < size) & (boxes[:, 2:] > 0), axis=1).tolist()
        shown = [entry for entry, reaches in zip(entries, inside, strict=True) if reaches]
        for entry in shown:
            if entry.track.number < 0:
                entry.track.number = self._next_number
                self._next_number += 1
        return sorted(shown, key=lambda entry: entry.track.number)

    @staticmethod
    def _detections(entries: list[_Entry]) -> Detections:
        if not entries:
            return Detections.none()
        return Detections(
            np.array([entry.box for entry in entries], np.float32),
            np.array([entry.score for entry in entries], np.float32),
            tuple(entry.track.target for entry in entries),
            np.array([entry.track.number for entry in entries], np.int64),
            tuple(entry.polygon for entry in entries),
        )


def _shares_of_growth(tracks: Iterable[Track]) -> motion.Array:
    """Return the share (n,) of the growth of a face that each track's target gets."""
    return np.array([GROWTH_SHARES.get(track.target, 1.0) for track in tracks])


def _joined(entries: list[_Entry]) -> list[_Entry]:
    """Return one entry a track: the hull, without polygon, where a track has two."""
    by_track: dict[int, _Entry] = {}
    for entry in entries:
        other = by_track.get(id(entry.track))
        if other is not None:
            box = motion.hull(entry.box[None], other.box[None])[0]
            entry = _Entry(entry.track, box, max(entry.score, other.score), None, False)
        by_track[id(entry.track)] = entry
    return list(by_track.values())
