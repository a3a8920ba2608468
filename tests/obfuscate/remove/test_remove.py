from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelid.obfuscate.registry import parse
from eyelid.obfuscate.remove.obfuscator import RemoveObfuscator
from eyelid.obfuscate.remove.parameters import Remove
from eyelid.obfuscate.remove.shots import AHEAD_S
from eyelid.types import Detections, Plane, RawFrame, SafeFrame, Target
from tests.obfuscate.frames import MODES, Mode, boxes, copies, detections, make, sizes
from tests.obfuscate.remove.scenes import HEIGHT, THING, WIDTH, frame, person, psnr, texture, with_thing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

PLACE = texture(HEIGHT, WIDTH)
PANORAMA = texture(HEIGHT, 3 * WIDTH, seed=5)


def fixed_views(x_of: dict[int, int] | None = None) -> list[tuple[RawFrame, Detections]]:
    """Moments of a fixed camera in which the thing stands elsewhere each time."""
    random = np.random.default_rng(0)
    places = x_of or {i: 4 + 14 * i for i in range(9)}
    return [
        (
            frame(with_thing(PLACE + random.normal(0, 1, PLACE.shape).astype(np.float32), x, 50, seed=i), i),
            person(x, 50),
        )
        for i, x in places.items()
    ]


def panned(count: int = 24, step: int = 4) -> Iterator[tuple[NDArray[np.float32], int]]:
    """The backgrounds of a pan, and where the thing stands in each picture."""
    for i in range(count):
        yield PANORAMA[:, step * i : step * i + WIDTH], 110 - 2 * i


def test_a_fixed_camera_gives_the_place_back() -> None:
    obfuscator = RemoveObfuscator()
    obfuscator.prepare(fixed_views())
    safe = obfuscator.apply(frame(with_thing(PLACE, 60, 50, seed=77), 5), person(60, 50))
    assert psnr(safe.planes, PLACE, 60, 50) > 34
    assert obfuscator.fill.pixels_invented == 0
    assert obfuscator.fill.pixels_from_views >= THING[0] * THING[1]


def test_a_darker_hour_is_filled_in_its_own_light() -> None:
    obfuscator = RemoveObfuscator()
    obfuscator.prepare(fixed_views())
    darker = PLACE.copy()
    darker[..., 0] -= np.linspace(0, 14, WIDTH, dtype=np.float32)
    safe = obfuscator.apply(frame(with_thing(darker, 60, 50, seed=77), 5), person(60, 50))
    assert psnr(safe.planes, darker, 60, 50) > 32


def test_a_moving_camera_fills_from_its_neighbours() -> None:
    pictures = list(panned())
    stream = [(frame(with_thing(b, x, 40, i), i), person(x, 40)) for i, (b, x) in enumerate(pictures)]
    obfuscator = RemoveObfuscator()
    results = [
        psnr(safe.planes, b, x, 40) for safe, (b, x) in zip(obfuscator.stream(stream), pictures, strict=True)
    ]
    assert np.median(results) > 30
    assert obfuscator.fill.pixels_from_views > 5 * obfuscator.fill.pixels_invented


def test_the_first_frame_is_filled_by_what_is_seen_three_seconds_later() -> None:
    pictures = [(PANORAMA[:, i : i + WIDTH], 60 - i if i < 28 else 110) for i in range(36)]
    stream = [(frame(with_thing(b, x, 40, i), i), person(x, 40)) for i, (b, x) in enumerate(pictures)]
    obfuscator = RemoveObfuscator()
    first = next(obfuscator.stream(stream))
    assert psnr(first.planes, pictures[0][0], 60, 40) > 30
    assert obfuscator.fill.pixels_invented == 0


