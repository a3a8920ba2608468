"""Box arithmetic against plain loops, and the properties that detectors rely on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eyelid.detect.base import (
    Boxes,
    Scores,
    area,
    clip,
    detections,
    fit,
    iou,
    merge,
    nms,
    overlap,
    require_finite,
)
from eyelid.errors import DetectionError
from eyelid.types import Target


@st.composite
def scored_boxes(draw: st.DrawFn, most: int = 12) -> tuple[Boxes, Scores]:
    """Boxes on a small grid, so that equal and touching ones occur, with scores that tie now and then."""
    n = draw(st.integers(0, most))
    low = draw(arrays(np.float32, (n, 2), elements=st.integers(0, 20).map(float)))
    size = draw(arrays(np.float32, (n, 2), elements=st.integers(0, 12).map(float)))
    scores = draw(arrays(np.float32, n, elements=st.integers(0, 8).map(lambda s: s / 8)))
    return np.concatenate([low, low + size], axis=1), scores


def iou_by_hand(a: Boxes, b: Boxes) -> float:
    width = min(float(a[2]), float(b[2])) - max(float(a[0]), float(b[0]))
    height = min(float(a[3]), float(b[3])) - max(float(a[1]), float(b[1]))
    shared = max(width, 0.0) * max(height, 0.0)
    both = sum(float((box[2] - box[0]) * (box[3] - box[1])) for box in (a, b)) - shared
    return shared / both if both > 0 else 0.0


def nms_by_hand(boxes: Boxes, scores: Scores, threshold: float) -> list[int]:
    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: (-float(scores[i]), i)):
        if all(iou_by_hand(boxes[i], boxes[j]) <= threshold for j in kept):
            kept.append(i)
    return kept


@given(scored_boxes(), scored_boxes())
def test_iou_is_that_of_a_plain_loop(a: tuple[Boxes, Scores], b: tuple[Boxes, Scores]) -> None:
    expected = [[iou_by_hand(x, y) for y in b[0]] for x in a[0]]
    np.testing.assert_allclose(iou(a[0], b[0]), np.reshape(expected, (len(a[0]), len(b[0]))), atol=1e-6)


@given(scored_boxes())
def test_overlap_with_itself_is_the_area(boxes: tuple[Boxes, Scores]) -> None:
    np.testing.assert_array_equal(np.diag(overlap(boxes[0], boxes[0])), area(boxes[0]))


def test_an_inverted_box_has_no_area() -> None:
    assert area(np.array([[5, 5, 3, 9]], np.float32)).tolist() == [0]


@given(scored_boxes(), st.sampled_from([0.0, 0.3, 0.5, 0.9]))
def test_nms_is_that_of_a_plain_loop(boxes: tuple[Boxes, Scores], threshold: float) -> None:
    assert nms(*boxes, threshold).tolist() == nms_by_hand(*boxes, threshold)


@given(scored_boxes(), st.sampled_from([0.0, 0.3, 0.5, 0.9]))
def test_merge_covers_every_box_and_keeps_the_best_scores(
    boxes: tuple[Boxes, Scores], threshold: float
) -> None:
    joined, scores = merge(*boxes, threshold)
    kept = nms(*boxes, threshold)
    np.testing.assert_array_equal(scores, boxes[1][kept])
    assert ((joined[:, :2] <= boxes[0][kept, :2]) & (joined[:, 2:] >= boxes[0][kept, 2:])).all()
    for box in boxes[0]:
        assert ((joined[:, :2] <= box[:2]).all(axis=1) & (joined[:, 2:] >= box[2:]).all(axis=1)).any()


def test_merge_joins_what_suppression_would_drop() -> None:
    boxes = np.array([[0, 0, 10, 10], [2, 0, 12, 10], [40, 0, 50, 10]], np.float32)
    joined, scores = merge(boxes, np.array([0.5, 0.9, 0.4], np.float32), 0.5)
    assert joined.tolist() == [[0, 0, 12, 10], [40, 0, 50, 10]]
    np.testing.assert_allclose(scores, [0.9, 0.4])


@given(scored_boxes(), st.integers(1, 15), st.integers(1, 15))
def test_clipped_boxes_lie_in_the_frame(boxes: tuple[Boxes, Scores], width: int, height: int) -> None:
    clipped = clip(boxes[0], width, height)
    assert (clipped >= 0).all()
    assert (clipped[:, [0, 2]] <= width).all()
    assert (clipped[:, [1, 3]] <= height).all()


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.sampled_from([320, 640, 1280]))
def test_fitted_sizes_are_whole_multiples_near_the_shape(width: int, height: int, long_side: int) -> None:
    sides = fit(width, height, long_side, 32)
    assert all(side >= 32 and side % 32 == 0 for side in sides)
    assert max(sides) == long_side
    scale = long_side / max(width, height)
    assert all(abs(side - own * scale) <= 32 for side, own in zip(sides, (width, height), strict=True))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_an_error(value: float) -> None:
    output = np.zeros((1, 2), np.float32)
    require_finite([output], "net")
    output[0, 1] = value
    with pytest.raises(DetectionError, match="net"):
        require_finite([np.zeros(3, np.float32), output], "net")


def test_detections_of_nothing() -> None:
    empty = detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), Target.FACE)
    assert len(empty) == 0
