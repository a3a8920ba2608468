"""The attacker who averages: the frames of one output tell no more than one, those of many runs do."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from eyelid.obfuscate.regions import Coverage
from eyelid.obfuscate.registry import parse
from eyelid.types import Detections, Shape, Target
from tests.obfuscate.frames import make

METHOD = "dp-pixelate:epsilon=.1"
SIDE, CELL, FRAMES = 96, 16, 24
SECRET = np.kron(
    np.random.default_rng(0).integers(20, 220, (6, 6), np.uint8), np.ones((CELL, CELL), np.uint8)
)


def likeness(method: str, track: int, runs: int) -> float:
    """Return how the mean of all frames of all outputs goes with the still face that they show."""
    shown = []
    for _ in range(runs):
        obfuscator = parse(method).build(Coverage(shape=Shape.BOX, margin=0), None)
        box = np.array([(0, 0, SIDE, SIDE)], np.float32)
        found = Detections(box, np.ones(1, np.float32), (Target.FACE,), np.array([track]))
        frames = [replace(make("L8", SIDE, SIDE, index=i), time=Fraction(i, 25)) for i in range(FRAMES)]
        for frame in frames:
            frame.planes[0].samples[...] = SECRET
        shown += [safe.planes[0].samples.copy() for safe in obfuscator.stream((f, found) for f in frames)]
    return float(np.corrcoef(np.mean(shown, axis=0).ravel(), SECRET.ravel())[0, 1])


@pytest.mark.parametrize("track", [3, -1])
def test_frames_of_one_output_do_not_average_away(track: int) -> None:
    """One draw gives .33 on average, 24 draws .85; the mean of twelve outputs is five deviations below .6."""
    assert np.mean([likeness(METHOD, track, 1) for _ in range(12)]) < 0.6


def test_outputs_of_many_runs_do_and_that_is_said() -> None:
    assert likeness(METHOD, 3, 60) > 0.8
    limits = parse(METHOD).build(Coverage(), None).guarantee.not_covered
    assert any("other outputs made from the same input: their epsilons add up" in limit for limit in limits)
