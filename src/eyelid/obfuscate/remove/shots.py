"""The frames of one stream that can show what lies behind the holes of another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from eyelid.obfuscate.remove.align import Features, features, homographies

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Sequence

    from eyelid.obfuscate.remove.align import Homography
    from eyelid.obfuscate.remove.picture import Picture
    from eyelid.types import RawFrame

HELD_BYTES: Final = 192 * 2**20
"""Memory for frames that wait, and as much again for frames that were there before."""
AHEAD_S: Final = 4.0
"""How long a frame waits for those that may show what lies behind its holes, in seconds: for the first frames
of a film they are all there is."""
PAST_S: Final = 12.0
"""For how long a few frames are kept after they left, in seconds."""
_PAST_DENSE_S: Final = 1.5
"""For how long all frames that left are kept, in seconds; then one in each step."""
_PAST_STEP_S: Final = 0.5
_GAPS_S: Final = (0.04, 0.1, 0.2, 0.35, 0.55, 0.85, 1.4, 3.0, 6.0, 11.0)
"""Dense where near: each view uncovers a strip more of what is behind a hole, and its flow is measured beside
what the one before uncovered instead of being carried far inside."""
_MOVING = (800, 1500, 2)  # long side, features and planes: many frames
_APART = (1600, 8000, 6)  # photos from different places


@dataclass(eq=False)
class Shot:
    """A frame on its way through: everything of it that was detected is destroyed already."""

    frame: RawFrame
    picture: Picture | None
    time: float
    moving: bool

    @cached_property
    def features(self) -> Features:
        """The points of it that other pictures can be matched by."""
        assert self.picture is not None
        return features(self.picture, *(_MOVING if self.moving else _APART)[:2])


@dataclass(eq=False)
class Other:
    """Another picture as a source for the holes of a target."""

    target: Shot
    shot: Shot

    @property
    def picture(self) -> Picture:
        """The other picture."""
        assert self.shot.picture is not None
        return self.shot.picture

    @cached_property
    def maps(self) -> list[Homography]:
        """The maps from the target to it."""
        most = (_MOVING if self.target.moving else _APART)[2]
        return homographies(self.target.features, self.shot.features, most)


def is_due(waiting: deque[Shot]) -> bool:
    """Return whether the oldest frame has seen enough of what comes after it."""
    oldest, newest = waiting[0], waiting[-1]
    size = sum(shot.picture.nbytes for shot in waiting if shot.picture is not None)
    return not oldest.moving or newest.time - oldest.time >= AHEAD_S or size > HELD_BYTES


def nearest(shot: Shot, others: Sequence[Shot]) -> list[Shot]:
    """Return frames at growing distances in time, before and after, nearest first."""
    chosen: dict[int, Shot] = {}
    usable = [other for other in others if other.picture is not None and other.moving]
    for gap in _GAPS_S:
        for wanted in (shot.time - gap, shot.time + gap):
            side = [o for o in usable if (o.time < shot.time) == (wanted < shot.time)]
            nearest = min(side, key=lambda o: abs(o.time - wanted), default=None)
            if nearest is not None:
                chosen.setdefault(id(nearest), nearest)
    return list(chosen.values())


def thin(before: deque[Shot], now: float) -> None:
    """Forget frames that left: near ones are kept all, of older ones the first of each step of time.

    Near ones take half of the memory at most.
    """
    kept: list[Shot] = []
    dense = size = 0
    for index in range(len(before) - 1, -1, -1):
        shot, age = before[index], now - before[index].time
        assert shot.picture is not None
        opens_step = not index or _step(before[index - 1]) != _step(shot)
        near = age <= _PAST_DENSE_S and dense + shot.picture.nbytes <= HELD_BYTES // 2
        if not (near or opens_step):
            continue
        size += shot.picture.nbytes
        dense += shot.picture.nbytes if near else 0
        if size > HELD_BYTES or age > PAST_S:
            break
        kept.append(shot)
    before.clear()
    before.extend(reversed(kept))


def _step(shot: Shot) -> int:
    return int(shot.time / _PAST_STEP_S)
