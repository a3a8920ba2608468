"""Products of whole numbers and residues in float64 are exact: against Python's own integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelid.infer.he.modular import CHUNK, IntegerMatrix

PRIMES = ((1 << 60) - 93, (1 << 47) + 5, 1032193)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(PRIMES), st.integers(1, 36), st.integers(1, 40), st.booleans())
def test_as_integers_have_it(seed: int, modulus: int, bits: int, inputs: int, plus_bias: bool) -> None:
    random = np.random.default_rng(seed)
    weights = random.integers(-(2**bits), 2**bits, (5, inputs), endpoint=True).astype(np.float64)
    weights[0] = 2.0**bits  # the longest sums there can be
    bias = [int(value) for value in random.integers(-(2**50), 2**50, 5)]
    residues = random.integers(0, modulus, (inputs, 64)).astype(np.uint64)
    residues[:, 0], residues[:, 1] = modulus - 1, 0
    found = IntegerMatrix(weights, bias).times(list(residues), modulus, plus_bias=plus_bias)
    exact = weights.astype(np.int64).astype(object) @ residues.astype(object)
    if plus_bias:
        exact = exact + np.array(bias, object)[:, None]
    assert (found == (exact % modulus).astype(np.uint64)).all()


def test_more_coefficients_than_one_chunk() -> None:
    residues = np.random.default_rng(0).integers(0, PRIMES[0], (3, CHUNK + 7)).astype(np.uint64)
    found = IntegerMatrix(np.array([[2.0, 0.0, -1.0]]), [0]).times(list(residues), PRIMES[0])
    exact = (2 * residues[0].astype(object) - residues[2].astype(object)) % PRIMES[0]
    assert (found[0] == exact.astype(np.uint64)).all()


def test_weights_without_room_are_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        IntegerMatrix(np.array([[2.0**50]]), [0])