def test_photos_fill_one_another_across_sizes_and_light() -> None:
    large = texture(2 * HEIGHT, 2 * WIDTH, seed=8)
    turn = cv2.getRotationMatrix2D((WIDTH, HEIGHT), 5, 0.9)
    turned = np.asarray(
        cv2.warpAffine(large, turn, (2 * WIDTH, 2 * HEIGHT), borderMode=cv2.BORDER_REFLECT), np.float32
    )
    turned = turned * np.float32(0.95) + np.float32(4)
    lent = frame(with_thing(turned, 40, 150), moving=False), person(40, 150)
    obfuscator = RemoveObfuscator()
    obfuscator.prepare([lent])
    safe = obfuscator.apply(frame(with_thing(large, 180, 90), moving=False), person(180, 90))
    assert psnr(safe.planes, large, 180, 90) > 28
    alone = RemoveObfuscator()
    invented = alone.apply(frame(with_thing(large, 180, 90), moving=False), person(180, 90))
    assert psnr(safe.planes, large, 180, 90) > psnr(invented.planes, large, 180, 90) + 6
    assert alone.fill.pixels_from_views == 0
    assert alone.fill.pixels_invented > 0


def _scene(kind: str) -> tuple[list[tuple[NDArray[np.float32], int]], list[tuple[RawFrame, Detections]]]:
    if kind == "fixed":
        return [(PLACE, 20 + 6 * i) for i in range(4)], fixed_views()
    if kind == "moving":
        return list(panned(10)), []
    return [(PLACE, 50)], []


@pytest.mark.parametrize("kind", ["fixed", "moving", "alone"])
def test_no_output_depends_on_what_was_detected(kind: str) -> None:
    """Two films that differ in every sample of each detection, and nowhere else, become the same film."""
    pictures, _ = _scene(kind)
    outputs = []
    for canary in (0, 1000):
        obfuscator = RemoveObfuscator()
        obfuscator.prepare(_scene(kind)[1])
        stream = [
            (frame(with_thing(b, x, 40, canary + i), i), person(x, 40)) for i, (b, x) in enumerate(pictures)
        ]
        outputs.append([copies_of(safe) for safe in obfuscator.stream(stream)])
    for first, second in zip(*outputs, strict=True):
        for a, b in zip(first, second, strict=True):
            assert np.array_equal(a, b)


def copies_of(safe: SafeFrame) -> list[NDArray[np.uint8] | NDArray[np.uint16]]:
    return [plane.samples.copy() for plane in safe.planes]


@pytest.mark.parametrize("kind", ["samples", "neighbours"])
def test_nothing_removed_from_one_picture_is_pasted_into_another(kind: str) -> None:
    """A mark inside the detections of all other pictures is never seen in this one."""
    outputs = []
    for mark in (0, 255):
        obfuscator = RemoveObfuscator()
        others = [
            (frame(_marked(with_thing(PLACE, x, 50, i), x, mark), i), person(x, 50))
            for i, x in enumerate(range(4, 130, 14))
        ]
        target = frame(with_thing(PLACE, 60, 50, seed=77), 20), person(60, 50)
        if kind == "samples":
            obfuscator.prepare(others)
            outputs.append(copies_of(obfuscator.apply(*target)))
        else:
            outputs.append(copies_of(list(obfuscator.stream([*others, target]))[-1]))
    assert all(np.array_equal(a, b) for a, b in zip(*outputs, strict=True))


def _marked(colours: NDArray[np.float32], x: int, mark: int) -> NDArray[np.float32]:
    colours[52:88, x + 2 : x + THING[0] - 2] = mark
    return colours


def test_someone_whom_no_detector_saw_in_another_view_is_not_pasted() -> None:
    """In two of nine moments somebody stands undetected exactly where the hole is."""
    obfuscator = RemoveObfuscator()
    views = fixed_views(dict.fromkeys(range(9), 4))
    for i in (2, 6):
        views[i] = frame(with_thing(PLACE, 60, 50, seed=i), i), Detections.none()
    obfuscator.prepare(views)
    safe = obfuscator.apply(frame(with_thing(PLACE, 60, 50, seed=77), 5), person(60, 50))
    assert psnr(safe.planes, PLACE, 60, 50) > 34


