"""From many figures to one plain sentence, which never says more than an interval or a theorem does."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from eyelid.attack.base import Knowledge
from eyelid.attack.cloak_retrained import CloakRetrained
from eyelid.attack.cloak_transfer import CloakTransfer
from eyelid.attack.statistics import clopper_pearson
from eyelid.audit.model import Standing, Verdict
from eyelid.evidence.summary import rounded_up
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
REIDENTIFICATION: Final = "re-identification"
RETRAINED: Final = f"{REIDENTIFICATION}, {Knowledge.RETRAINED}"
RESTORATION: Final = "restoration"
METADATA: Final = "metadata"
COIN: Final = 0.5
WIDEST: Final = 0.25
"""An interval that reaches further above chance than this says too little."""

_EXPOSURES = {
    REIDENTIFICATION: "People in this file can be identified behind what covers them.",
    CloakTransfer.name: "Recognisers still name people in this cloaked file.",
    CloakRetrained.name: "A recogniser that learned from cloaked pictures names people in this cloaked file.",
    RESTORATION: "What covers people in this file can be undone far enough to identify them.",
    METADATA: "This file still says more than its pictures do.",
}
_NAMING = (REIDENTIFICATION, CloakTransfer.name, CloakRetrained.name)
_THEOREMS = {GuaranteeKind.DP, GuaranteeKind.METRIC_DP}


def judge(
    attacks: Sequence[AttackResult],
    visible: Sequence[VisibleSpan],
    guarantee: Guarantee | None,
    privacy: PrivacySpent | None,
    people: int,
    probed: int,
    *,
    blind: int = 0,
    unnamed: str | None = None,
    untaught: str | None = None,
) -> Verdict:
    """Return the verdict on an output: its worst finding decides, and is the reason.

    ``people`` is how many an attacker may have to choose among: a theorem counts where it leaves the attacker
    who knew nothing less sure than a coin. ``probed`` is how many of them the attacks tried to name, and
    ``unnamed`` why none, where it is known; ``untaught`` why nobody could learn from the cloak;
    ``blind`` is at how many glances a detector failed.
    """
    if found := _exposed(attacks, visible):
        return found
    named = [r for r in attacks if r.attack.startswith(_NAMING) and r.measure == "rank-1"]
    widest = max(named, key=lambda result: result.interval[1] - result.chance, default=None)
    if widest is None or not any(r.attack.startswith(REIDENTIFICATION) for r in named):
        why = unnamed or "there were too few people to tell apart; give pictures of others (--gallery)"
        return Verdict(
            standing=Standing.IN_DOUBT,
            sentence="Nothing speaks against this file, but whether people can be named was not measured.",
            reason=f"{why[:1].upper()}{why[1:]}.",
        )
    if blind:
        return Verdict(
            standing=Standing.IN_DOUBT,
            sentence="No attack is shown to beat chance, but this file was not looked at all over.",
            reason=f"A detector failed at {blind} of the glances at it; see the warnings.",
        )
    if untaught:
        return Verdict(
            standing=Standing.IN_DOUBT,
            sentence="No attack is shown to beat chance, but nobody who learns from cloaked pictures tried.",
            reason=f"{untaught[:1].upper()}{untaught[1:]}.",
        )
    return _unsure(widest, probed) or _unnamed(widest, guarantee, privacy, people)


def _exposed(attacks: Sequence[AttackResult], visible: Sequence[VisibleSpan]) -> Verdict | None:
    """Return the verdict where something shows or an attack succeeded."""
    if visible:
        sentence = "Something that should be hidden still shows in this file."
        return Verdict(standing=Standing.EXPOSED, sentence=sentence, reason=_visible(visible))
    succeeded = sorted((r for r in attacks if r.beats_chance), key=lambda r: r.chance - r.success)
    for name, sentence in _EXPOSURES.items():
        for result in succeeded:
            if result.attack.startswith(name):
                return Verdict(standing=Standing.EXPOSED, sentence=sentence, reason=_succeeds(result))
    around = [result for result in succeeded if result.attack.startswith((CONTEXT, VOICE))]
    if not around:
        return None
    return Verdict(
        standing=Standing.BY_CONTEXT,
        sentence="No attack on what was covered is shown to beat chance, but what surrounds it tells people.",
        reason=_succeeds(around[0]),
    )


def _unsure(widest: AttackResult, probed: int) -> Verdict | None:
    """Return the verdict where too few people were named to tell success from chance."""
    if widest.interval[1] - widest.chance > WIDEST:
        reason = (
            f"The interval of re-identification is wide: {_figures(widest)}; "
            "give pictures of others (--gallery)."
        )
    elif clopper_pearson(0, max(probed, 1))[1] - widest.chance > WIDEST:
        reason = (
            f"Of so few people ({probed}) even no success would leave much open: {_figures(widest)}; "
            "give a longer film, or one with more people."
        )
    else:
        return None
    return Verdict(
        standing=Standing.IN_DOUBT,
        sentence="No attack is shown to beat chance, but too few people were measured to be sure.",
        reason=reason,
    )


def _unnamed(
    widest: AttackResult, guarantee: Guarantee | None, privacy: PrivacySpent | None, people: int
) -> Verdict:
    """Return the verdict where no attack beats chance: by a theorem, if there is one that says so too."""
    figures = f"Re-identification: {_figures(widest)}."
    if guarantee is not None and guarantee.kind in _THEOREMS and privacy is not None:
        epsilon, sure = rounded_up(privacy.epsilon_whole), certainty(privacy.epsilon_whole, people)
        if sure < COIN:
            return Verdict(
                standing=Standing.BOUNDED,
                sentence=(
                    f"A theorem bounds every attacker on the covered regions (epsilon {epsilon} for a whole "
                    "one), and no attack that was run beat chance."
                ),
                reason=(
                    f"Who knew nothing is at most {math.ceil(100 * sure)}% sure of one of {people} people. "
                    f"{figures}"
                ),
            )
        figures += f" The theorem adds nothing: epsilon {epsilon} for a whole region is large."
    return Verdict(
        standing=Standing.AT_CHANCE,
        sentence="Every attack that was run on the covered regions does as well as guessing, and no better.",
        reason=figures,
    )


def certainty(epsilon: float, people: int) -> float:
    """Return the most that one who knew nothing can be sure of one of ``people`` after a release at epsilon.

    The odds grow by e^epsilon at most (Dwork and Roth, 2014, section 2.3).
    """
    return 1 / (1 + (max(people, 2) - 1) * math.exp(-min(epsilon, 700.0)))


def _visible(visible: Sequence[VisibleSpan]) -> str:
    span, more = visible[0], len(visible) - 1
    where = (
        f"on page {span.first + 1}"
        if span.start is None
        else f"at {span.start:.1f} s"
        if span.start == span.end
        else f"from {span.start:.1f} s to {span.end:.1f} s"
    )
    place = f", {place_words(span)}" if span.place else ""
    others = f" {more} more {'find is' if more == 1 else 'finds are'} listed." if more else ""
    return f"A {span.target} shows {where}{place}: a detector finds it there, as in the original.{others}"


def place_words(span: VisibleSpan) -> str:
    """Say where in a frame something shows; nothing where an old audit does not tell."""
    place = span.place
    if place is None:
        return ""
    words = f"x {place.x0} to {place.x1}, y {place.y0} to {place.y1} px"
    return f"{words} in frame {place.frame}" if span.last > span.first else words


def _succeeds(result: AttackResult) -> str:
    return f"{result.attack[:1].upper()}{result.attack[1:]} succeeds: {_figures(result)}."


def _figures(result: AttackResult) -> str:
    low, high = result.interval
    return (
        f"{result.measure} {result.success:.3g} [{low:.3g}, {high:.3g}], chance {result.chance:.3g}, "
        f"attacker {result.threat.knowledge}"
    )
