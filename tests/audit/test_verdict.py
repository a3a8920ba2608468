"""The verdict: the worst finding decides, and nothing is called more than what was shown."""

from __future__ import annotations

import pytest

from eyelid.attack.base import AttackResult, Knowledge, Threat
from eyelid.audit.model import Place, Standing, VisibleSpan
from eyelid.audit.verdict import judge
from eyelid.privacy.ledger import PrivacySpent
from eyelid.types import Guarantee, GuaranteeKind, Target


def result(
    attack: str, success: float, interval: tuple[float, float], chance: float = 0.1, measure: str = "rank-1"
) -> AttackResult:
    threat = Threat(goal="g", knowledge=Knowledge.RETRAINED, capability="c")
    return AttackResult(
        attack=attack, threat=threat, measure=measure, success=success, chance=chance, interval=interval, n=50
    )


NAMED = result("re-identification by x", 0.8, (0.7, 0.9))
AT_CHANCE = result("re-identification by x", 0.1, (0.05, 0.2))
WIDE = result("re-identification by x", 0.3, (0.0, 0.6))
CONTEXT = result("context, clothes alone", 0.9, (0.8, 1.0))
MARKED = result("re-detection", 0.5, (0.4, 0.6), chance=0.0, measure="share of frames marked")
LEFT = result("metadata", 2, (2, 2), chance=0.0, measure="kinds of metadata")
SPAN = VisibleSpan(target=Target.FACE, first=3, last=9, start=0.1, end=0.4, frames=3, score=0.8)
NOISE = Guarantee(kind=GuaranteeKind.DP, statement="s", assumption="a", not_covered=())
SPENT = PrivacySpent(
    mechanism="m",
    adjacency="a",
    pixels=16,
    epsilon=0.1,
    epsilon_whole=64.4,
    epsilon_file=0.2,
    releases=2,
    accounts=2,
)


@pytest.mark.parametrize(
    ("attacks", "visible", "standing"),
    [
        ([AT_CHANCE], [SPAN], Standing.EXPOSED),
        ([AT_CHANCE, NAMED, CONTEXT], [], Standing.EXPOSED),
        ([AT_CHANCE, LEFT], [], Standing.EXPOSED),
        ([AT_CHANCE, CONTEXT], [], Standing.BY_CONTEXT),
        ([AT_CHANCE, WIDE], [], Standing.IN_DOUBT),
        ([MARKED], [], Standing.IN_DOUBT),
        ([], [], Standing.IN_DOUBT),
        ([AT_CHANCE, MARKED], [], Standing.AT_CHANCE),
    ],
)
def test_the_worst_finding_decides(
    attacks: list[AttackResult], visible: list[VisibleSpan], standing: Standing
) -> None:
    verdict = judge(attacks, visible, None, None, 10, 10)
    assert verdict.standing is standing
    assert "safe" not in verdict.sentence + verdict.reason


@pytest.mark.parametrize(("probed", "standing"), [(1, "in doubt"), (5, "in doubt"), (10, "at chance")])
def test_a_few_people_are_no_proof_however_narrow_the_interval(probed: int, standing: str) -> None:
    """One person who is named in a fifth of all probes has an interval without width."""
    verdict = judge([result("re-identification by x", 0.1, (0.1, 0.1))], [], NOISE, None, 10, probed)
    assert verdict.standing == standing
    assert standing == "at chance" or f"({probed})" in verdict.reason


def test_who_could_not_look_is_not_sure() -> None:
    verdict = judge([AT_CHANCE], [], NOISE, None, 10, 10, blind=3)
    assert verdict.standing is Standing.IN_DOUBT
    assert "failed at 3 of the glances" in verdict.reason
    assert judge([NAMED], [], None, None, 10, 10, blind=3).standing is Standing.EXPOSED


LEARNT = result("cloak-retrained", 0.5, (0.2, 0.8))
UNNAMED_CLOAK = result("cloak-retrained", 0.1, (0.05, 0.2))
WIDE_CLOAK = result("cloak-retrained", 0.3, (0.0, 0.6))


