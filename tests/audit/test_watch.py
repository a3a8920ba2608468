"""Watching: what is pictured, what counts as still there, and films that do not belong together."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from eyelid.audit.model import Place
from eyelid.audit.spans import spans
from eyelid.audit.watch import MOST_PICTURES, Sight, Watched, Watcher, similarity
from eyelid.detect.base import Detector
from eyelid.errors import UsageError
from eyelid.jobs.cover import PlannedFrame
from eyelid.jobs.finder import Finder
from eyelid.obfuscate.regions import Coverage, regions
from eyelid.types import Detections, RawFrame, Target
from tests.detect.pictures import frame_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyelid.types import Bgr

BOX = np.array([20, 20, 60, 60], np.float32)


def found(track: int = 1) -> Detections:
    return Detections(BOX[None], np.ones(1, np.float32), (Target.FACE,), np.array([track], np.int64))


class Always(Detector):
    """Finds the face in every frame."""

    name = "always"
    targets = frozenset({Target.FACE})

    def detect(self, frames: Sequence[RawFrame]) -> list[Detections]:
        return [found() for _ in frames]


class Fails(Always):
    """Fails on every frame."""

    def detect(self, frames: Sequence[RawFrame]) -> list[Detections]:
        raise RuntimeError


def picture(seed: int) -> Bgr:
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return coarse.repeat(8, axis=0).repeat(8, axis=1)


def timed(bgr: Bgr, index: int) -> RawFrame:
    frame = frame_of(bgr)
    object.__setattr__(frame, "index", index)
    object.__setattr__(frame, "time", Fraction(index, 4))
    return frame


def watch(before: list[Bgr], after: list[Bgr], detector: Detector | None = None) -> Watched:
    finder = Finder([detector or Always()])
    planned = [PlannedFrame(timed(p, i), found(), tracked=True) for i, p in enumerate(before)]
    shown = [timed(p, i) for i, p in enumerate(after)]
    watcher = Watcher(finder, finder, frozenset({Target.FACE}), Coverage())
    return list(watcher.watch(planned, shown))[-1]


def covered(bgr: Bgr) -> Bgr:
    hidden = bgr.copy()
    for region in regions(found(), Coverage(), bgr.shape[1], bgr.shape[0]):
        assert region.mask is not None
        hidden[region.y0 : region.y1, region.x0 : region.x1][region.mask] = 0
    return hidden


def test_a_covered_face_is_marked_and_not_there() -> None:
    clear = [picture(0)] * 9
    seen = watch(clear, [covered(p) for p in clear])
    assert seen.frames == 9
    assert seen.marked == seen.glances == 5
    assert not any(sight.shows for sight in seen.sights)
    assert spans(seen.sights) == ()
    assert seen.fidelity == 100
    assert 0.5 < seen.untouched < 1


def test_an_uncovered_face_is_there_from_the_first_to_the_last_glance() -> None:
    clear = [picture(0)] * 9
    (span,) = spans(watch(clear, clear).sights)
    assert (span.first, span.last, span.start, span.end, span.frames) == (0, 8, 0.0, 2.0, 5)
    assert span.place == Place(frame=0, x0=20, y0=20, x1=60, y1=60)


def test_what_the_detector_does_not_find_in_the_original_was_nobody() -> None:
    class OnlyCovered(Always):
        def detect(self, frames: Sequence[RawFrame]) -> list[Detections]:
            hidden = frames[0].bgr()[:10, :10].max() == 0
            return [found() if hidden else Detections.none()]

    clear = [picture(0)] * 3
    marked = [p.copy() for p in clear]
    for p in marked:
        p[:10, :10] = 0
    seen = watch(clear, marked, OnlyCovered())
    assert seen.marked == 2
    assert spans(seen.sights) == ()


def test_a_track_keeps_few_pictures_of_all_its_time() -> None:
    clear = [picture(0)] * 400
    (track,) = watch(clear, clear).tracks.values()
    assert MOST_PICTURES // 2 <= len(track.clear) <= MOST_PICTURES
    assert len(track.clear) == len(track.shown) == len(track.sightings)
    assert track.sightings[0].time == 0
    assert track.sightings[-1].time > 80


def test_pages_share_nobody() -> None:
    planned = [PlannedFrame(frame_of(picture(i)), found(-1)) for i in range(3)]
    finder = Finder([Always()])
    watcher = Watcher(finder, finder, frozenset({Target.FACE}), Coverage())
    seen = list(watcher.watch(planned, [frame_of(picture(i)) for i in range(3)]))[-1]
    assert len(seen.tracks) == 3


def test_a_detector_that_fails_is_said() -> None:
    assert watch([picture(0)], [picture(0)], Fails()).blind == 1


@pytest.mark.parametrize(("before", "after"), [(2, 3), (3, 2)])
def test_films_of_other_length_or_size_are_refused(before: int, after: int) -> None:
    with pytest.raises(UsageError, match="original"):
        watch([picture(0)] * before, [picture(0)] * after)
    with pytest.raises(UsageError, match="size"):
        watch([picture(0)], [picture(0)[:50]])


def test_similarity_is_correlation_of_the_middle() -> None:
    one, other = (np.random.default_rng(i).random((96, 128), np.float32) for i in (1, 2))
    assert similarity(one, one, BOX) == pytest.approx(1)
    assert similarity(one, 0.5 * one + 0.2, BOX) == pytest.approx(1, abs=1e-3)
    assert abs(similarity(one, other, BOX)) < 0.3
    assert similarity(one, np.zeros_like(one), BOX) == 0
    for box in ([-50, -50, -10, -10], [500, 500, 900, 900], [5, 5, 5, 5]):
        assert np.isfinite(similarity(one, other, np.array(box, np.float32)))


def test_spans_join_neighbours_of_one_target() -> None:
    box = (1, 2, 3, 4)
    sights = [Sight(Target.FACE, i, i / 2, 0.5, True, box) for i in (0, 1, 2, 9)]
    sights += [Sight(Target.PLATE, 1, 0.5, 0.8, True, box), Sight(Target.FACE, 5, 2.5, 0.9, False, box)]
    assert [(s.target, s.first, s.last) for s in spans(sights)] == [
        (Target.PLATE, 1, 1),
        (Target.FACE, 0, 2),
        (Target.FACE, 9, 9),
    ]


def test_a_span_names_the_place_of_its_best_score() -> None:
    sights = [
        Sight(Target.FACE, i, i / 2, score, True, (10 * i, 0, 10 * i + 5, 5))
        for i, score in enumerate((0.5, 0.9, 0.7))
    ]
    (span,) = spans(sights)
    assert (span.first, span.last, span.score) == (0, 2, 0.9)
    assert span.place == Place(frame=1, x0=10, y0=0, x1=15, y1=5)


def test_each_find_on_a_page_is_told_by_itself() -> None:
    """A photo has no time to join over: whoever reads must find each face that shows."""
    sights = [Sight(Target.FACE, 0, None, 0.5 + i / 10, True, (50 * i, 0, 50 * i + 9, 9)) for i in range(3)]
    found = spans(sights)
    assert [span.place.x0 for span in found if span.place] == [100, 50, 0]
    assert {span.frames for span in found} == {1}


def test_a_box_beyond_the_frame_is_told_within_it() -> None:
    class Beyond(Always):
        def detect(self, frames: Sequence[RawFrame]) -> list[Detections]:
            box = np.array([[-5.5, 20.4, 500, 60.2]], np.float32)
            return [Detections(box, np.ones(1, np.float32), (Target.FACE,))]

    (sight,) = watch([picture(0)], [picture(0)], Beyond()).sights
    assert sight.box == (0, 20, 128, 61)
