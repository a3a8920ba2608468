"""Pauses in a steady rate; no rate, no pauses."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyelid.media.video import VideoReader
from eyelid.media.video_rhythm import Missing, Rhythm

from .clips import VARIABLE, Clip

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from random import Random

UNIT = Fraction(1, 1000)


def missing(times: Iterable[int], rate: Fraction = Fraction(25)) -> Missing | None:
    rhythm = Rhythm(1 / rate, UNIT)
    for moment in times:
        rhythm.see(moment)
    return rhythm.end()


@given(
    count=st.integers(0, 400),
    rate=st.sampled_from([Fraction(24000, 1001), Fraction(25), Fraction(30), Fraction(60000, 1001)]),
    lost=st.sets(st.integers(1, 398) | st.integers(1, 12), max_size=3),
    order=st.randoms(use_true_random=False),
)
def test_what_is_taken_out_of_a_steady_rate_is_told(
    count: int, rate: Fraction, lost: set[int], order: Random
) -> None:
    times = [round(number / rate / UNIT) for number in range(count)]
    left = [number for number in range(count) if number not in lost]
    lacking = sorted(number for number in lost if number < max(left, default=0))
    shuffled = [
        number
        for i in range(0, len(left), 8)
        for number in order.sample(left[i : i + 8], len(left[i : i + 8]))
    ]
    found = missing((times[number] for number in shuffled), rate)
    pauses = sum(number - 1 not in lost for number in lacking)
    if 0 < pauses <= max(1, (len(left) - 1) // 100):
        assert found == Missing(len(lacking), float(times[lacking[0] - 1] * UNIT))
    else:
        assert found is None


@pytest.mark.parametrize(
    "times",
    [
        [tick * 1000 // 12800 for tick in VARIABLE],
        [0, 40, 120, 160, 240, 280, 360, 400],  # every third left out: a rhythm of its own
        [0, 40, 55, 80, 120, 240],
        [7],
        [],
    ],
)
def test_a_variable_rate_has_no_pauses(times: list[int]) -> None:
    assert missing(times) is None


@pytest.mark.parametrize("rate", [24, 25, 30, 50, 60])
def test_a_sound_file_has_none(rate: int, tmp_path: Path) -> None:
    clip = Clip(frames=40, rate=rate, options={"bf": "3", "preset": "ultrafast"})
    with VideoReader(clip.write(tmp_path / "a.mkv")) as reader:
        assert reader.info.warnings == ()
