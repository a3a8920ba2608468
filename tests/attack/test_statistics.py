from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyelid.attack.statistics import (
    auc,
    bootstrap_interval,
    clopper_pearson,
    guessing,
    rank1,
    rank_curve,
    rank_probabilities,
    roc,
)

small_scores = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=12).filter(
    lambda rows: 0 < sum(p for _, p in rows) < len(rows)
)


def test_rank1_finds_the_best_entry() -> None:
    scores = [[0.1, 0.9, 0.2], [0.8, 0.1, 0.1], [0.1, 0.2, 0.3]]
    assert rank1(scores, ["b", "b", "c"], ["a", "b", "c"]).tolist() == [1, 0, 1]


def test_equal_scores_are_worth_exactly_chance() -> None:
    scores = np.zeros((5, 8))
    gallery = [0, 0, 0, 0, 0, 1, 2, 3]
    assert rank1(scores, [0, 1, 2, 3, 0], gallery).tolist() == [0.25] * 5
    assert rank_curve(scores, [0, 1, 2, 3, 0], gallery).tolist() == [0.25, 0.5, 0.75, 1.0]


def test_a_probe_the_gallery_does_not_hold_is_never_found() -> None:
    assert rank_curve(np.ones((1, 2)), ["x"], ["a", "b"]).tolist() == [0, 0]


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=5, max_size=5), min_size=1, max_size=4),
    st.lists(st.integers(0, 2), min_size=5, max_size=5),
    st.data(),
)
def test_rank_probabilities_are_the_average_over_all_orders_of_ties(
    scores: list[list[int]], gallery: list[int], data: st.DataObject
) -> None:
    probes = data.draw(st.lists(st.integers(0, 2), min_size=len(scores), max_size=len(scores)))
    identities = sorted(set(gallery))
    found = rank_probabilities(scores, probes, gallery)
    for row, probe, chances in zip(scores, probes, found, strict=True):
        best = {i: max(s for s, g in zip(row, gallery, strict=True) if g == i) for i in identities}
        orders = [
            order
            for order in itertools.permutations(identities)
            if all(best[a] >= best[b] for a, b in itertools.pairwise(order))
        ]
        for k in range(1, len(identities) + 1):
            assert chances[k - 1] == pytest.approx(sum(probe in o[:k] for o in orders) / len(orders))


def test_scores_that_are_not_numbers_or_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="not a number"):
        rank1([[math.nan]], ["a"], ["a"])
    with pytest.raises(ValueError, match="2 probes"):
        rank1([[1.0]], ["a", "b"], ["a"])
    with pytest.raises(ValueError, match="0 probes"):
        rank1(np.zeros((0, 1)), [], ["a"])
    with pytest.raises(ValueError, match="both"):
        auc([1.0, 2.0], [True, True])
    with pytest.raises(ValueError, match="not a number"):
        auc([1.0, math.nan], [True, False])
    with pytest.raises(ValueError, match="needs values"):
        bootstrap_interval([])
    with pytest.raises(ValueError, match="group labels"):
        bootstrap_interval([1.0, 0.0], groups=[1])


@given(small_scores)
def test_auc_is_the_share_of_pairs_in_order(rows: list[tuple[int, bool]]) -> None:
    pairs = [(a > b) + (a == b) / 2 for a, p in rows if p for b, q in rows if not q]
    scores, positive = zip(*rows, strict=True)
    assert auc(scores, positive) == pytest.approx(sum(pairs) / len(pairs))


@given(small_scores)
def test_the_roc_is_counted_at_every_threshold_and_holds_the_auc(rows: list[tuple[int, bool]]) -> None:
    scores, positive = zip(*rows, strict=True)
    curve = roc(scores, positive)
    n = sum(positive)
    expected = [(0.0, 0.0)] + [
        (
            sum(s >= t and not p for s, p in rows) / (len(rows) - n),
            sum(s >= t and p for s, p in rows) / n,
        )
        for t in sorted(set(scores), reverse=True)
    ]
    points = list(zip(curve.false_positive_rate, curve.true_positive_rate, strict=True))
    assert np.allclose(points, expected)
    assert curve.thresholds.tolist() == [math.inf, *sorted(set(scores), reverse=True)]
    assert np.trapezoid(curve.true_positive_rate, curve.false_positive_rate) == pytest.approx(
        auc(scores, positive)
    )


