"""What no view shows is made of the colours around it and of nothing else, smoothly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eyelid.obfuscate.remove.invent import invent

if TYPE_CHECKING:
    from eyelid.obfuscate.remove.picture import Mask, Stack


def hole(rows: int, columns: int, seed: int) -> tuple[Stack, Mask]:
    """A picture of noise with a box of it unknown, and black there."""
    draw = np.random.default_rng(seed)
    stack = draw.uniform(40, 200, (rows, columns, 3)).astype(np.float32)
    unknown = np.zeros((rows, columns), np.bool_)
    top, left = draw.integers(0, rows), draw.integers(0, columns)
    unknown[top : top + draw.integers(1, rows + 1), left : left + draw.integers(1, columns + 1)] = True
    stack[unknown] = 0
    return stack, unknown


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_what_is_known_stays_and_the_rest_is_between_it(rows: int, columns: int, seed: int) -> None:
    stack, unknown = hole(rows, columns, seed)
    made = invent(stack.copy(), unknown)
    assert np.array_equal(made[~unknown], stack[~unknown])
    if unknown.all():
        assert not made.any()
        return
    for layer in range(3):
        known = stack[..., layer][~unknown]
        assert made[..., layer].min() >= known.min() - 1e-2
        assert made[..., layer].max() <= known.max() + 1e-2


def test_it_goes_smoothly_from_one_side_to_the_other() -> None:
    stack = np.tile(np.linspace(0, 250, 96, dtype=np.float32)[None, :, None], (64, 1, 1))
    unknown = np.zeros((64, 96), np.bool_)
    unknown[16:48, 24:72] = True
    made = invent(np.where(unknown[..., None], np.float32(0), stack), unknown)[..., 0]
    inside = made[16:48, 22:74]
    assert np.abs(np.diff(inside, axis=1)).max() < 25  # no seam at the rim, no edge within
    assert inside[:, 0].mean() < inside[:, 26].mean() < inside[:, -1].mean()
