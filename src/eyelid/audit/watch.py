"""Original and output side by side: who is in them, and how much of it the output still shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from eyelid.attack.context import Sighting
from eyelid.attack.dataset import SIZE
from eyelid.detect.base import iou
from eyelid.errors import UsageError
from eyelid.obfuscate.regions import regions
from eyelid.track.tracker import LOST, Lost
from eyelid.types import Detections, Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from eyelid.attack.dataset import Picture
    from eyelid.jobs.cover import PlannedFrame
    from eyelid.jobs.finder import Finder
    from eyelid.obfuscate.regions import Coverage
    from eyelid.types import Bgr, RawFrame

GLANCES_A_SECOND: Final = 2.0
MOST_PICTURES: Final = 12
"""Of each track; a longer one is looked at less often."""
MOST_TRACKS: Final = 300
SMALLEST_FACE: Final = 12.0
"""Pixels; who is narrower cannot be told apart on the original either."""
STILL_THERE: Final = 0.7
"""From this correlation with the original on, a place that a detector marks in the output shows it.

A blur keeps 0.9 and more, a mosaic that takes its tones from the picture 0.8; patterns that do not read the
picture stay below 0.5.
"""
FOUND: Final = 0.3
SAME_PLACE: Final = 0.3
"""The IoU of two boxes of one target."""

_MIDDLE = 0.6
_THUMB = 32
_BODY = 96
_SCENE = (12, 9)


@dataclass(slots=True, eq=False)
class Track:
    """One person: pictures (112, 92) of the face in the original and of the same places in the output.

    ``portrait`` holds the widest face, as the output and the original show it, uint8 BGR.
    """

    clear: list[Picture] = field(default_factory=list)
    shown: list[Picture] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    portrait: tuple[Bgr, Bgr] | None = None
    widest: float = 0.0
    gap: float = 1 / GLANCES_A_SECOND
    last: float = -np.inf

    def add(self, before: Bgr, after: Bgr, box: NDArray[np.float32], person: int, time: float) -> None:
        """Picture the face in ``box`` of the original and the output; of a long track every second stays."""
        self.last = time
        was, now = _crop(before, box), _crop(after, box)
        self.clear.append(np.asarray(cv2.cvtColor(was, cv2.COLOR_BGR2GRAY), np.uint8))
        self.shown.append(np.asarray(cv2.cvtColor(now, cv2.COLOR_BGR2GRAY), np.uint8))
        self.sightings.append(_sighting(before, after, box, person, time))
        width = float(box[2] - box[0])
        if width > self.widest:
            self.widest, self.portrait = width, (now, was)
        if len(self.clear) > MOST_PICTURES:
            self.gap *= 2
            del self.clear[1::2], self.shown[1::2], self.sightings[1::2]


@dataclass(frozen=True, slots=True)
class Sight:
    """A target that a detector marks in the output, in the ``box`` x0 y0 x1 y1 in whole pixels.

    ``shows``: the place looks as in the original, where the same detector finds the same target.
    """

    target: Target
    index: int
    time: float | None
    score: float
    shows: bool
    box: tuple[int, int, int, int]


@dataclass(slots=True, eq=False)
class Watched:
    """All that was seen of one pair of files; ``pixels``, ``outside`` and ``error`` sum over the glances.

    ``marked`` counts glances at which a detector marks something in the output, ``blind`` those at which it
    failed, ``before`` and ``after`` the detections of people and vehicles. ``scenes`` are small pictures of
    the original and the output at ``times``, uint8 BGR (9, 12, 3). ``something``: anything that is looked for
    was found in one of the two, or a detector failed, so that nobody knows.
    """

    tracks: dict[int, Track] = field(default_factory=dict)
    sights: list[Sight] = field(default_factory=list)
    before: dict[Target, int] = field(default_factory=dict)
    after: dict[Target, int] = field(default_factory=dict)
    frames: int = 0
    glances: int = 0
    marked: int = 0
    blind: int = 0
    pixels: int = 0
    outside: int = 0
    error: float = 0.0
    dropped_tracks: int = 0
    something: bool = False
    times: list[float] = field(default_factory=list)
    scenes: list[tuple[Bgr, Bgr]] = field(default_factory=list)

    @property
    def untouched(self) -> float:
        """The share of pixels outside every covered region."""
        return self.outside / max(self.pixels, 1)

    @property
    def fidelity(self) -> float:
        """PSNR in dB of what lies outside, at most 100."""
        return float(min(100.0, -10 * np.log10(max(self.error / max(self.outside, 1), 1e-10))))


class Watcher:
    """Goes through an original, with what is to be covered in it, and its output.

    ``thorough`` finds the targets that were asked for in the output; ``bodies`` counts people and vehicles in
    both. ``coverage`` is what the output was made with.
    """

    def __init__(
        self, thorough: Finder, bodies: Finder, targets: frozenset[Target], coverage: Coverage
    ) -> None:
        self._thorough = thorough
        self._bodies = bodies
        self._targets = targets
        self._coverage = coverage

    def watch(self, planned: Iterable[PlannedFrame], output: Iterable[RawFrame]) -> Iterator[Watched]:
        """Yield what was seen so far after every frame, for progress; the last is the whole.

        Raises UsageError where the two are not frame by frame the same film.
        """
        seen = Watched()
        due = -np.inf
        out = iter(output)
        for item in planned:
            shown = next(out, None)
            if shown is None or (shown.width, shown.height) != (item.frame.width, item.frame.height):
                raise UsageError(
                    "the output and the original differ in size or length; "
                    "name the original that the output was made from"
                )
            time = float(item.frame.time) if item.frame.time is not None else float(seen.frames)
            seen.frames += 1
            seen.something = seen.something or item.whole is not None or len(item.found) > 0
            if time >= due:
                due = time + 1 / GLANCES_A_SECOND
                self._glance(seen, item, shown, time)
            yield seen
        if next(out, None) is not None:
            raise UsageError(
                "the output is longer than the original; name the original that it was made from"
            )

    def _glance(self, seen: Watched, item: PlannedFrame, shown: RawFrame, time: float) -> None:
        """Search the output, measure what lies outside of the covered regions, and picture the people."""
        seen.glances += 1
        frame = item.frame
        pictures = frame.bgr(), shown.bgr()
        before, after = (_grey(picture) for picture in pictures)
        small = [cv2.resize(picture, _SCENE, interpolation=cv2.INTER_AREA) for picture in pictures]
        seen.scenes.append((np.asarray(small[0], np.uint8), np.asarray(small[1], np.uint8)))
        seen.times.append(time)
        outside = np.ones(before.shape, np.bool_)
        for region in regions(item.found, self._coverage, frame.width, frame.height):
            part = outside[region.y0 : region.y1, region.x0 : region.x1]
            part &= False if region.mask is None else ~region.mask
        outside &= item.whole is None
        seen.pixels += outside.size
        seen.outside += int(outside.sum())
        seen.error += float((np.square(before - after)[outside]).sum())
        found = self._thorough.find(shown)
        if found is not LOST:
            found = found.select(found.scores >= FOUND)
            alike = np.array([similarity(before, after, box) >= STILL_THERE for box in found.boxes], np.bool_)
            if alike.any():
                alike &= _as_in(self._thorough.find(frame), found)
            moment = None if frame.time is None else time
            sights = [
                Sight(target, frame.index, moment, score, bool(shows), _whole(box, shown))
                for target, score, shows, box in zip(
                    found.targets, found.scores.tolist(), alike, found.boxes, strict=True
                )
                if target in self._targets
            ]
            seen.sights += sights
            seen.marked += bool(sights)
        for picture, counts in ((frame, seen.before), (shown, seen.after)):
            bodies = self._bodies.find(picture)
            seen.something = seen.something or _shows(bodies)
            if bodies is not LOST:
                for target, score in zip(bodies.targets, bodies.scores.tolist(), strict=True):
                    counts[target] = counts.get(target, 0) + (score >= FOUND)
        seen.blind += found is LOST
        seen.something = seen.something or _shows(found) or _shows(self._thorough.find(frame))
        _follow(seen, item, pictures, time)


def _whole(box: NDArray[np.float32], frame: RawFrame) -> tuple[int, int, int, int]:
    """Return the pixels of a frame that a box touches: x0 y0 x1 y1, the end outside."""
    x0, y0 = np.floor(np.clip(box[:2], 0, (frame.width, frame.height))).astype(int).tolist()
    x1, y1 = np.ceil(np.clip(box[2:], 0, (frame.width, frame.height))).astype(int).tolist()
    return x0, y0, x1, y1


def _shows(found: Detections | Lost) -> bool:
    """Return whether a frame shows anything, or may, because a detector failed on it."""
    return found is LOST or bool((found.scores >= FOUND).any())


def _as_in(original: Detections | Lost, found: Detections) -> NDArray[np.bool_]:
    """Return which entries the original shows at the same place; all where the detector failed on it."""
    if original is LOST:
        return np.ones(len(found), np.bool_)
    clear = original.select(original.scores >= FOUND)
    same = np.array([[a is b for b in clear.targets] for a in found.targets], np.bool_)
    same = same.reshape(len(found), len(clear))
    return np.asarray(((iou(found.boxes, clear.boxes) >= SAME_PLACE) & same).any(axis=1))


def similarity(before: NDArray[np.float32], after: NDArray[np.float32], box: NDArray[np.float32]) -> float:
    """Return the correlation, -1 to 1, of the middle of a box in two frames; 0 where one of them is even.

    The frames are float32 (height, width) in 0..1; the box x0 y0 x1 y1 in pixels.
    """
    middle, half = (box[:2] + box[2:]) / 2, np.maximum((box[2:] - box[:2]) * _MIDDLE / 2, 1)
    height, width = before.shape
    x0, y0 = (int(v) for v in np.clip(middle - half, 0, (width - 1, height - 1)))
    x1, y1 = (int(v) for v in np.clip(np.ceil(middle + half), (x0 + 1, y0 + 1), (width, height)))
    pair = [
        cv2.resize(f[y0:y1, x0:x1], (_THUMB, _THUMB), interpolation=cv2.INTER_AREA) for f in (before, after)
    ]
    a, b = (np.asarray(p, np.float64).ravel() - np.mean(p) for p in pair)
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b / norm) if norm > 1e-3 * a.size / 255 else 0.0


def _follow(seen: Watched, item: PlannedFrame, pictures: tuple[Bgr, Bgr], time: float) -> None:
    """Take a picture of each person for whom it is time; on pages, each face is another person."""
    found = item.found
    numbers = (
        found.tracks.tolist() if item.tracked else (np.arange(len(found)) + (seen.frames << 16)).tolist()
    )
    for box, target, number in zip(found.boxes, found.targets, numbers, strict=True):
        if target is not Target.FACE or box[2] - box[0] < SMALLEST_FACE:
            continue
        if number not in seen.tracks and len(seen.tracks) >= MOST_TRACKS:
            seen.dropped_tracks += 1
            continue
        track = seen.tracks.setdefault(number, Track())
        if time < track.last + track.gap - 1e-9:
            continue
        track.add(*pictures, box, number, time)


def _crop(picture: Bgr, box: NDArray[np.float32]) -> Bgr:
    """Return the face in a box as the AT&T pictures show theirs, uint8 (112, 92, 3)."""
    x0, y0, x1, y1 = (round(float(v)) for v in box)
    height, width = picture.shape[:2]
    x0, y0 = min(max(x0, 0), width - 1), min(max(y0, 0), height - 1)
    part = picture[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
    return np.asarray(cv2.resize(part, SIZE[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _sighting(before: Bgr, after: Bgr, box: NDArray[np.float32], person: int, time: float) -> Sighting:
    """Return the body below a face as the output shows it: three faces wide, four high."""
    height, width = after.shape[:2]
    face = box[2:] - box[:2]
    middle = float(box[0] + box[2]) / 2
    x0, x1 = int(max(0, middle - 1.5 * face[0])), int(min(width, middle + 1.5 * face[0]))
    y0, y1 = int(min(max(box[3], 0), height - 1)), int(min(height, box[3] + 4 * face[1]))
    body = after[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
    was = before[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
    size = (_BODY // 2, _BODY)
    body, was = (np.asarray(cv2.resize(p, size, interpolation=cv2.INTER_AREA), np.uint8) for p in (body, was))
    hidden = np.abs(body.astype(np.int16) - was).max(axis=2) > 40
    place = (middle / width, float(box[3]) / height)
    return Sighting(person, body, hidden, place, float(face[1]) / height, time)


def _grey(picture: Bgr) -> NDArray[np.float32]:
    """Return the brightness of a picture, float32 (height, width) in 0..1."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.float32) / np.float32(255)
