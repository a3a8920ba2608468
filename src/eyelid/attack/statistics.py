"""How sure a measured success is: rank-1, AUC, their curves, and the intervals around them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

Floats: TypeAlias = NDArray[np.float64]
Interval: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Roc:
    """A receiver operating characteristic: float64 arrays of shape (k,), from (0, 0) to (1, 1).

    At ``thresholds[i]`` (descending, the first is infinite) a score at or above it counts as positive.
    """

    false_positive_rate: Floats
    true_positive_rate: Floats
    thresholds: Floats


def rank_probabilities(scores: ArrayLike, probes: ArrayLike, gallery: ArrayLike) -> Floats:
    """Return the chance of each probe to have its identity among the k best: float64 (probes, identities).

    ``scores`` float (probes, entries), larger is more alike; ``probes`` and ``gallery`` are the labels of the
    rows and columns. An identity scores what its best entry does; ties are broken at random, so that equal
    scores are worth exactly chance. A probe that the gallery does not hold is never found. Raises ValueError
    where the shapes disagree, something is empty or a score is NaN.
    """
    table = np.asarray(scores, np.float64)
    rows, columns = np.asarray(probes), np.asarray(gallery)
    if table.size == 0 or table.shape != (len(rows), len(columns)):
        raise ValueError(f"{table.shape} scores for {len(rows)} probes and {len(columns)} gallery entries")
    if np.isnan(table).any():
        raise ValueError("a score is not a number")
    identities, member = np.unique(columns, return_inverse=True)
    best = np.full((len(rows), len(identities)), -np.inf)
    for entry, identity in enumerate(member):
        np.maximum(best[:, identity], table[:, entry], out=best[:, identity])
    truth = rows[:, None] == identities
    own = np.where(truth, best, -np.inf).max(axis=1, keepdims=True)
    above = (best > own).sum(axis=1, keepdims=True)
    tied = (best == own).sum(axis=1, keepdims=True)
    found = np.clip((np.arange(1, len(identities) + 1) - above) / np.maximum(tied, 1), 0.0, 1.0)
    return np.where(truth.any(axis=1, keepdims=True), found, 0.0)


def rank1(scores: ArrayLike, probes: ArrayLike, gallery: ArrayLike) -> Floats:
    """Return the success of each probe, 0..1 (between only for ties): float64 (probes,).

    Arguments and errors as for :func:`rank_probabilities`; the mean is the rank-1 rate.
    """
    return rank_probabilities(scores, probes, gallery)[:, 0]


def rank_curve(scores: ArrayLike, probes: ArrayLike, gallery: ArrayLike) -> Floats:
    """Return the cumulative match curve: the rate of probes found among the k best, k = 1.. identities."""
    curve: Floats = rank_probabilities(scores, probes, gallery).mean(axis=0)
    return curve


def guessing(people: ArrayLike, known: int) -> float:
    """Return how often a guess names the right one of ``people`` (probes,), among so many who are ``known``.

    It is drawn at random, or names one person always, whoever is probed most. Where all probes show one
    person, that would take knowing whom they show, so it is drawn.
    """
    counts = np.unique(people, return_counts=True)[1]
    return float(max(counts.max() / counts.sum(), 1 / known) if len(counts) > 1 else 1 / known)


def auc(scores: ArrayLike, positive: ArrayLike) -> float:
    """Return the area under the ROC: the chance that a positive scores above a negative, ties counting half.

    ``scores`` float (n,), ``positive`` bool (n,). Raises ValueError without positives or negatives.
    """
    values, truth = _scored(scores, positive)
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n = int(truth.sum())
    return float((ranks[truth].sum() - n * (n + 1) / 2) / (n * (len(truth) - n)))


def roc(scores: ArrayLike, positive: ArrayLike) -> Roc:
    """Return the ROC over all thresholds; arguments and errors as for :func:`auc`."""
    values, truth = _scored(scores, positive)
    order = np.argsort(-values, kind="stable")
    last = np.append(np.flatnonzero(np.diff(values[order])), len(values) - 1)
    hits = np.cumsum(truth[order])[last]
    alarms = last + 1 - hits
    return Roc(
        np.append(0.0, alarms / (~truth).sum()),
        np.append(0.0, hits / truth.sum()),
        np.append(np.inf, values[order][last]),
    )


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Return the exact interval of a rate, never narrower than ``level`` (Clopper and Pearson, 1934).

    Raises ValueError unless 0 <= successes <= n and n >= 1 and 0 < level < 1.
    """
    if not 0 <= successes <= n or n < 1 or not 0 < level < 1:
        raise ValueError(f"no interval for {successes} of {n} at level {level}")
    tail = (1 - level) / 2
    low = _rate_where(lambda p: 1 - _at_most(successes - 1, n, p) >= tail) if successes else 0.0
    high = _rate_where(lambda p: _at_most(successes, n, p) <= tail) if successes < n else 1.0
    return low, high


