"""Remove looks at what it made of a page: what is found there again goes too."""

from __future__ import annotations

import numpy as np
import pytest

from eyelid.obfuscate.remove.obfuscator import RemoveObfuscator
from eyelid.types import Detections, RawFrame, Target
from tests.obfuscate.frames import detections, make
from tests.obfuscate.remove.scenes import HEIGHT, THING, WIDTH, frame, person, texture, with_thing

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


def test_frames_of_a_film_are_not_looked_at_again() -> None:
    def look(_: RawFrame) -> Detections:
        raise AssertionError("a film is looked at once")

    obfuscator = RemoveObfuscator()
    obfuscator.recheck(look)
    assert len(list(obfuscator.stream([(frame(PLACE, i), Detections.none()) for i in range(3)]))) == 3