def _at_most(k: int, n: int, p: float) -> float:
    return sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))


@given(st.integers(1, 40), st.data(), st.sampled_from([0.8, 0.95, 0.99]))
def test_clopper_pearson_leaves_exactly_the_tails(n: int, data: st.DataObject, level: float) -> None:
    successes = data.draw(st.integers(0, n))
    low, high = clopper_pearson(successes, n, level)
    assert 0 <= low <= successes / n <= high <= 1
    if successes:
        assert 1 - _at_most(successes - 1, n, low) == pytest.approx((1 - level) / 2, rel=1e-6)
    if successes < n:
        assert _at_most(successes, n, high) == pytest.approx((1 - level) / 2, rel=1e-6)


def test_clopper_pearson_known_values_and_many_draws() -> None:
    assert clopper_pearson(0, 10) == pytest.approx((0.0, 0.3084971), abs=1e-6)
    assert clopper_pearson(10, 10) == pytest.approx((0.6915029, 1.0), abs=1e-6)
    assert clopper_pearson(5, 10) == pytest.approx((0.1870860, 0.8129140), abs=1e-6)
    low, high = clopper_pearson(30_000, 60_000)  # the normal law is near here
    assert low == pytest.approx(0.5 - 1.96 * 0.5 / math.sqrt(60_000), abs=2e-5)
    assert high == pytest.approx(0.5 + 1.96 * 0.5 / math.sqrt(60_000), abs=2e-5)
    for wrong in ((-1, 5, 0.95), (6, 5, 0.95), (0, 0, 0.95), (1, 5, 1.0)):
        with pytest.raises(ValueError, match="no interval"):
            clopper_pearson(*wrong)


def test_the_bootstrap_interval_covers_the_true_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        low, high = bootstrap_interval(rng.random(80) < 0.3, draws=400)
        covered += low <= 0.3 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_groups_widen_the_interval_by_what_repetition_is_worth() -> None:
    rng = np.random.default_rng(2)
    truth = (rng.random(50) < 0.5).astype(float)
    once = bootstrap_interval(truth)
    repeated = bootstrap_interval(np.tile(truth, 20), groups=np.tile(np.arange(50), 20))
    assert repeated == pytest.approx(once, abs=1e-9)
    blind = bootstrap_interval(np.tile(truth, 20))
    assert blind[1] - blind[0] < (once[1] - once[0]) / 3


def test_the_bootstrap_enumerated_on_a_small_case() -> None:
    values = [0.0, 1.0, 5.0]
    means = sorted(sum(draw) / 3 for draw in itertools.product(values, repeat=3))
    low, high = bootstrap_interval(values, level=0.8, draws=40_000)
    assert low == pytest.approx(float(np.quantile(means, 0.1)), abs=1e-9)
    assert high == pytest.approx(float(np.quantile(means, 0.9)), abs=1e-9)


def test_no_failure_at_all_still_leaves_doubt() -> None:
    assert bootstrap_interval(np.ones(30)) == clopper_pearson(30, 30)
    assert bootstrap_interval(np.zeros(30), groups=np.arange(30) % 3) == clopper_pearson(0, 3)


def test_any_statistic_of_rows_can_have_an_interval() -> None:
    rows = np.random.default_rng(3).normal(size=(300, 2))
    low, high = bootstrap_interval(rows, statistic=lambda r: float(np.median(r[:, 1])), draws=300)
    assert low < float(np.median(rows[:, 1])) < high
    means = bootstrap_interval(rows[:, 0], statistic=lambda r: float(r.mean()), groups=np.arange(300) % 40)
    assert means == pytest.approx(bootstrap_interval(rows[:, 0], groups=np.arange(300) % 40), abs=1e-9)


def test_one_group_alone_is_one_trial() -> None:
    assert bootstrap_interval([1, 1, 0], groups=[7, 7, 7]) == clopper_pearson(1, 1)
    assert bootstrap_interval([1, 0, 0], groups=[7, 7, 7]) == clopper_pearson(0, 1)


@pytest.mark.parametrize(
    ("people", "known", "chance"),
    [([0, 0, 1], 2, 2 / 3), ([0, 1, 2], 40, 1 / 3), ([0, 0, 0], 41, 1 / 41), ([3], 2, 1 / 2)],
)
def test_guessing(people: list[int], known: int, chance: float) -> None:
    assert guessing(people, known) == pytest.approx(chance)
