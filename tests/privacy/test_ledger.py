from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyelid.errors import BudgetError
from eyelid.privacy.ledger import Cost, Ledger, exact

epsilons = st.decimals("0.001", "10", places=3).map(Fraction)
charges = st.lists(st.tuples(st.integers(0, 4), epsilons, st.integers(1, 9)), max_size=30)


@given(charges)
def test_the_totals_are_the_sums_per_account_and_file(made: list[tuple[int, Fraction, int]]) -> None:
    ledger = Ledger()
    for account, epsilon, steps in made:
        ledger.charge(account, Cost(epsilon, epsilon * steps))
    spent = ledger.total("noise", "m pixels", 16)
    names = {account for account, _, _ in made}
    assert spent.releases == len(made)
    assert spent.accounts == len(names)
    assert spent.epsilon_file == float(sum(epsilon for _, epsilon, _ in made))
    assert spent.epsilon == float(max((sum(e for a, e, _ in made if a == name) for name in names), default=0))
    assert spent.epsilon_whole == float(
        max((sum(e * n for a, e, n in made if a == name) for name in names), default=0)
    )


@given(charges, epsilons, epsilons)
def test_no_account_and_no_file_ever_spends_more_than_its_budget(
    made: list[tuple[int, Fraction, int]], budget: Fraction, file_budget: Fraction
) -> None:
    ledger = Ledger(budget, file_budget)
    spent: dict[int, Fraction] = {}
    for account, epsilon, _ in made:
        fits = spent.get(account, 0) + epsilon <= budget and sum(spent.values()) + epsilon <= file_budget
        if fits:
            ledger.charge(account, Cost(epsilon, epsilon))
            spent[account] = spent.get(account, Fraction(0)) + epsilon
        else:
            with pytest.raises(BudgetError, match="budget of epsilon"):
                ledger.charge(account, Cost(epsilon, epsilon))
    total = ledger.total("noise", "m pixels", 16)
    assert total.epsilon == float(max(spent.values(), default=0)) <= float(budget)
    assert total.epsilon_file == float(sum(spent.values())) <= float(file_budget)


def test_epsilons_add_up_as_they_were_typed() -> None:
    ledger = Ledger(exact(0.3))
    for _ in range(3):
        assert ledger.affords("face", exact(0.1))
        ledger.charge("face", Cost(exact(0.1), exact(0.1)))
    assert not ledger.affords("face", exact(1e-9))
    spent = ledger.total("noise", "m pixels", 16)
    assert (spent.epsilon, spent.accounts) == (0.3, 1)


def test_a_release_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="epsilon"):
        Ledger().charge("face", Cost(Fraction(0), Fraction(0)))
