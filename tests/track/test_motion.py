"""Boxes between and beyond detections contain what moves as assumed."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eyelid.track import motion


def row(*values: float) -> motion.Array:
    return np.array([values], np.float64)


@given(st.floats(-4, 4), st.floats(-8, 8), st.floats(0.05, 0.6), st.floats(0, 1))
def test_constant_acceleration_is_contained_without_any_other_growth(
    speed: float, pull: float, gap: float, u: float
) -> None:
    """u (1 - u) max |speed gap - way| is exactly how far a parabola strays from its chord."""
    side = 40.0

    def at(t: float) -> motion.Array:
        return row(100 + side * (speed * t + pull * t * t / 2), 50, np.log(side), np.log(side))

    ends = row(speed * side, 0, 0, 0), row((speed + pull * gap) * side, 0, 0, 0)
    since = np.array([u * gap])
    box = motion.between(at(0), at(gap), ends, since, gap - since, np.zeros(1), np.full(1, 0.5))[0]
    truth = motion.to_boxes(at(u * gap))[0]
    assert (box[:2] <= truth[:2] + 1e-6).all()
    assert (box[2:] >= truth[2:] - 1e-6).all()
    assert np.ptp(box[::2]) <= side * (1 + abs(pull) * gap**2 / 4) + 1e-6  # and not more than that


@given(st.floats(-4, 4), st.floats(0, 1), st.floats(0, 0.5))
def test_beyond_contains_the_start_and_the_damped_motion(speed: float, stopping: float, away: float) -> None:
    """A body that keeps up to e^(-t / 0.5 s) of its speed, or stops at once, is inside."""
    side = 40.0
    start = row(100, 50, np.log(side), np.log(side))
    box = motion.beyond(start, row(speed * side, 0, 0, 0), np.array([away]), np.zeros(1), np.full(1, 0.5))[0]
    travel = speed * side * 0.5 * (1 - np.exp(-away / 0.5)) * stopping
    truth = motion.to_boxes(start + row(travel, 0, 0, 0))[0]
    assert (box[:2] <= truth[:2] + 1e-6).all()
    assert (box[2:] >= truth[2:] - 1e-6).all()


def test_states_and_boxes_are_inverse_and_bad_boxes_are_mended() -> None:
    boxes = np.array([[10, 20, 30, 80], [30, 80, 10, 20], [5, 5, 5, 5]], np.float64)
    got = motion.to_boxes(motion.to_states(boxes))
    want = np.array([[10, 20, 30, 80], [10, 20, 30, 80], [4.5, 4.5, 5.5, 5.5]], np.float64)
    assert np.allclose(got, want)
