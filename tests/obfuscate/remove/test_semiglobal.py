from __future__ import annotations

import numpy as np
import pytest

from eyelid.obfuscate.remove.semiglobal import smoothed

ROWS, COLUMNS, STEPS = 40, 50, 24
TRUTH = np.broadcast_to(np.linspace(4, 9, COLUMNS), (ROWS, COLUMNS)).copy()
TRUTH[12:28, 20:35] = 18  # something near before a wall that runs away


def costs() -> np.ndarray:
    """Costs that know the truth to half a step."""
    apart = np.abs(np.arange(STEPS) - TRUTH[..., None])
    return np.asarray(np.minimum(8 * apart, 40), np.float32)


def test_what_is_clear_stays_to_a_part_of_a_step() -> None:
    assert np.abs(smoothed(costs()) - TRUTH).mean() < 0.25


@pytest.mark.parametrize("seed", range(3))
def test_pixels_that_say_nothing_or_lie_take_the_step_of_those_beside(seed: int) -> None:
    random = np.random.default_rng(seed)
    volume = costs()
    lies = random.random((ROWS, COLUMNS)) < 0.15
    volume[lies] = random.uniform(10, 40, (int(lies.sum()), STEPS))
    volume[random.random((ROWS, COLUMNS)) < 0.25] = 0
    assert (np.abs(volume.argmin(axis=-1) - TRUTH) <= 1).mean() < 0.7
    found = np.abs(smoothed(volume) - TRUTH) <= 1
    assert found.mean() > 0.94


def test_it_is_the_same_seen_from_any_side() -> None:
    volume = np.random.default_rng(1).uniform(0, 40, (ROWS, COLUMNS, STEPS)).astype(np.float32)
    turned = np.rot90(smoothed(np.ascontiguousarray(np.rot90(volume))), -1)
    assert turned == pytest.approx(smoothed(volume), abs=1e-3)
