"""How an audit speaks to people, in the report and on the terminal alike."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from eyelid.attack.base import Knowledge
from eyelid.audit.model import Standing
from eyelid.audit.verdict import CONTEXT, REDETECTION, VOICE, WIDEST
from eyelid.types import GuaranteeKind

if TYPE_CHECKING:
    from eyelid.attack.base import AttackResult


class Tone(StrEnum):
    """How a finding is coloured; its words say the same."""

    BAD = "bad"
    MIND = "mind"
    DOUBT = "doubt"
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class Said:
    """A standing in words: a title, a symbol for those who see no colour, what it means, and its tone."""

    title: str
    symbol: str
    meaning: str
    tone: Tone


STANDINGS: Final = {
    Standing.EXPOSED: Said(
        "Exposed", "\N{MULTIPLICATION SIGN}", "An attack succeeds, or a target still shows.", Tone.BAD
    ),
    Standing.BY_CONTEXT: Said(
        "Identifiable by context", "!", "What was covered holds; what surrounds it tells.", Tone.MIND
    ),
    Standing.IN_DOUBT: Said("In doubt", "?", "Too little was measured to say.", Tone.DOUBT),
    Standing.AT_CHANCE: Said(
        "At chance", "=", "The attacks that were run do no better than guessing.", Tone.GOOD
    ),
    Standing.BOUNDED: Said(
        "Bounded", "\N{LESS-THAN OR EQUAL TO}", "A theorem bounds every attacker on the regions.", Tone.GOOD
    ),
}

COLOURS: Final = {Tone.BAD: "red", Tone.MIND: "dark_orange", Tone.DOUBT: "yellow", Tone.GOOD: "green"}
"""Of tones on a terminal."""

KNOWLEDGE: Final = {
    Knowledge.NAIVE: "knows clear pictures of the people, and nothing of the method",
    Knowledge.METHOD: "knows the method too, and treats its own pictures in the same way",
    Knowledge.RETRAINED: "has also trained its recogniser on pictures treated in that way",
}

GUARANTEES: Final = {
    GuaranteeKind.NONE: "No promise",
    GuaranteeKind.EMPIRICAL: "Measured, not proven",
    GuaranteeKind.METRIC_DP: "Metric differential privacy",
    GuaranteeKind.DP: "Differential privacy",
    GuaranteeKind.CRYPTOGRAPHIC: "Cryptographic",
    GuaranteeKind.ATTESTED: "Attested",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What one result comes to, in a few words."""

    words: str
    tone: Tone


def reading(result: AttackResult) -> Reading:
    """Say what a result comes to, by the rules of the verdict."""
    if result.attack == REDETECTION and result.success == 0:
        return Reading("nothing marked", Tone.GOOD)
    if result.attack == REDETECTION:
        return Reading("counts only where the original shows too", Tone.DOUBT)
    if result.beats_chance:
        around = result.attack.startswith((CONTEXT, VOICE))
        return Reading("above chance, by context", Tone.MIND) if around else Reading("above chance", Tone.BAD)
    within_one = is_rate(result.measure) or result.measure == "AUC"
    if within_one and result.interval[1] - result.chance > WIDEST:
        return Reading("too few to say", Tone.DOUBT)
    return Reading("not above chance", Tone.GOOD)


def is_rate(measure: str) -> bool:
    """Return whether a measure is a share of all trials, which people read in per cent."""
    return measure == "rank-1" or measure.startswith("share of")


def figure(value: float, measure: str) -> str:
    """Write one figure in the unit of its measure."""
    if is_rate(measure):
        return percent(value)
    if measure.endswith(("PSNR", "dB")):
        return f"{value:.1f} dB"
    return f"{value:.2f}" if measure in {"AUC", "SSIM"} else f"{value:.3g}"


def interval(result: AttackResult) -> str:
    """Write the interval of a result; what was counted has none."""
    low, high = result.interval
    if low == high and result.n == 1:
        return "counted"
    if is_rate(result.measure):
        return f"{low * 100:.3g} to {percent(high)}"
    return f"{figure(low, result.measure)} to {figure(high, result.measure)}"


def percent(share: float) -> str:
    """Write a share of one in per cent; a little is never nothing, and almost all never all."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{share * 100:.3g} %"


def seconds(value: float) -> str:
    """Write a time in a film, or how long something took."""
    if value < 60:
        return f"{value:.1f} s"
    whole = round(value)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours} h {minutes:02} min {whole % 60:02} s" if hours else f"{minutes} min {whole % 60:02} s"