def test_where_two_views_disagree_nobody_is_believed() -> None:
    large = texture(2 * HEIGHT, 2 * WIDTH, seed=8)
    walker = with_thing(large, 180, 90, seed=1)
    obfuscator = RemoveObfuscator()
    obfuscator.prepare([(frame(picture, moving=False), Detections.none()) for picture in (walker, large)])
    safe = obfuscator.apply(frame(with_thing(large, 180, 90, seed=2), moving=False), person(180, 90))
    left = safe.planes[0].samples[90:130, 180:204].astype(np.float64)
    pasted = walker[90:130, 180:204, 0]
    assert abs(np.corrcoef(left.ravel(), pasted.ravel())[0, 1]) < 0.4
    assert obfuscator.fill.pixels_invented > 0.5 * THING[0] * THING[1]


def test_what_moves_undetected_before_a_fixed_camera_goes_too_with_its_shadow() -> None:
    obfuscator = RemoveObfuscator()
    obfuscator.prepare(fixed_views())
    colours = with_thing(PLACE, 100, 30, seed=5)
    colours[70:78, 100:150, 0] -= 22  # a soft shadow that touches it
    safe = obfuscator.apply(frame(colours, 5), Detections.none())
    assert psnr(safe.planes, PLACE, 100, 30) > 32
    assert np.abs(safe.planes[0].samples[71:77, 104:146] - PLACE[71:77, 104:146, 0]).mean() < 6


def test_what_stands_in_every_moment_is_removed_even_where_a_frame_misses_it() -> None:
    obfuscator = RemoveObfuscator()
    parked = with_thing(PLACE, 100, 60, seed=9)
    obfuscator.prepare([(frame(parked, i), person(100, 60)) for i in range(8)])
    safe = obfuscator.apply(frame(parked, 20), Detections.none())
    left = safe.planes[0].samples[60:100, 100:124].astype(np.float64)
    assert abs(np.corrcoef(left.ravel(), parked[60:100, 100:124, 0].ravel())[0, 1]) < 0.4
    assert obfuscator.fill.pixels_invented >= THING[0] * THING[1]


def test_another_shot_is_not_filled_with_this_place() -> None:
    obfuscator = RemoveObfuscator()
    obfuscator.prepare(fixed_views())
    elsewhere = texture(HEIGHT, WIDTH, seed=99)
    before = frame(elsewhere, 5)
    safe = obfuscator.apply(frame(elsewhere, 5), person(60, 50))
    outside = np.ones((HEIGHT, WIDTH), np.bool_)
    outside[44:96, 54:90] = False
    assert np.array_equal(safe.planes[0].samples[outside], before.planes[0].samples[outside])
    assert obfuscator.fill.pixels_from_views == 0


