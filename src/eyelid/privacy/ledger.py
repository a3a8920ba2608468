"""The ledger: every release is charged before it happens, and refused where its budget is spent.

Releases that read the same picture, track or file compose sequentially: their epsilons add up (Dwork and
Roth, "The Algorithmic Foundations of Differential Privacy", 2014, theorem 3.16). Parallel composition never
applies to the frames of one person, so the ledger has none.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, NonNegativeInt, PositiveInt

from eyelid.errors import BudgetError

if TYPE_CHECKING:
    from collections.abc import Hashable


class PrivacySpent(BaseModel):
    """What all releases for one output cost together.

    ``pixels`` is the m of the adjacency; None where epsilon is counted per unit of distance. ``epsilon`` is
    the most that any one region or track cost under the adjacency, ``epsilon_whole`` the most for everything
    in it: two regions that may differ in every pixel. ``epsilon_file`` adds up all releases, as if each
    showed the same person. ``accounts`` counts the regions and tracks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mechanism: str
    adjacency: str
    pixels: PositiveInt | None
    epsilon: NonNegativeFloat
    epsilon_whole: NonNegativeFloat
    epsilon_file: NonNegativeFloat
    releases: NonNegativeInt
    accounts: NonNegativeInt


@dataclass(frozen=True, slots=True)
class Cost:
    """The epsilon of one release under the stated adjacency, and for a ``whole`` region."""

    epsilon: Fraction
    whole: Fraction


@dataclass(slots=True)
class _Account:
    epsilon: Fraction = Fraction(0)
    whole: Fraction = Fraction(0)


class Ledger:
    """Adds up what was released of each account (a region or a track) and of the file.

    ``budget`` is the most epsilon an account may cost, ``file_budget`` the most for all of them together;
    None sets no limit.
    """

    def __init__(self, budget: Fraction | None = None, file_budget: Fraction | None = None) -> None:
        self._budget = budget
        self._file_budget = file_budget
        self._accounts: defaultdict[Hashable, _Account] = defaultdict(_Account)
        self._file = Fraction(0)
        self._releases = 0

    def affords(self, account: Hashable, epsilon: Fraction) -> bool:
        """Return whether the budget of an account suffices for one more release."""
        return self._budget is None or self._accounts[account].epsilon + epsilon <= self._budget

    def charge(self, account: Hashable, cost: Cost) -> None:
        """Charge one release before it is made. Raises BudgetError, and then charges nothing."""
        if cost.epsilon <= 0:
            raise ValueError("a release costs some epsilon")
        if self._budget is not None and not self.affords(account, cost.epsilon):
            raise BudgetError(
                f"the budget of epsilon {float(self._budget):g} for each region or track is spent; "
                "give more, or lower epsilon"
            )
        if self._file_budget is not None and self._file + cost.epsilon > self._file_budget:
            raise BudgetError(
                f"the budget of epsilon {float(self._file_budget):g} for the file is spent, so nothing was "
                "written; give more, lower epsilon, or hide with solid"
            )
        self._accounts[account].epsilon += cost.epsilon
        self._accounts[account].whole += cost.whole
        self._file += cost.epsilon
        self._releases += 1

    def total(self, mechanism: str, adjacency: str, pixels: int | None) -> PrivacySpent:
        """Return what was spent so far, for the evidence."""
        accounts = [account for account in self._accounts.values() if account.epsilon]
        return PrivacySpent(
            mechanism=mechanism,
            adjacency=adjacency,
            pixels=pixels,
            epsilon=float(max((account.epsilon for account in accounts), default=0)),
            epsilon_whole=float(max((account.whole for account in accounts), default=0)),
            epsilon_file=float(self._file),
            releases=self._releases,
            accounts=len(accounts),
        )


def exact(epsilon: float) -> Fraction:
    """Return an epsilon as the decimal that was typed, so that ten times 0.1 is 1."""
    return Fraction(repr(epsilon))
