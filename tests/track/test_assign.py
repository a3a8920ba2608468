"""The assignment is the best one there is, compared with trying all of them."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eyelid.track.assign import assign


def best_by_force(gains: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    n, m = gains.shape
    if n > m:
        return best_by_force(gains.T)
    return max(
        float(sum(max(gains[i, j], 0.0) for i, j in enumerate(order))) for order in permutations(range(m), n)
    )


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**32 - 1), st.sampled_from([0.3, 1.0, 3.0]))
def test_equals_brute_force(n: int, m: int, seed: int, gate: float) -> None:
    random = np.random.default_rng(seed)
    costs = random.uniform(0, 2, (n, m))
    costs[random.random((n, m)) < 0.2] = np.inf
    costs[random.random((n, m)) < 0.2] = 0.5  # ties
    gates = np.full(n, gate) * random.uniform(0.5, 1.5, n)
    pairs = assign(costs, gates)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(costs[i, j] < gates[i] for i, j in pairs)
    total = sum(gates[i] - costs[i, j] for i, j in pairs)
    assert np.isclose(total, best_by_force(gates[:, None] - costs))


def test_greedy_would_be_wrong() -> None:
    costs = np.array([[0.1, 0.2], [0.2, 0.9]])
    assert assign(costs, np.ones(2)) == [(0, 1), (1, 0)]


def test_nothing_within_the_gate() -> None:
    assert assign(np.full((3, 2), 5.0), np.ones(3)) == []