def test_who_learns_from_cloaks_exposes() -> None:
    verdict = judge([AT_CHANCE, LEARNT], [], None, None, 10, 10)
    assert verdict.standing is Standing.EXPOSED
    assert "learned from cloaked pictures" in verdict.sentence
    assert "attacker retrained" in verdict.reason
    assert judge([AT_CHANCE, UNNAMED_CLOAK], [], None, None, 10, 10).standing is Standing.AT_CHANCE
    assert judge([AT_CHANCE, WIDE_CLOAK], [], None, None, 10, 10).standing is Standing.IN_DOUBT
    assert judge([UNNAMED_CLOAK], [], None, None, 10, 10).standing is Standing.IN_DOUBT


def test_a_cloak_that_nobody_could_learn_from_is_in_doubt() -> None:
    """The attacker who was not run makes no verdict better."""
    verdict = judge([AT_CHANCE], [], NOISE, None, 10, 10, untaught="it needs a package")
    assert verdict.standing is Standing.IN_DOUBT
    assert verdict.reason == "It needs a package."
    assert judge([NAMED], [], None, None, 10, 10, untaught="it").standing is Standing.EXPOSED
    assert judge([WIDE], [], None, None, 10, 10, untaught="it").standing is Standing.IN_DOUBT


def test_context_does_not_hide_that_names_are_in_doubt() -> None:
    verdict = judge([WIDE, CONTEXT], [], None, None, 10, 10)
    assert verdict.standing is Standing.BY_CONTEXT
    assert "is shown to beat chance" in verdict.sentence


def test_why_nobody_was_named_is_the_reason() -> None:
    assert judge([], [], None, None, 10, 0, unnamed="no face is there").reason == "No face is there."
    assert "too few people" in judge([], [], None, None, 10, 0).reason


def test_a_bound_is_never_rounded_down() -> None:
    spent = SPENT.model_copy(update={"epsilon_whole": 0.12345678})
    assert "epsilon 0.1235" in judge([AT_CHANCE], [], NOISE, spent, 10, 10).sentence


def test_the_reason_names_the_place() -> None:
    place = Place(frame=5, x0=10, y0=20, x1=30, y1=50)
    span = SPAN.model_copy(update={"place": place})
    assert "x 10 to 30, y 20 to 50 px in frame 5:" in judge([], [span, SPAN], None, None, 2, 10).reason
    assert judge([], [span, SPAN], None, None, 2, 10).reason.endswith("1 more find is listed.")
    page = span.model_copy(update={"first": 0, "last": 0, "start": None, "end": None})
    reason = judge([], [page], None, None, 2, 10).reason
    assert reason.startswith("A face shows on page 1, x 10 to 30, y 20 to 50 px: ")


def test_only_a_theorem_that_the_attacks_agree_with_is_a_bound() -> None:
    little = SPENT.model_copy(update={"epsilon_whole": 0.5})
    bounded = judge([AT_CHANCE], [], NOISE, little, 10, 10)
    assert bounded.standing is Standing.BOUNDED
    assert "epsilon 0.5" in bounded.sentence
    assert "16% sure of one of 10" in bounded.reason
    unbounded = judge([AT_CHANCE], [], NOISE, SPENT, 10, 10)
    assert unbounded.standing is Standing.AT_CHANCE
    assert "64.4" in unbounded.reason
    assert judge([NAMED], [], NOISE, SPENT, 10, 10).standing is Standing.EXPOSED
    assert judge([AT_CHANCE], [], NOISE, None, 10, 10).standing is Standing.AT_CHANCE


def test_the_reason_names_the_figures() -> None:
    assert "0.8 [0.7, 0.9], chance 0.1" in judge([NAMED], [], None, None, 10, 10).reason
    assert "from 0.1 s to 0.4 s" in judge([], [SPAN], None, None, 10, 10).reason
