"""Remove: what is detected and what moves disappears, and the place behind it is filled."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from eyelid.obfuscate.base import Obfuscator
from eyelid.obfuscate.regions import is_finite, regions
from eyelid.obfuscate.remove.align import matches
from eyelid.obfuscate.remove.background import Background, background
from eyelid.obfuscate.remove.fill import fill_from_place, fill_from_views
from eyelid.obfuscate.remove.glances import between
from eyelid.obfuscate.remove.picture import dilate, in_layout, opened, whole_blocks
from eyelid.obfuscate.remove.shots import HELD_BYTES, Other, Shot, is_due, nearest, thin
from eyelid.types import _SEAL, Detections, Fill, Guarantee, GuaranteeKind, SafeFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from eyelid.obfuscate.regions import Coverage, Patch
    from eyelid.obfuscate.remove.picture import Mask
    from eyelid.types import Plane, RawFrame

_MOST_VIEWS: Final = 12
_MOST_PHOTOS: Final = 6
_GROWN: Final = 0.01
"""Parts of the long side of the picture that the outline of a detection grows at least."""
_THUMBNAIL: Final = 640
_MORE_ATTEMPTS: Final = 2
GLANCE_S: Final = 0.5
"""How often a filled film is looked at again, in seconds."""
_SEEN: Final = 0.3
"""The least score of a find in a filled film that is covered; in films detectors also say what they doubt."""


class RemoveObfuscator(Obfuscator):
    """Takes detections and what moves out of frames, and puts what other frames show there in their place.

    The samples of a detection are destroyed before anything else is done with a frame, so that nothing
    computed later can depend on them; only pixels outside the holes of a frame ever go into another.
    """

    def __init__(self, coverage: Coverage | None = None) -> None:
        super().__init__(coverage)
        self._views: Iterable[tuple[RawFrame, Detections]] = ()
        self._sources: list[Shot] | None = None
        self._place: Background | None = None
        self._look: Callable[[RawFrame], Detections | None] | None = None
        self._from_views = self._invented = 0
        self._again = self._left = self._glimpsed = 0

    @property
    def guarantee(self) -> Guarantee:
        """What a filled region is made of, and what remains to be seen around it."""
        return Guarantee(
            kind=GuaranteeKind.EMPIRICAL,
            statement=(
                "No sample of a removed region survives: each is replaced by what other frames or photos "
                "show at that place outside their own removed regions, or is invented from its surroundings."
            ),
            assumption=(
                "The detectors and the search for movement found every target, here and in the frames and "
                "photos that the filling comes from; their recall is measured, not proven."
            ),
            not_covered=(
                "targets that no detector found and that did not move against the background",
                "who or what stands at one place in every frame: it is invented over, not known",
                "shadows, reflections and gait where they do not touch a removed region",
                "that something was removed, where and when: filled pixels can be told from others",
                "the surroundings: place, time, belongings left behind",
            ),
        )

    @property
    def fill(self) -> Fill:
        """How many pixels of removed regions came from other views and times, and how many were invented."""
        return Fill(pixels_from_views=self._from_views, pixels_invented=self._invented)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What detectors found in filled pages, and what they find there still."""
        pages = (
            f"In filled pages the detectors found {self._again} more, which were removed too; "
            f"still found there: {self._left}."
        )
        film = (
            f"In two glances a second at the filled film the detectors found {self._glimpsed} more, which "
            "were covered, with what lies between them, from the glance before to the glance after."
        )
        return (*((pages,) if self._again else ()), *((film,) if self._glimpsed else ()))

    def prepare(self, views: Iterable[tuple[RawFrame, Detections]]) -> None:
        """Take other pictures of the same place, with what is detected in each; read when a stream begins.

        Samples of the whole video, or other photos. The pictures are painted on.
        """
        self._views, self._sources, self._place = views, None, None

    def recheck(self, look: Callable[[RawFrame], Detections | None]) -> None:
        """Look again at what is filled, and remove what is found there.

        At every page, at most twice more; at a film twice a second, once.
        """
        self._look = look

    def apply(self, frame: RawFrame, detections: Detections) -> SafeFrame:
        """Remove what was detected in one frame, with the help of the prepared views alone."""
        return next(self.stream([(frame, detections)]))

    def stream(self, frames: Iterable[tuple[RawFrame, Detections | None]]) -> Iterator[SafeFrame]:
        """Remove what was detected in every frame; holds back at most 4 s and 192 MiB of them.

        With samples of a fixed camera nothing is held back. With a second look half a second more is, and at
        most 192 MiB more.
        """
        filled = self._filled(frames)
        for shot, invented in filled if self._look is None else self._glanced(filled, self._look):
            if shot.picture is not None:
                self._invented += int(invented.sum())
                self._from_views += int((shot.picture.hole & ~invented).sum())
            yield SafeFrame(shot.frame, _SEAL)

    def _filled(self, frames: Iterable[tuple[RawFrame, Detections | None]]) -> Iterator[tuple[Shot, Mask]]:
        """Yield every frame filled, with the pixels of it that were invented."""
        before: deque[Shot] = deque()
        waiting: deque[Shot] = deque()
        for frame, detections in frames:
            waiting.append(self._open(frame, detections))
            while waiting and (self._place is not None or is_due(waiting)):
                yield self._close(waiting, before)
        while waiting:
            yield self._close(waiting, before)

    def _paint(self, plane: Plane, patches: Sequence[Patch]) -> None:
        del plane, patches
        raise AssertionError("regions are filled plane by plane in stream()")

    def _open(self, frame: RawFrame, detections: Detections | None) -> Shot:
        """Destroy what was detected; what is left may be looked at."""
        time = float(frame.time or 0)
        if detections is None or not is_finite(detections):
            self.cover_frame(frame)
            return Shot(frame, None, time, frame.time is not None)
        picture = opened(frame, self._core(frame, detections))
        if self._sources is None:
            self._sources = self._read_views(Shot(frame, picture, time, frame.time is not None))
        return Shot(frame, picture, time, frame.time is not None)

    def _core(self, frame: RawFrame, detections: Detections) -> Mask:
        core = np.zeros((frame.height, frame.width), np.bool_)
        for region in regions(detections, self.coverage, frame.width, frame.height):
            core[region.y0 : region.y1, region.x0 : region.x1] |= True if region.mask is None else region.mask
        return (
            dilate(core, max(2, round(_GROWN / 2 * max(frame.width, frame.height)))) if core.any() else core
        )

    def _read_views(self, first: Shot) -> list[Shot]:
        """Make a background of the views, or keep them: of photos only those that have most in common."""
        like, shots = first.picture, list[Shot]()
        assert like is not None
        for frame, detections in self._views:
            if not is_finite(detections):  # nobody knows what it must not lend
                continue
            core = self._core(frame, detections)
            for plane in frame.planes:
                if plane.name == "A":  # nobody sees the colours there
                    core |= plane.samples == 0
            picture = in_layout(opened(frame, core), like, frame)
            shots.append(Shot(frame, picture, float(frame.time or 0), frame.time is not None))
            if not first.moving and len(shots) > _MOST_PHOTOS:
                shots.sort(key=lambda shot: -len(matches(first.features, shot.features)[0]))
                shots.pop()
        self._place = background([shot.picture for shot in shots if shot.picture is not None], _THUMBNAIL)
        return [] if self._place is not None else shots

    def _close(self, waiting: deque[Shot], before: deque[Shot]) -> tuple[Shot, Mask]:
        """Fill the oldest frame that waits, and return it with the pixels that were invented."""
        shot = waiting.popleft()
        invented = np.zeros((shot.frame.height, shot.frame.width), np.bool_)
        if shot.picture is not None:
            invented = self._fill(shot, [*before, *waiting])
            _make_opaque(shot.frame, shot.picture.hole)
            if self._look is not None and not shot.moving:
                invented = self._rechecked(shot, self._look, invented)
            if shot.moving:
                before.append(shot)
        thin(before, shot.time)
        return shot, invented

    def _glanced(
        self, filled: Iterable[tuple[Shot, Mask]], look: Callable[[RawFrame], Detections | None]
    ) -> Iterator[tuple[Shot, Mask]]:
        """Look at a filled film twice a second; what is found goes from all frames between two glances.

        By invention alone, because nobody looks a third time. Where a look fails, all frames from the one
        before to the one after are covered whole.
        """
        held: list[tuple[Shot, Mask]] = []
        last: Detections | None = Detections.none()
        due, size = -math.inf, 0
        for shot, invented in filled:
            if not shot.moving:
                yield shot, invented
                continue
            held.append((shot, invented))
            size += shot.picture.nbytes if shot.picture is not None else 0
            if shot.time >= due or size > HELD_BYTES:
                last = yield from self._cleared(held, look, last)
                held, due, size = [], shot.time + GLANCE_S, 0
        if held:
            yield from self._cleared(held, look, last)

    def _cleared(
        self,
        held: Sequence[tuple[Shot, Mask]],
        look: Callable[[RawFrame], Detections | None],
        last: Detections | None,
    ) -> Generator[tuple[Shot, Mask], None, Detections | None]:
        """Take what is found in the newest frame, and was in the ``last``, out of all; return the former.

        None stands for a look that failed, before and after which nobody knows what is there.
        """
        found = look(held[-1][0].frame)
        if found is not None and not is_finite(found):
            found = None
        if found is not None:
            found = found.select(found.scores >= _SEEN)
            self._glimpsed += len(found)
        if found is None or last is None:
            for shot, invented in held:
                self.cover_frame(shot.frame)
                if shot.picture is not None:  # it lends nothing any more
                    shot.picture.hole[...] = True
                yield shot, np.ones_like(invented)
            return found
        both = Detections.concatenate([last, found, between(last, found)])
        for shot, invented in held:
            if shot.picture is not None and len(both):
                hole = opened(shot.frame, self._core(shot.frame, both))
                invented = fill_from_views(hole, ()) | (invented & ~hole.hole)
                shot.picture.hole[hole.hole] = True
                _make_opaque(shot.frame, shot.picture.hole)
            yield shot, invented
        return found

    def _rechecked(self, shot: Shot, look: Callable[[RawFrame], Detections | None], invented: Mask) -> Mask:
        """Remove what is found in a filled page: once with the help of the views, then by invention alone.

        A page whose look fails is covered whole. Return the pixels that were invented in the end.
        """
        picture, frame = shot.picture, shot.frame
        assert picture is not None
        for attempt in range(_MORE_ATTEMPTS + 1):
            found = look(frame)
            if found is None or not is_finite(found):
                self.cover_frame(frame)
                picture.hole[...] = True
                return picture.hole
            if not len(found):
                break
            if attempt == _MORE_ATTEMPTS:
                self._left += len(found)
                break
            self._again += len(found)
            hole = opened(frame, self._core(frame, found))
            fresh = fill_from_views(hole, ()) if attempt else self._fill(replace(shot, picture=hole), ())
            invented = fresh | (invented & ~hole.hole)
            picture.hole[hole.hole] = True
            _make_opaque(frame, picture.hole)
        return invented

    def _fill(self, shot: Shot, others: Sequence[Shot]) -> Mask:
        """Fill the holes of a frame; return the pixels that were invented."""
        picture = shot.picture
        assert picture is not None
        if self._place is not None and self._place.fits(picture):
            moved = whole_blocks(dilate(self._place.movement(picture), 3), picture.unit)
            picture.blacken((moved | self._place.standing) & ~picture.hole)
            return fill_from_place(picture, self._place)
        if not picture.hole.any():
            return picture.hole.copy()
        views = sorted(self._sources or (), key=lambda view: abs(view.time - shot.time))[:_MOST_VIEWS]
        near = sorted([*nearest(shot, others), *views], key=lambda other: abs(other.time - shot.time))
        alike = [o for o in near if o.picture is not None and picture.can_take_from(o.picture)]
        return fill_from_views(picture, [Other(shot, other) for other in alike])


def _make_opaque(frame: RawFrame, where: Mask) -> None:
    for plane in frame.planes:
        if plane.name == "A":
            plane.samples[where] = plane.black
