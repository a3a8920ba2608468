from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from eyelid.attack.base import AttackResult, Knowledge, Threat

THREAT = Threat(goal="name the person", knowledge=Knowledge.NAIVE, capability="labelled clear photos")


def _result(success: float, chance: float, interval: tuple[float, float], n: int = 80) -> AttackResult:
    return AttackResult(
        attack="x", threat=THREAT, measure="rank-1", success=success, chance=chance, interval=interval, n=n
    )


def test_only_an_interval_wholly_above_chance_beats_it() -> None:
    assert _result(0.5, 0.1, (0.4, 0.6)).beats_chance
    assert not _result(0.2, 0.1, (0.1, 0.3)).beats_chance


def test_results_that_mean_nothing_are_refused() -> None:
    for wrong in (
        (math.nan, 0.1, (0.1, 0.2), 5),
        (0.5, 0.1, (0.6, 0.4), 5),
        (0.5, 0.1, (0.4, math.inf), 5),
        (0.5, 0.1, (0.4, 0.6), 0),
    ):
        with pytest.raises(ValidationError):
            _result(*wrong)


def test_a_result_survives_json() -> None:
    result = _result(0.5, 0.1, (0.4, 0.6))
    assert AttackResult.model_validate_json(result.model_dump_json()) == result
