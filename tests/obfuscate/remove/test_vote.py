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