def bootstrap_interval(
    values: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    statistic: Callable[[Floats], float] | None = None,
    level: float = 0.95,
    draws: int = 2000,
) -> Interval:
    """Return the percentile bootstrap interval of a statistic of the rows, by default of the mean.

    ``values`` float (n,) or (n, k). ``groups`` are labels (n,) of rows that belong together, such as all
    probes of one person in all seeds: whole groups are drawn, because such rows are no independent
    evidence. Where all ``values`` are 0 or 1 and equal, resampling sees no doubt, so the mean's interval is
    :func:`clopper_pearson` over the groups; so it is for the mean of shares in one group alone, which is one
    trial: a success where most of it is. The same input gives the same interval. Raises ValueError
    for no values or NaN.
    """
    rows = np.asarray(values, np.float64)
    if len(rows) == 0 or np.isnan(rows).any():
        raise ValueError("an interval needs values, and numbers only")
    _, member = np.unique(np.arange(len(rows)) if groups is None else groups, return_inverse=True)
    if len(member) != len(rows):
        raise ValueError(f"{len(member)} group labels for {len(rows)} values")
    n = int(member.max()) + 1
    if statistic is None and rows.ndim == 1 and (np.all(rows == 0) or np.all(rows == 1)):
        return clopper_pearson(n if rows[0] else 0, n, level)
    if statistic is None and rows.ndim == 1 and n == 1 < len(rows) and np.all((rows >= 0) & (rows <= 1)):
        return clopper_pearson(int(rows.mean() > 0.5), 1, level)
    pick = np.random.default_rng(0).integers(0, n, (draws, n))
    if statistic is None:
        sums, counts = np.bincount(member, rows, n), np.bincount(member, minlength=n)
        sample = sums[pick].sum(axis=1) / counts[pick].sum(axis=1)
    else:
        members = [np.flatnonzero(member == group) for group in range(n)]
        sample = np.array([statistic(rows[np.concatenate([members[g] for g in draw])]) for draw in pick])
    return _quantiles(sample, level)


def _scored(scores: ArrayLike, positive: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    values, truth = np.asarray(scores, np.float64), np.asarray(positive, np.bool_)
    if values.shape != truth.shape or values.ndim != 1:
        raise ValueError(f"{values.shape} scores for {truth.shape} labels")
    if np.isnan(values).any():
        raise ValueError("a score is not a number")
    if truth.all() or not truth.any():
        raise ValueError("positives and negatives are both needed")
    return values, truth


def _quantiles(sample: Floats, level: float) -> Interval:
    low, high = np.quantile(sample, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _at_most(k: int, n: int, p: float) -> float:
    """Return P[Binomial(n, p) <= k] for 0 < p < 1."""
    if k < 0:
        return 0.0
    logs = np.append(0.0, np.cumsum(np.log(np.arange(1, n + 1))))
    i = np.arange(k + 1)
    return float(np.exp(logs[n] - logs[i] - logs[n - i] + i * math.log(p) + (n - i) * math.log1p(-p)).sum())


def _rate_where(holds: Callable[[float], bool]) -> float:
    """Return the smallest rate in 0..1 from which a monotone condition holds, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
