"""Truth that moves, a detector that misses: what was visible is covered in every frame, and never flashes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelid.track import link
from tests.track.world import (
    HEIGHT,
    RATE,
    WIDTH,
    Box,
    Detector,
    Found,
    Path,
    accelerated,
    during,
    film,
    found,
    linear,
    run,
    share_covered,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyelid.track.plan import FramePlan

FRAMES = 75
ENOUGH = 0.8
"""The share of a box that must be destroyed; a detection itself is off by its jitter."""


def assert_covered(truth: Sequence[Sequence[Box | None]], plans: Sequence[FramePlan]) -> None:
    for boxes, plan in zip(truth, plans, strict=True):
        for number, box in enumerate(boxes):
            if box is not None:
                share = share_covered(box, plan)
                assert share >= ENOUGH, f"thing {number} in frame {plan.index}: {share:.2f} covered"


def flashes(
    truth: Sequence[Sequence[Box | None]], plans: Sequence[FramePlan], longest: int
) -> list[tuple[int, int]]:
    """Things and frames visible and bare for at most ``longest`` frames, and covered before and after."""
    out = []
    for number in range(len(truth[0])):
        run_of: list[int] = []
        was_covered = False
        for boxes, plan in zip(truth, plans, strict=True):
            box = boxes[number]
            if box is None:
                run_of, was_covered = [], False
            elif share_covered(box, plan) < 0.5:
                run_of.append(plan.index)
            else:
                if was_covered and 0 < len(run_of) <= longest:
                    out += [(number, i) for i in run_of]
                run_of, was_covered = [], True
    return out


detectors = st.builds(
    Detector,
    every=st.integers(1, 5),
    dropout=st.sampled_from([0.0, 0.1, 0.3]),
    jitter=st.sampled_from([0.0, 0.02]),
    weak=st.sampled_from([0.0, 0.3]),
    longest=st.just(2),
    seed=st.integers(0, 2**16),
)


def first_look_sees_all(
    detector: Detector, paths: Sequence[Path]
) -> tuple[list[list[Box | None]], list[Found]]:
    """The film, with a strong detection of everything in the first frame."""
    truth, finds = film(paths, detector, FRAMES)
    finds[0] = found([box for box in truth[0] if box is not None])
    return truth, finds


@settings(max_examples=60, deadline=None)
@given(
    detectors,
    st.lists(
        st.tuples(st.floats(20, 60), st.floats(-1.5, 1.5), st.floats(-0.2, 0.2)), min_size=1, max_size=4
    ),
)
def test_linear_motion_in_lanes(detector: Detector, things: list[tuple[float, float, float]]) -> None:
    paths = [
        linear(WIDTH / 2, 45 + 90 * lane, vx * side, vy * side, side)
        for lane, (side, vx, vy) in enumerate(things)
    ]
    truth, finds = first_look_sees_all(detector, paths)
    assert_covered(truth, run(finds))


def test_a_speed_known_from_long_ago_is_not_forgotten() -> None:
    """Its last two detections lie 0.4 s apart, and then it is not found again."""
    detector = Detector(every=5, dropout=0.3, longest=2, seed=5)
    paths = [linear(WIDTH / 2, 45, 30, 0, 20), linear(WIDTH / 2, 135, 0, 0, 20)]
    truth, finds = first_look_sees_all(detector, paths)
    assert_covered(truth, run(finds))


@settings(max_examples=40, deadline=None)
@given(detectors, st.floats(20, 60), st.floats(-1.5, 1.5), st.floats(-1, 1))
def test_what_is_forgotten_changes_no_plan(detector: Detector, side: float, vx: float, ax: float) -> None:
    path = accelerated(WIDTH / 2, HEIGHT / 2, vx * side, 0, ax * side, 0, side)
    _, finds = film([path], detector, FRAMES)
    with patch.object(link, "SWEEP", 1):
        short = run(finds)
    with patch.object(link, "SWEEP", 10**9):
        whole = run(finds)
    for a, b in zip(short, whole, strict=True):
        assert np.array_equal(a.detections.boxes, b.detections.boxes), f"frame {a.index}"


@settings(max_examples=60, deadline=None)
@given(detectors, st.floats(20, 60), st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1))
def test_accelerated_motion(detector: Detector, side: float, vx: float, ax: float, ay: float) -> None:
    path = accelerated(WIDTH / 2, HEIGHT / 2, vx * side, 0, ax * side, ay * side, side)
    truth, finds = first_look_sees_all(detector, [path])
    assert_covered(truth, run(finds))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.floats(25, 60), st.floats(0.5, 3.5), st.integers(0, 2**16))
def test_two_things_cross(every: int, side: float, speed: float, seed: int) -> None:
    way = speed * side * FRAMES / RATE / 2
    paths = [
        linear(WIDTH / 2 - way, 170, speed * side, 0, side),
        linear(WIDTH / 2 + way, 190, -speed * side, 0, side),
    ]
    truth, finds = film(paths, Detector(every=every, jitter=0.01, seed=seed), FRAMES)
    assert_covered(truth, run(finds))


@settings(max_examples=40, deadline=None)
@given(detectors, st.floats(25, 60), st.floats(0.5, 2.0), st.booleans())
def test_entering_and_leaving_through_the_border(
    detector: Detector, side: float, speed: float, right: bool
) -> None:
    """Half outside at first; covered from the first visible frame, although looks come late and some miss."""
    detector.longest, detector.jitter = 1, 0.0
    start, velocity = (WIDTH + side / 2, -speed * side) if right else (-side / 2, speed * side)
    seconds = FRAMES / RATE
    enter = linear(start, 100, velocity, 0, side)
    leave = linear(start + velocity * seconds, 250, -velocity, 0, side)
    truth, finds = film([enter, leave], detector, FRAMES)
    plans = run(finds)
    for number in range(2):
        seen = [i for i, boxes in enumerate(truth) if boxes[number] is not None]
        looks = [i for i in seen if finds[i] is not None]
        if len(looks) < 6:
            continue
        assert_covered([[boxes[number]] for boxes in truth], plans)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.floats(30, 60), st.floats(-0.5, 0.5), st.floats(0.2, 1.2))
def test_occlusion_within_the_gap_is_filled(every: int, side: float, speed: float, hidden_s: float) -> None:
    """The detector does not see it behind a pole; it must be covered there, whatever shows of it."""
    path = linear(WIDTH / 2, HEIGHT / 2, speed * side, 0, side)
    truth = [[path(i / RATE)] for i in range(FRAMES)]
    detector = Detector(every=every)
    hidden = during(path, 1.0, 1.0 + hidden_s)
    finds = [detector.detect(i, [None] if hidden(i / RATE) else boxes) for i, boxes in enumerate(truth)]
    assert_covered(truth, run(finds))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3), st.floats(20, 40), st.floats(2, 4))
def test_a_face_that_turns_round_behind_a_pole_is_covered(every: int, side: float, speed: float) -> None:
    """Hidden for 0.8 s, it comes back where it went in: a straight line between would miss its turn."""
    pull = speed / 0.4
    path = accelerated(WIDTH / 2, HEIGHT / 2, 0, 0, -pull * side, 0, side)
    truth = [[path((i - 40) / RATE)] for i in range(FRAMES)]
    detector = Detector(every=every)
    finds = [detector.detect(i, [None] if 30 < i < 50 else boxes) for i, boxes in enumerate(truth)]
    assert_covered(truth[25:60], run(finds)[25:60])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.floats(0.0, 2.9), st.floats(0.0, 2.9))
def test_no_flash_however_long_the_gap(every: int, a: float, b: float) -> None:
    """A still face that is not detected for any time is never bare for less than gap - 2 hold = 0.5 s."""
    path = linear(WIDTH / 2, HEIGHT / 2, 0, 0, 50)
    hidden = during(path, min(a, b), max(a, b))
    detector = Detector(every=every)
    truth = [[path(i / RATE)] for i in range(FRAMES)]
    finds = [detector.detect(i, [None] if hidden(i / RATE) else t) for i, t in enumerate(truth)]
    assert flashes(truth, run(finds), longest=11) == []


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.integers(0, 2**16))
def test_no_one_frame_flash_in_a_crowd(every: int, seed: int) -> None:
    """Twelve faces, slow, crossing each other, three of ten detections missing."""
    paths = [
        linear(60 + 50 * i, 40 + 71 * i % 280, (-1) ** i * (10 + 3 * i), 5 - i, 22 + 3 * i) for i in range(12)
    ]
    detector = Detector(every=every, dropout=0.3, jitter=0.02, weak=0.2, seed=seed)
    truth, finds = film(paths, detector, FRAMES)
    assert flashes(truth, run(finds), longest=2) == []
