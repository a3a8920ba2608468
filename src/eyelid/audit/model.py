"""What an audit says: which attacks were run on an output, how far they got, and what that means."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal, Self

from pydantic import AwareDatetime, Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from eyelid.attack.base import AttackResult
from eyelid.evidence.model import (
    InputFile,
    Media,
    Name,
    OutputFile,
    Record,
    Sentence,
    Sha256,
    Signature,
    Software,
    Stage,
    Step,
    schema_of,
)
from eyelid.privacy.ledger import PrivacySpent
from eyelid.types import Guarantee, Target

SCHEMA: Final = "eyelid-audit/1"


class Standing(StrEnum):
    """What an audit comes to, worst first."""

    EXPOSED = "exposed"
    """An attack succeeds, or something that should be hidden is still detected."""
    BY_CONTEXT = "identifiable by context"
    """What was to be hidden holds, but what surrounds it tells people apart: clothes, place, sound."""
    IN_DOUBT = "in doubt"
    """No attack is shown to succeed, but too little could be measured to say that none does."""
    AT_CHANCE = "at chance"
    """The intervals of all attacks that were run hold chance, and are narrow enough to say so."""
    BOUNDED = "bounded"
    """A theorem bounds what any attacker can learn from the regions; the attacks agree with it."""


class Verdict(Record):
    """One plain sentence, and the reason for it."""

    standing: Standing
    sentence: Sentence
    reason: Sentence


class Skipped(Record):
    """An attack that was not run, and why."""

    attack: Name
    reason: Sentence


class Place(Record):
    """A box in pixels of one frame (of a still: page): its left, top, right and bottom edge."""

    frame: NonNegativeInt
    x0: NonNegativeInt
    y0: NonNegativeInt
    x1: NonNegativeInt
    y1: NonNegativeInt

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.x1 < self.x0 or self.y1 < self.y0:
            raise ValueError("a place ends before it begins")
        return self


class VisibleSpan(Record):
    """Frames ``first`` to ``last`` in which a detector still sees a target; times in seconds, None in stills.

    ``frames`` counts those that were looked at and show it, ``score`` is the best score, and ``place`` is
    where that was; None in audits of before it was named.
    """

    target: Target
    first: NonNegativeInt
    last: NonNegativeInt
    start: NonNegativeFloat | None
    end: NonNegativeFloat | None
    frames: PositiveInt
    score: NonNegativeFloat
    place: Place | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError("a span ends before it begins")
        return self


class CurveKind(StrEnum):
    """What a curve shows, and by that what its axes are."""

    ROC = "roc"
    """True positive rate over false positive rate."""
    RANK = "rank"
    """Share of probes whose person is among the first x guesses."""
    EPSILON = "epsilon"
    """The most that an attacker's odds can grow, over epsilon."""


class Curve(Record):
    """Points of a curve of one attack: ``x`` and ``y`` have the same length."""

    kind: CurveKind
    name: Name
    x: tuple[float, ...] = Field(min_length=2)
    y: tuple[float, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _paired(self) -> Self:
        if len(self.x) != len(self.y):
            raise ValueError("a curve needs one y for each x")
        return self


class Kept(Record):
    """How many detections of a target the original and the output show."""

    target: Target
    before: NonNegativeInt
    after: NonNegativeInt


class Utility(Record):
    """What is left to work with.

    ``untouched`` is the share of pixels outside every covered region, ``fidelity`` their PSNR in dB against
    the original (capped at 100). ``probe_clear`` and ``probe`` are the accuracies of a linear probe trained
    on the original and on the output, where labels were given.
    """

    untouched: float = Field(ge=0, le=1)
    fidelity: NonNegativeFloat
    kept: tuple[Kept, ...] = ()
    probe_clear: float | None = Field(None, ge=0, le=1)
    probe: float | None = Field(None, ge=0, le=1)


class Audit(Record):
    """The attacks of one run of ``eyelid audit`` against one output, and what they came to.

    ``evidence`` is the SHA-256 of the file of evidence beside the output, and ``method`` what that says was
    done; both are None where there is none. ``tracks`` counts the people followed in the original,
    ``frames`` the frames that were looked at. ``created`` is in UTC.
    """

    version: Literal["eyelid-audit/1"] = Field(SCHEMA, alias="schema")
    created: AwareDatetime
    software: tuple[Software, ...]
    original: InputFile
    output: OutputFile
    media: Media
    evidence: Sha256 | None
    method: Step | None
    guarantee: Guarantee | None
    privacy: PrivacySpent | None
    tracks: NonNegativeInt
    distractors: NonNegativeInt
    frames: PositiveInt
    attacks: tuple[AttackResult, ...]
    skipped: tuple[Skipped, ...] = ()
    visible: tuple[VisibleSpan, ...] = ()
    curves: tuple[Curve, ...] = ()
    utility: Utility
    verdict: Verdict
    timings: tuple[Stage, ...] = ()
    warnings: tuple[Sentence, ...] = ()


class SignedAudit(Audit):
    """An audit as it stands in a file: with its signature, or with ``null`` where it is not signed."""

    signature: Signature | None = None


def json_schema() -> str:
    """Return the JSON Schema of a file of an audit."""
    return schema_of(SignedAudit, SCHEMA)


if __name__ == "__main__":
    import sys

    sys.stdout.write(json_schema())
