"""Remove looks at what it made of a page or film: what is found there again goes too."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from eyelid.obfuscate.remove.glances import between
from eyelid.obfuscate.remove.obfuscator import GLANCE_S, RemoveObfuscator
from eyelid.obfuscate.remove.shots import AHEAD_S
from eyelid.types import Detections, RawFrame, Target
from tests.obfuscate.frames import detections, make
from tests.obfuscate.remove.scenes import HEIGHT, THING, WIDTH, frame, person, texture, with_thing

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACE = texture(2 * HEIGHT, 2 * WIDTH, seed=8)
WALKER = with_thing(PLACE, 180, 90, seed=1)


def likeness(picture: RawFrame) -> float:
    """How much of the walker is to be seen where he stands in the other photo."""
    part = np.s_[90 : 90 + THING[1], 180 : 180 + THING[0]]
    here = picture.planes[0].samples[part].astype(np.float64)
    return float(np.corrcoef(here.ravel(), WALKER[..., 0][part].ravel())[0, 1]) if here.std() else 0.0


def sees_walker(picture: RawFrame) -> Detections:
    return person(180, 90) if likeness(picture) > 0.7 else Detections.none()


@pytest.mark.parametrize("again", [False, True])
def test_someone_pasted_from_another_photo_is_invented_over(again: bool) -> None:
    """Nobody saw the walker in the only other photo; the second look finds him in the fill."""
    obfuscator = RemoveObfuscator()
    obfuscator.prepare([(frame(WALKER, moving=False), Detections.none())])
    if again:
        obfuscator.recheck(sees_walker)
    page = frame(with_thing(PLACE, 180, 90, seed=2), moving=False)
    obfuscator.apply(page, person(180, 90))
    assert (likeness(page) > 0.7) != again
    assert bool(obfuscator.warnings) == again
    if again:
        assert "found 2 more" in obfuscator.warnings[0]  # the first time the same photo filled it
        assert obfuscator.warnings[0].endswith("still found there: 0.")
        assert obfuscator.fill.pixels_invented >= THING[0] * THING[1]


def test_each_pixel_is_counted_once() -> None:
    once, twice = RemoveObfuscator(), RemoveObfuscator()
    twice.recheck(lambda _: person(180, 90))
    for obfuscator in (once, twice):
        obfuscator.prepare([(frame(PLACE, moving=False), Detections.none())])
        obfuscator.apply(frame(WALKER, moving=False), person(180, 90))
    assert once.fill.pixels_invented == 0
    assert twice.fill.pixels_from_views == 0
    assert twice.fill.pixels_invented == once.fill.pixels_from_views
    assert twice.warnings[0].endswith("still found there: 1.")


def test_the_look_is_bounded_and_asks_no_more_than_three_times() -> None:
    looks = []

    def look(picture: RawFrame) -> Detections:
        looks.append(picture)
        return person(180, 90)

    obfuscator = RemoveObfuscator()
    obfuscator.recheck(look)
    obfuscator.apply(frame(WALKER, moving=False), person(180, 90))
    assert len(looks) == 3


@pytest.mark.parametrize("answer", [None, detections((1, float("nan"), 4, 4))], ids=["failed", "not finite"])
def test_a_look_that_fails_covers_the_page(answer: Detections | None) -> None:
    obfuscator = RemoveObfuscator()
    obfuscator.recheck(lambda _: answer)
    safe = obfuscator.apply(frame(WALKER, moving=False), person(180, 90))
    for plane in safe.planes:
        assert (plane.samples == plane.black).all()
    assert obfuscator.fill.pixels_from_views == 0


def test_what_is_found_again_is_opaque() -> None:
    page = make("RGBA8", 61, 47, seed=2)
    seen = iter([detections((2, 2, 12, 12), target=Target.PERSON), Detections.none()])
    obfuscator = RemoveObfuscator()
    obfuscator.recheck(lambda _: next(seen))
    safe = obfuscator.apply(page, Detections.none())
    alpha = next(plane for plane in safe.planes if plane.name == "A")
    assert (alpha.samples[2:12, 2:12] == alpha.black).all()


def film(count: int) -> list[tuple[RawFrame, Detections]]:
    """Ten frames a second in which nobody saw the walker."""
    return [(frame(WALKER, i), Detections.none()) for i in range(count)]


def test_a_film_is_looked_at_twice_a_second_and_the_find_goes_from_every_frame() -> None:
    looks: list[int] = []

    def look(picture: RawFrame) -> Detections:
        looks.append(picture.index)
        return sees_walker(picture)

    obfuscator = RemoveObfuscator()
    obfuscator.recheck(look)
    frames = film(13)
    assert [safe.index for safe in obfuscator.stream(frames)] == list(range(13))
    assert looks == [0, 5, 10, 12]
    assert all(likeness(picture) < 0.5 for picture, _ in frames)
    assert obfuscator.fill.pixels_invented >= 13 * THING[0] * THING[1]
    assert "found 4 more" in obfuscator.warnings[0]


@pytest.mark.parametrize("seen_at", [5, 10])
def test_a_find_in_one_glance_goes_from_the_glance_before_to_the_glance_after(seen_at: int) -> None:
    obfuscator = RemoveObfuscator()
    obfuscator.recheck(lambda f: person(180, 90) if f.index == seen_at else Detections.none())
    frames = film(16)
    list(obfuscator.stream(frames))
    gone = [picture.index for picture, _ in frames if likeness(picture) < 0.5]
    assert gone == list(range(seen_at - 4, seen_at + 6))


def test_who_walks_between_two_glances_goes_from_all_frames_between() -> None:
    places = [(40 + 8 * i, 90) for i in range(11)]
    frames = [(frame(with_thing(PLACE, *xy, seed=1), i), Detections.none()) for i, xy in enumerate(places)]
    before = [picture.planes[0].samples.copy() for picture, _ in frames]
    obfuscator = RemoveObfuscator()
    obfuscator.recheck(lambda f: person(*places[f.index]))
    list(obfuscator.stream(frames))
    for (x, y), (picture, _), then in zip(places, frames, before, strict=True):
        part = np.s_[y : y + THING[1], x : x + THING[0]]
        assert (picture.planes[0].samples[part] == then[part]).mean() < 0.1


def test_two_people_at_two_places_are_not_one_who_walks() -> None:
    assert len(between(person(20, 90), person(200, 90))) == 0
    face = replace(person(30, 90), targets=(Target.FACE,))
    assert len(between(person(20, 90), face)) == 0
    assert between(person(20, 90), person(30, 95)).boxes.tolist() == [
        [*person(20, 90).boxes[0, :2].tolist(), *person(30, 95).boxes[0, 2:].tolist()]
    ]


def test_what_a_detector_in_a_film_hardly_believes_is_left() -> None:
    doubt = replace(person(180, 90), scores=np.array([0.2], np.float32))
    obfuscator = RemoveObfuscator()
    obfuscator.recheck(lambda _: doubt)
    list(obfuscator.stream(frames := film(3)))
    assert all(likeness(picture) > 0.99 for picture, _ in frames)
    assert obfuscator.warnings == ()


@pytest.mark.parametrize("answer", [None, detections((1, float("nan"), 4, 4))], ids=["failed", "not finite"])
def test_a_glance_that_fails_covers_from_the_glance_before_to_the_glance_after(
    answer: Detections | None,
) -> None:
    obfuscator = RemoveObfuscator()
    obfuscator.recheck(lambda f: answer if f.index == 5 else Detections.none())
    for safe in obfuscator.stream(film(12)):
        black = all((plane.samples == plane.black).all() for plane in safe.planes)
        assert black == (1 <= safe.index <= 10)


def test_glances_hold_back_half_a_second() -> None:
    taken = 0

    def counted() -> Iterator[tuple[RawFrame, Detections]]:
        nonlocal taken
        for item in film(60):
            taken += 1
            yield item

    obfuscator = RemoveObfuscator()
    obfuscator.recheck(lambda _: Detections.none())
    most = max(taken - done for done, _ in enumerate(obfuscator.stream(counted())))
    assert most <= (AHEAD_S + GLANCE_S) * 10 + 3
