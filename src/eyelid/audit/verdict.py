"""From many figures to one plain sentence, which never says more than an interval or a theorem does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from eyelid.audit.model import Standing, Verdict
from eyelid.types import GuaranteeKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyelid.attack.base import AttackResult
    from eyelid.audit.model import VisibleSpan
    from eyelid.privacy.ledger import PrivacySpent
    from eyelid.types import Guarantee

CONTEXT: Final = "context"
VOICE: Final = "voice"
REDETECTION: Final = "re-detection"
WIDEST: Final = 0.25
"""An interval that reaches further above chance than this says too little."""

_THEOREMS = {GuaranteeKind.DP, GuaranteeKind.METRIC_DP}


def judge(
    attacks: Sequence[AttackResult],
    visible: Sequence[VisibleSpan],
    guarantee: Guarantee | None,
    privacy: PrivacySpent | None,
) -> Verdict:
    """Return the verdict on an output: its worst finding decides, and is the reason."""
    exposures = [_visible(span) for span in visible[:1]] + [
        _succeeds(result)
        for result in sorted(attacks, key=lambda r: r.chance - r.success)
        if result.beats_chance and not _of_context(result) and result.attack != REDETECTION
    ]
    if exposures:
        return Verdict(
            standing=Standing.EXPOSED,
            sentence="People in this file can be identified, or what should be hidden still shows.",
            reason=exposures[0],
        )
    around = [_succeeds(result) for result in attacks if _of_context(result) and result.beats_chance]
    if around:
        return Verdict(
            standing=Standing.BY_CONTEXT,
            sentence="What was covered gave no attack more than chance, but what surrounds it tells people.",
            reason=around[0],
        )
    named = [r for r in attacks if r.attack.startswith("re-identification") and r.measure == "rank-1"]
    if not named:
        return Verdict(
            standing=Standing.IN_DOUBT,
            sentence="Nothing speaks against this file, but whether people can be named was not measured.",
            reason="There were too few people to tell apart; give pictures of others (--gallery).",
        )
    widest = max(named, key=lambda result: result.interval[1] - result.chance)
    if widest.interval[1] - widest.chance > WIDEST:
        return Verdict(
            standing=Standing.IN_DOUBT,
            sentence="No attack is shown to beat chance, but too few people were measured to be sure.",
            reason=f"{_figures(widest)}: the interval is wide; give pictures of others (--gallery).",
        )
    if guarantee is not None and guarantee.kind in _THEOREMS and privacy is not None:
        return Verdict(
            standing=Standing.BOUNDED,
            sentence=(
                f"A theorem bounds every attacker on the covered regions (epsilon {privacy.epsilon_whole:g} "
                "for a whole one), and no attack that was run did better than chance."
            ),
            reason=_figures(widest),
        )
    return Verdict(
        standing=Standing.AT_CHANCE,
        sentence="Every attack that was run on the covered regions does as well as guessing, and no better.",
        reason=_figures(widest),
    )


def _of_context(result: AttackResult) -> bool:
    return result.attack.startswith((CONTEXT, VOICE))


def _visible(span: VisibleSpan) -> str:
    where = (
        f"in frame {span.first}"
        if span.start is None
        else f"at {span.start:.1f} s"
        if span.start == span.end
        else f"from {span.start:.1f} s to {span.end:.1f} s"
    )
    return f"A {span.target} shows {where}: a detector finds it there, as in the original."


def _succeeds(result: AttackResult) -> str:
    return f"{result.attack[:1].upper()}{result.attack[1:]} succeeds: {_figures(result)}."


def _figures(result: AttackResult) -> str:
    low, high = result.interval
    return (
        f"{result.measure} {result.success:.3g} [{low:.3g}, {high:.3g}], chance {result.chance:.3g}, "
        f"attacker {result.threat.knowledge}"
    )
