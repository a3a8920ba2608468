"""Split and join are exact, and the public part holds what the paper says and no more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eyelid.obfuscate.p3 import MAX_THRESHOLD, join, split
from eyelid.types import GuaranteeKind

RNG = np.random.default_rng(0)
WIDE = RNG.integers(-2047, 2048, (5, 4, 8, 8)).astype(np.int16)
SPARSE = np.where(RNG.random(WIDE.shape) < 0.1, WIDE // 20, 0).astype(np.int16)


@pytest.mark.parametrize("coefficients", [WIDE, SPARSE, np.zeros_like(WIDE)])
def test_the_join_is_exact_for_every_threshold(
    coefficients: np.ndarray[tuple[int, ...], np.dtype[np.int16]],
) -> None:
    for threshold in range(1, MAX_THRESHOLD + 1):
        public, secret = split(coefficients, threshold)
        np.testing.assert_array_equal(join(public, secret, threshold), coefficients)


@given(arrays(np.int16, (2, 8, 8)), st.integers(1, MAX_THRESHOLD))
def test_the_join_is_exact_for_any_coefficients(
    coefficients: np.ndarray[tuple[int, ...], np.dtype[np.int16]], threshold: int
) -> None:
    public, secret = split(coefficients, threshold)
    np.testing.assert_array_equal(join(public, secret, threshold), coefficients)


@pytest.mark.parametrize(
    ("value", "threshold", "public", "secret"),
    [
        (0, 10, 0, 0),
        (10, 10, 10, 0),
        (-10, 10, -10, 0),
        (11, 10, 10, 1),
        (-11, 10, 10, -1),
        (-300, 1, 1, -299),
    ],
)
def test_each_coefficient_is_split_as_the_paper_says(
    value: int, threshold: int, public: int, secret: int
) -> None:
    """The public part holds the threshold without the sign; Ra et al., 3.2."""
    block = np.zeros((1, 8, 8), np.int16)
    block[0, 3, 4] = value
    parts = split(block, threshold)
    assert [int(part[0, 3, 4]) for part in parts] == [public, secret]


def test_brightness_is_secret_whole() -> None:
    for value in (-1024, -3, 3, 1023):
        block = np.zeros((1, 8, 8), np.int16)
        block[0, 0, 0] = value
        public, secret = split(block, 10)
        assert not public.any()
        assert secret[0, 0, 0] == value


def test_the_public_part_tells_no_sign_beyond_the_threshold() -> None:
    public, _ = split(WIDE, 10)
    flipped = np.where(np.abs(WIDE) > 10, -WIDE, WIDE).astype(np.int16)
    flipped[..., 0, 0] += 7
    np.testing.assert_array_equal(split(flipped, 10)[0], public)


def test_no_protection_is_promised() -> None:
    from eyelid.obfuscate.p3 import GUARANTEE

    assert GUARANTEE.kind is GuaranteeKind.NONE
    assert "faces" in GUARANTEE.not_covered[0]
