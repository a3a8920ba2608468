from __future__ import annotations

from collections import deque
from fractions import Fraction

import numpy as np
import pytest

from eyelid.obfuscate.remove.picture import opened
from eyelid.obfuscate.remove.shots import HELD_BYTES, PAST_S, Shot, nearest, thin
from eyelid.types import Bgr, Plane, RawFrame


def draw(columns: int, rows: int) -> Bgr:
    return np.zeros((rows, columns, 3), np.uint8)


def shot(index: int, rate: int, samples: np.ndarray) -> Shot:
    """A frame whose memory is shared with the others: only its size counts."""
    height, width = samples.shape
    frame = RawFrame(width, height, (Plane("Y", samples, 16),), draw, index, Fraction(index, rate))
    return Shot(frame, opened(frame, np.zeros(samples.shape, np.bool_)), index / rate, moving=True)


@pytest.mark.parametrize(("width", "height"), [(64, 48), (1280, 720)])
def test_a_few_frames_are_kept_for_twelve_seconds(width: int, height: int) -> None:
    before: deque[Shot] = deque()
    samples = np.zeros((height, width), np.uint8)
    for index in range(16 * 30):
        before.append(shot(index, 30, samples))
        thin(before, before[-1].time)
        assert sum(one.picture.nbytes for one in before if one.picture) <= HELD_BYTES
    now = before[-1].time
    ages = [now - one.time for one in before]
    assert PAST_S - 0.5 < ages[0] <= PAST_S
    assert ages == sorted(ages, reverse=True)
    assert max(np.diff(ages) * -1) <= 0.5 + 1 / 30
    assert width > 64 or sum(age < 1.41 for age in ages) == 43
    chosen = [now - one.time for one in nearest(shot(16 * 30, 30, samples), before)]
    assert {3, 6, 11} <= {round(age) for age in chosen}


def test_large_frames_leave_room_for_old_ones() -> None:
    before: deque[Shot] = deque()
    samples = np.zeros((2160, 3840), np.uint8)
    for index in range(16 * 30):
        before.append(shot(index, 30, samples))
        thin(before, before[-1].time)
        assert sum(one.picture.nbytes for one in before if one.picture) <= HELD_BYTES
    assert before[-1].time - before[0].time > 2
