"""Which frames the detectors see, how many frames wait, and that every frame comes out once and in order."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyelid.evidence.model import CoverReason
from eyelid.jobs import scan as scan_module
from eyelid.jobs.finder import Finder
from eyelid.jobs.scan import LOOKS_A_SECOND, Scan, stride_for
from eyelid.track.settings import OnLost, TrackSettings
from eyelid.types import Detections, Plane, Quality, RawFrame
from tests.canary import Truth

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eyelid.jobs.cover import PlannedFrame

WIDTH, HEIGHT = 64, 48


def frame(index: int, *, shade: int = 0, time: Fraction | None = None) -> RawFrame:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    samples = ((x * 3 + y * (5 if shade else 2) + shade) % 256).astype(np.uint8)
    if shade:
        samples = samples[::-1].copy()

    def render(width: int, height: int) -> np.ndarray:
        return np.zeros((height, width, 3), np.uint8)

    return RawFrame(
        WIDTH, HEIGHT, (Plane("L", samples, 0),), render, index, Fraction(index, 50) if time is None else time
    )


class Looker(Truth):
    """Notes which frames it is asked about."""

    def __init__(self, fails: Sequence[int] = (), appears: int = 0) -> None:
        super().__init__(lambda seen: [(10, 10, 30, 30)] if seen.index >= appears else [])
        self.looked: list[int] = []
        self._fails = fails

    def detect(self, frames: Sequence[RawFrame]) -> list[Detections]:
        self.looked.append(frames[0].index)
        if frames[0].index in self._fails:
            raise RuntimeError
        return super().detect(frames)


def run(
    count: int, stride: int, *, cuts: Sequence[int] = (), fails: Sequence[int] = ()
) -> tuple[Looker, list[PlannedFrame]]:
    looker = Looker(fails)
    shades = np.cumsum([index in cuts for index in range(count)]) % 2 * 97
    frames = [frame(index, shade=int(shades[index])) for index in range(count)]
    return looker, list(Scan(Finder([looker]), TrackSettings(), stride).over(frames))


@given(st.integers(0, 70), st.integers(1, 8))
def test_every_frame_comes_once_and_in_order(count: int, stride: int) -> None:
    looker, planned = run(count, stride)
    assert [item.frame.index for item in planned] == list(range(count))
    assert all(item.tracked and item.whole is None and len(item.found) == 1 for item in planned)
    if count:
        assert looker.looked[0] == 0
        assert looker.looked[-1] == count - 1
        gaps = np.diff(looker.looked)
        assert (gaps <= stride).all()
        assert (gaps[:-1] == stride).all()


def test_both_sides_of_a_cut_are_looked_at() -> None:
    looker, _ = run(40, 8, cuts=[13, 27])
    assert {12, 13, 26, 27} <= set(looker.looked)


@pytest.mark.parametrize("failed", [0, 8, 39])
def test_frames_around_a_failed_look_are_covered_whole(failed: int) -> None:
    looker, planned = run(40, 8, fails=[failed])
    whole = {item.frame.index for item in planned if item.whole is CoverReason.DETECTOR_FAILED}
    assert failed in whole
    before = max((index for index in looker.looked if index < failed), default=-1)
    after = min((index for index in looker.looked if index > failed), default=40)
    assert whole == set(range(before + 1, after))


def test_no_more_frames_wait_than_the_look_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame that waits is memory: an endless video needs no more than a short one."""
    monkeypatch.setattr(scan_module, "LOOK_AHEAD_BYTES", WIDTH * HEIGHT * 10)
    taken = 0

    def frames() -> Iterator[RawFrame]:
        nonlocal taken
        for index in range(500):
            taken = index + 1
            yield frame(index)

    longest = 0
    for item in Scan(Finder([Looker()]), TrackSettings(), 2).over(frames()):
        longest = max(longest, taken - item.frame.index)
    assert taken == 500
    assert longest <= 10 + 3


@pytest.mark.parametrize("pause", [Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(3)])
@pytest.mark.parametrize("stride", [2, 3, 5, 8])
def test_slow_frames_of_a_variable_rate_are_all_looked_at(stride: int, pause: Fraction) -> None:
    times = [Fraction(index, 60) for index in range(33)]
    times += [times[-1] + pause * (index + 1) for index in range(9)]
    times += [times[-1] + Fraction(index + 1, 60) for index in range(33)]
    looker = Looker()
    frames = [frame(index, time=time) for index, time in enumerate(times)]
    planned = list(Scan(Finder([looker]), TrackSettings(), stride).over(frames))
    assert set(range(33, 42)) <= set(looker.looked)
    assert all(len(item.found) or item.whole for item in planned)


@pytest.mark.parametrize("stride", [2, 3, 5, 8])
@pytest.mark.parametrize("fits", [1, 2, 3, 6])
def test_frames_too_large_to_wait_are_looked_at_more_often(
    stride: int, fits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes into the picture between two looks is covered from its first frame."""
    monkeypatch.setattr(scan_module, "LOOK_AHEAD_BYTES", WIDTH * HEIGHT * fits)
    for first in range(20, 20 + stride):
        looker = Looker(appears=first)
        frames = [frame(index) for index in range(60)]
        planned = list(Scan(Finder([looker]), TrackSettings(), stride).over(frames))
        assert all(len(item.found) == 1 for item in planned[first:])


def test_nothing_gives_nothing() -> None:
    assert list(Scan(Finder([Looker()]), TrackSettings(on_lost=OnLost.HOLD), 3).over([])) == []


@given(st.sampled_from(Quality), st.none() | st.floats(0.01, 1000))
def test_detectors_look_often_enough(quality: Quality, rate: float | None) -> None:
    stride = stride_for(quality, rate)
    assert 1 <= stride <= 8
    if quality is Quality.THOROUGH:
        assert stride == 1
    elif stride > 1:
        assert (rate or 25.0) / stride >= LOOKS_A_SECOND[quality] * 0.99
        assert (rate or 25.0) / (stride + 1) < LOOKS_A_SECOND[quality] or stride == 8