@pytest.mark.parametrize("mode", MODES)
def test_every_kind_of_frame(mode: Mode) -> None:
    first, second = (make(mode, 61, 47, seed=2) for _ in range(2))
    found = detections((20, 15, 32, 30), target=Target.PERSON)
    for plane in second.planes:
        y, x = (
            slice(15 // plane.step_y + 1, 30 // plane.step_y),
            slice(20 // plane.step_x + 1, 32 // plane.step_x),
        )
        plane.samples[y, x] = plane.peak - plane.samples[y, x]
    one, two = (RemoveObfuscator().apply(f, found) for f in (first, second))
    for a, b in zip(one.planes, two.planes, strict=True):
        assert np.array_equal(a.samples, b.samples)
        if a.name == "A":
            assert (a.samples[15:30, 20:32] == a.black).all()


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(MODES), sizes, st.lists(boxes, max_size=3))
def test_any_box_in_any_size(mode: Mode, size: tuple[int, int], found: list[tuple[float, ...]]) -> None:
    parts = [detections(box, target=Target.PERSON) for box in found]  # type: ignore[arg-type]
    safe = RemoveObfuscator().apply(make(mode, *size), Detections.concatenate(parts))
    assert isinstance(safe, SafeFrame)


@pytest.mark.parametrize("found", [None, detections((1, math.nan, 4, 4))], ids=["failed", "not finite"])
def test_a_frame_in_doubt_is_black_and_lends_nothing(found: Detections | None) -> None:
    pictures = list(panned(6))
    stream = [(frame(b, i), person(x, 40) if i != 2 else found) for i, (b, x) in enumerate(pictures)]
    safe = list(RemoveObfuscator().stream(stream))
    assert [s.index for s in safe] == list(range(6))
    for plane in safe[2].planes:
        assert (plane.samples == plane.black).all()
    for other in (1, 3):
        assert safe[other].planes[0].samples.std() > 10


def test_a_view_in_doubt_lends_nothing() -> None:
    page = frame(with_thing(PLACE, 60, 50, seed=1), moving=False)
    obfuscator = RemoveObfuscator()
    obfuscator.prepare([(frame(PLACE, moving=False), detections((1, math.nan, 4, 4)))])
    obfuscator.apply(page, person(60, 50))
    assert obfuscator.fill.pixels_from_views == 0


def test_a_page_of_another_mode_than_the_views_is_filled_by_invention() -> None:
    pages = [frame(with_thing(PLACE, 60, 50, seed=i), moving=False) for i in range(2)]
    pages[1] = dataclasses.replace(pages[1], planes=(Plane("L", pages[1].planes[0].samples, 0),))
    obfuscator = RemoveObfuscator()
    obfuscator.prepare([(frame(PLACE, moving=False), Detections.none())])
    filled = [
        obfuscator.fill.pixels_from_views for _ in obfuscator.stream((p, person(60, 50)) for p in pages)
    ]
    assert filled[0] == filled[1] > 0


def test_nothing_found_changes_nothing() -> None:
    first = make("420", 40, 30)
    before = copies(first)
    safe = RemoveObfuscator().apply(first, Detections.none())
    assert all(np.array_equal(a, p.samples) for a, p in zip(before, safe.planes, strict=True))


def test_a_film_of_any_length_is_held_back_by_seconds() -> None:
    taken = 0

    def film() -> Iterator[tuple[RawFrame, Detections]]:
        nonlocal taken
        for i in range(80):
            taken += 1
            yield frame(PLACE, i), Detections.none()

    most = max(taken - done for done, _ in enumerate(RemoveObfuscator().stream(film())))
    assert most <= AHEAD_S * 10 + 2


def test_with_a_background_nothing_is_held_back() -> None:
    obfuscator = RemoveObfuscator()
    obfuscator.prepare(fixed_views())
    stream = iter([(frame(PLACE, i), Detections.none()) for i in range(3)])
    assert next(obfuscator.stream(stream)).index == 0
    assert next(stream)[0].index == 1


def test_the_same_film_gives_the_same_film() -> None:
    outputs = []
    for _ in range(2):
        stream = [(frame(with_thing(b, x, 40, i), i), person(x, 40)) for i, (b, x) in enumerate(panned(8))]
        outputs.append([copies_of(safe) for safe in RemoveObfuscator().stream(stream)])
    assert all(np.array_equal(a, b) for x, y in zip(*outputs, strict=True) for a, b in zip(x, y, strict=True))


def test_it_is_a_method_with_targets_of_its_own() -> None:
    assert parse("remove") == Remove()
    assert set(Remove().targets) == {Target.PERSON, Target.VEHICLE, Target.FACE, Target.PLATE}
    guarantee = RemoveObfuscator().guarantee
    assert guarantee.kind == "empirical"
    assert any("every frame" in line for line in guarantee.not_covered)
    assert any("shadows" in line for line in guarantee.not_covered)
