"""What one result is said to come to, and how figures are written."""

from __future__ import annotations

import pytest

from eyelid.attack.base import AttackResult, Knowledge, Threat
from eyelid.audit.words import Tone, figure, interval, percent, reading, seconds


def result(
    attack: str,
    success: float,
    low: float,
    high: float,
    chance: float = 0.1,
    measure: str = "rank-1",
    n: int = 99,
) -> AttackResult:
    threat = Threat(goal="name people", knowledge=Knowledge.NAIVE, capability="pictures")
    return AttackResult(
        attack=attack,
        threat=threat,
        measure=measure,
        success=success,
        chance=chance,
        interval=(low, high),
        n=n,
    )


@pytest.mark.parametrize(
    ("found", "words", "tone"),
    [
        (result("restoration", 0.5, 0.4, 0.6), "above chance", Tone.BAD),
        (result("context, clothes alone", 0.5, 0.4, 0.6), "above chance, by context", Tone.MIND),
        (
            result("voice", 0.5, 0.4, 0.6, 0.0, "share of seconds like a voice"),
            "above chance, by context",
            Tone.MIND,
        ),
        (result("restoration", 0.1, 0.05, 0.2), "not above chance", Tone.GOOD),
        (result("restoration", 0.5, 0.1, 0.9), "too few to say", Tone.DOUBT),
        (result("restoration", 0.75, 0.4, 1.0, 0.5, "AUC"), "too few to say", Tone.DOUBT),
        (result("re-detection", 1.0, 0.9, 1.0, 0.0), "counts only where the original shows too", Tone.DOUBT),
        (result("re-detection", 0.0, 0.0, 0.3, 0.0), "nothing marked", Tone.GOOD),
        (result("metadata", 2, 2, 2, 0.0, "kinds of metadata", 1), "above chance", Tone.BAD),
    ],
)
def test_a_result_is_read_by_the_rules_of_the_verdict(found: AttackResult, words: str, tone: Tone) -> None:
    assert (reading(found).words, reading(found).tone) == (words, tone)


def test_figures_have_the_unit_of_their_measure() -> None:
    assert figure(0.9234, "rank-1") == figure(0.9234, "share of frames marked") == "92.3 %"
    assert figure(0.9234, "AUC") == "0.92"
    assert figure(27.24, "PSNR") == "27.2 dB"
    assert figure(3, "kinds of metadata") == "3"
    assert interval(result("x", 0.5, 0.4, 0.6)) == "40 to 60 %"
    assert interval(result("metadata", 2, 2, 2, 0.0, "kinds of metadata", 1)) == "counted"
    assert interval(result("x", 1.0, 1.0, 1.0)) == "100 to 100 %"


@pytest.mark.parametrize(
    ("share", "words"),
    [(0, "0 %"), (1e-5, "< 0.1 %"), (0.001, "0.1 %"), (0.5, "50 %"), (0.9999, "> 99.9 %"), (1, "100 %")],
)
def test_little_is_never_nothing_and_almost_all_never_all(share: float, words: str) -> None:
    assert percent(share) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0.0 s"), (59.9, "59.9 s"), (59.97, "60.0 s"), (61.4, "1 min 01 s"), (3725, "1 h 02 min 05 s")],
)
def test_times_are_written_for_people(value: float, words: str) -> None:
    assert seconds(value) == words
