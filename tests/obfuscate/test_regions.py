from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from eyelid.obfuscate.regions import Coverage, Region, is_finite, regions
from eyelid.types import Detections, Plane, Shape, Target
from tests.obfuscate.frames import boxes, detections, sizes, targets

BOX = Coverage(shape=Shape.BOX)


def pixels(found: list[Region], width: int, height: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    covered = np.zeros((height, width), np.bool_)
    for region in found:
        assert 0 <= region.x0 < region.x1 <= width
        assert 0 <= region.y0 < region.y1 <= height
        covered[region.y0 : region.y1, region.x0 : region.x1] |= True if region.mask is None else region.mask
    return covered


@settings(deadline=None)
@given(boxes, sizes, targets, st.none() | st.floats(0, 4))
def test_a_box_covers_every_pixel_it_touches_and_no_other(
    box: tuple[float, float, float, float], size: tuple[int, int], target: Target, margin: float | None
) -> None:
    coverage = Coverage(shape=Shape.BOX, margin=margin)
    covered = pixels(regions(detections(box, target=target), coverage, *size), *size)
    x0, x1 = sorted((box[0], box[2]))
    y0, y1 = sorted((box[1], box[3]))
    grow_x, grow_y = coverage.growth_for(target, x1 - x0, y1 - y0)
    for x in range(size[0]):
        for y in range(size[1]):
            touched = x + 1 > x0 - grow_x and x < x1 + grow_x and y + 1 > y0 - grow_y and y < y1 + grow_y
            reached = (
                x + 2 > x0 - grow_x and x - 1 < x1 + grow_x and y + 2 > y0 - grow_y and y - 1 < y1 + grow_y
            )
            assert covered[y, x] or not touched
            assert reached or not covered[y, x]


@settings(deadline=None)
@given(boxes, sizes, targets)
def test_by_default_an_ellipse_holds_the_whole_detected_box(
    box: tuple[float, float, float, float], size: tuple[int, int], target: Target
) -> None:
    found = detections(box, target=target)
    ellipse = pixels(regions(found, Coverage(shape=Shape.ELLIPSE), *size), *size)
    rectangle = pixels(regions(found, Coverage(shape=Shape.BOX, margin=0), *size), *size)
    assert not (rectangle & ~ellipse).any()


def test_an_ellipse_leaves_the_corners_of_its_grown_box() -> None:
    covered = pixels(regions(detections((20, 20, 60, 70)), Coverage(margin=0.5), 100, 100), 100, 100)
    assert covered[45, 40]
    assert not covered[0, 0]
    assert abs(covered.sum() / (80 * 100) - math.pi / 4) < 0.03


@pytest.mark.parametrize("side", range(2, 30))
@pytest.mark.parametrize("shape", Shape)
def test_a_face_grows_by_four_pixels_at_least_and_by_the_margin_where_that_is_more(
    side: int, shape: Shape
) -> None:
    box = (40, 40, 40 + side, 40 + side)
    covered = pixels(regions(detections(box), Coverage(shape=shape), 120, 120), 120, 120)
    grow = max(4, Coverage(shape=shape).margin_for(Target.FACE) * side)
    (columns,) = np.nonzero(covered.any(axis=0))
    (rows,) = np.nonzero(covered.any(axis=1))
    for found in (columns, rows):
        assert (found[0], found[-1]) == (math.floor(40 - grow), math.ceil(40 + side + grow) - 1)


@pytest.mark.parametrize("side", range(4, 30))
def test_a_small_face_is_destroyed_although_its_detection_is_three_pixels_off(side: int) -> None:
    for dx, dy in [(3, 0), (0, 3), (-3, 0), (0, -3), (2, 2), (-2, 2), (2, -2), (-2, -2)]:
        found = detections((40 + dx, 40 + dy, 40 + dx + side, 40 + dy + side))
        covered = pixels(regions(found, Coverage(), 100, 100), 100, 100)
        assert covered[40 : 40 + side, 40 : 40 + side].mean() >= 0.8


def test_a_margin_that_was_asked_for_is_kept_on_small_faces() -> None:
    asked = Coverage(shape=Shape.BOX, margin=0.25)
    assert pixels(regions(detections((20, 20, 28, 28)), asked, 50, 50), 50, 50).sum() == 12 * 12


@pytest.mark.parametrize("target", Target)
def test_faces_are_ellipses_and_all_else_are_boxes(target: Target) -> None:
    (region,) = regions(detections((20, 20, 60, 70), target=target), Coverage(), 100, 100)
    assert (region.mask is not None) == (target is Target.FACE)


def test_an_ellipse_cut_by_the_frame_is_the_rest_of_the_whole_one() -> None:
    whole = pixels(regions(detections((30, 20, 70, 80)), Coverage(), 100, 100), 100, 100)
    cut = pixels(regions(detections((-20, -30, 20, 30)), Coverage(), 50, 50), 50, 50)
    assert np.array_equal(cut, whole[50:100, 50:100])


@pytest.mark.parametrize(
    ("box", "count"),
    [
        ((5, 5, 5, 5), 1),
        ((5.5, 5.5, 5.5, 5.5), 1),
        ((9, 9, 3, 3), 36),
        ((-1e38, -1e38, 1e38, 1e38), 400),
        ((-50, -50, -40, -40), 0),
        ((20, 0, 30, 20), 0),
        ((19.999, 0, 30, 20), 20),
    ],
)
def test_odd_boxes(box: tuple[float, float, float, float], count: int) -> None:
    coverage = Coverage(shape=Shape.BOX, margin=0)
    assert pixels(regions(detections(box), coverage, 20, 20), 20, 20).sum() == count


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(-20, 60, width=32), st.floats(-20, 60, width=32)), min_size=3, max_size=8),
    st.sampled_from([0.0, 0.1, 0.5]),
)
def test_a_polygon_covers_all_it_touches_grown_by_the_margin(
    corners: list[tuple[float, float]], margin: float
) -> None:
    polygon = np.array(corners, np.float32)
    found = detections((0, 0, 1, 1), target=Target.TEXT, polygon=polygon)
    covered = pixels(regions(found, Coverage(margin=margin), 40, 40), 40, 40)
    grow = margin * float(np.ptp(polygon, axis=0).min())
    hull = cv2.convexHull(polygon + np.float32(0))  # minus zero confuses OpenCV
    for y in range(40):
        for x in range(40):
            nearest = cv2.pointPolygonTest(hull, (x + 0.5, y + 0.5), measureDist=True)
            assert covered[y, x] or nearest < -grow - 0.7, (x, y)
            assert nearest > -grow - 7 or not covered[y, x], (x, y)


