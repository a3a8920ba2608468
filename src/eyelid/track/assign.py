"""Which row goes with which column: gated assignment of least total cost."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Costs: TypeAlias = NDArray[np.float64]


def assign(costs: Costs, gates: Costs) -> list[tuple[int, int]]:
    """Return the pairs (row, column) that minimise the sum of ``cost - gate``; no pair at or above its gate.

    ``costs`` float64 (n, m), infinite where a pair is impossible; ``gates`` float64 (n,), one a row.
    Pairs without a rival are taken at once; the rest is solved exactly by shortest augmenting paths
    (Kuhn 1955; Jonker and Volgenant 1987).
    """
    gains = np.maximum(gates[:, None] - costs, 0)
    possible = gains > 0
    lonely_rows = possible.sum(axis=1) == 1
    lonely_columns = possible.sum(axis=0) == 1
    simple = possible & lonely_rows[:, None] & lonely_columns[None, :]
    i, j = np.nonzero(simple)
    pairs = list(zip(i.tolist(), j.tolist(), strict=True))
    contested = possible & ~simple
    if contested.any():
        rows, columns = np.flatnonzero(contested.any(axis=1)), np.flatnonzero(contested.any(axis=0))
        loss = -gains[np.ix_(rows, columns)]
        solved = _solve(loss) if len(rows) <= len(columns) else [(i, j) for j, i in _solve(loss.T)]
        pairs += [(int(rows[i]), int(columns[j])) for i, j in solved if loss[i, j] < 0]
    return sorted(pairs)


def _solve(costs: Costs) -> list[tuple[int, int]]:
    """Return the assignment of every row (n <= m) to a column of its own with the least total cost."""
    n, m = costs.shape
    row_price, column_price = np.zeros(n), np.zeros(m + 1)
    owner = np.full(m + 1, -1)  # the last column is the root of each search
    for row in range(n):
        owner[m] = row
        column = m
        distance = np.full(m, np.inf)
        back = np.full(m, m)
        done = np.zeros(m + 1, bool)
        while owner[column] >= 0:
            done[column] = True
            i = owner[column]
            reduced = costs[i] - row_price[i] - column_price[:m]
            better = ~done[:m] & (reduced < distance)
            distance[better] = reduced[better]
            back[better] = column
            nearest = int(np.where(done[:m], np.inf, distance).argmin())
            step = distance[nearest]
            row_price[owner[done]] += step
            column_price[done] -= step
            distance[~done[:m]] -= step
            column = nearest
        while column != m:
            owner[column] = owner[back[column]]
            column = int(back[column])
        owner[m] = -1
    return [(int(owner[j]), j) for j in range(m) if owner[j] >= 0]
