"""What several looks at one place agree on, and what is believed where they do not."""

from __future__ import annotations

import numpy as np
import pytest

from eyelid.obfuscate.remove.look import Look
from eyelid.obfuscate.remove.vote import vote

SIDE = 24
MIDDLE = np.s_[8:16, 8:16]


def shows(value: float, *, seen: bool = True) -> Look:
    """A look that agrees with all others around the middle and shows a value of its own there."""
    stack = np.full((SIDE, SIDE, 1), 100, np.float32)
    stack[MIDDLE] = value
    return Look(stack, np.full((SIDE, SIDE), seen), 0.1)


@pytest.mark.parametrize("order", [(20, 140, 250), (250, 20, 140), (140, 250, 20)])
def test_of_three_that_disagree_none_decides(order: tuple[float, ...]) -> None:
    stack, known, sure = vote([shows(value) for value in order])
    assert known.all()
    assert not sure[10:14, 10:14].any()
    assert (stack[10:14, 10:14] == 140).all()


@pytest.mark.parametrize("order", [(20, 250), (20, 250, 20, 250), (20, 20, 250, 250)])
def test_two_opinions_of_equal_weight_are_not_believed(order: tuple[float, ...]) -> None:
    known = vote([shows(value) for value in order])[1]
    assert not known[10:14, 10:14].any()
    assert known[:4].all()


def test_a_majority_wins_and_a_look_that_does_not_see_has_no_vote() -> None:
    stack, known, sure = vote([shows(250), shows(20), shows(20), shows(250, seen=False)])
    assert known.all()
    assert sure[10:14, 10:14].all()
    assert np.allclose(stack[10:14, 10:14], 20)


def test_two_that_agree_against_two_that_do_not_are_their_median() -> None:
    stack, known, _ = vote([shows(20), shows(200), shows(20), shows(140)])
    assert known[10:14, 10:14].all()
    assert np.allclose(stack[10:14, 10:14], 80)


def noisy(seed: int, error: float = 0.1) -> Look:
    """A look at an even place, each sample of which is off a little."""
    random = np.random.default_rng(seed)
    stack = np.float32(100) + random.normal(0, 4, (SIDE, SIDE, 1)).astype(np.float32)
    return Look(stack, np.ones((SIDE, SIDE), np.bool_), error)


def test_the_mean_of_those_that_agree_is_nearer_than_any_of_them() -> None:
    looks = [noisy(seed) for seed in range(4)]
    stack = vote(looks)[0]
    best = min(float(np.square(found.stack - 100).mean()) for found in looks)
    assert float(np.square(stack - 100).mean()) < 0.5 * best


def test_what_is_better_aligned_counts_more() -> None:
    near, far = noisy(0, error=0.02), noisy(1, error=0.9)
    stack = vote([far, near])[0]
    assert np.abs(stack - near.stack).mean() < 0.2 * np.abs(stack - far.stack).mean()