def test_a_polygon_too_large_to_draw_becomes_its_box() -> None:
    polygon = np.array([(-1e9, -1e9), (1e9, -1e9), (1e9, 1e9)], np.float32)
    found = detections((0, 0, 1, 1), polygon=polygon)
    assert pixels(regions(found, Coverage(), 10, 10), 10, 10).all()


def test_a_polygon_with_two_corners_falls_back_to_the_box() -> None:
    found = detections((2, 2, 6, 6), target=Target.PLATE, polygon=np.zeros((2, 2), np.float32))
    assert pixels(regions(found, Coverage(margin=0), 10, 10), 10, 10).sum() == 16


@settings(deadline=None)
@given(boxes, sizes, st.sampled_from([(1, 1), (2, 1), (2, 2), (4, 1), (3, 2), (4, 4)]))
def test_a_chroma_sample_is_covered_when_any_of_its_pixels_is(
    box: tuple[float, float, float, float], size: tuple[int, int], step: tuple[int, int]
) -> None:
    (width, height), (sx, sy) = size, step
    samples = np.zeros((-(-height // sy), -(-width // sx)), np.uint8)
    plane = Plane("Cb", samples, 128, 255, sx, sy)
    found = regions(detections(box), Coverage(), width, height)
    for region in found:
        patch = region.patch(plane)
        samples[patch.rows, patch.columns] |= True if patch.mask is None else patch.mask
    expected = np.zeros_like(samples)
    for y, x in np.argwhere(pixels(found, width, height)):
        expected[y // sy, x // sx] = 1
    assert np.array_equal(samples, expected)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_boxes_and_polygons_that_are_not_finite_are_noticed(bad: float) -> None:
    assert not is_finite(detections((0, 0, bad, 4)))
    assert not is_finite(detections((0, 0, 4, 4), polygon=np.array([(0, 0), (1, bad), (1, 1)], np.float32)))
    assert is_finite(detections((0, 0, 4, 4)))
    assert is_finite(Detections.none())


@pytest.mark.parametrize("margin", [-0.1, math.nan, math.inf, 5.0])
def test_a_margin_that_makes_no_sense_is_refused(margin: float) -> None:
    with pytest.raises(ValidationError):
        Coverage(margin=margin)


@settings(deadline=None)
@given(st.integers(1, 160), st.integers(1, 160))
def test_an_ellipse_is_exactly_the_pixels_that_come_near_enough_to_its_middle(
    width: int, height: int
) -> None:
    box = (0.0, 0.0, float(width), float(height))
    coverage = Coverage(shape=Shape.ELLIPSE, margin=0.0)
    covered = pixels(regions(detections(box), coverage, width, height), width, height)
    across = [max(abs(2 * x + 1 - width) - 1, 0) ** 2 * height**2 for x in range(width)]
    down = [max(abs(2 * y + 1 - height) - 1, 0) ** 2 * width**2 for y in range(height)]
    inside = np.array([[a + d <= (width * height) ** 2 for a in across] for d in down])
    assert np.array_equal(covered, inside)
