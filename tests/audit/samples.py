"""Audits for the tests: made up, one for every standing, with the pictures that a report shows."""

from __future__ import annotations

from datetime import UTC, datetime

import cv2
import numpy as np

from eyelid.attack.base import AttackResult, Knowledge, Threat
from eyelid.audit.model import (
    Audit,
    Curve,
    CurveKind,
    Kept,
    Place,
    Skipped,
    Standing,
    Utility,
    Verdict,
    VisibleSpan,
)
from eyelid.audit.run import Audited
from eyelid.audit.stages import Portrait
from eyelid.evidence.model import InputFile, Media, OutputFile, Software, Stage, Step
from eyelid.privacy.ledger import PrivacySpent
from eyelid.types import Bgr, Guarantee, GuaranteeKind, Target

SENTENCES = {
    Standing.EXPOSED: "People in this file can be identified, or what should be hidden still shows.",
    Standing.BY_CONTEXT: "No attack on what was covered beats chance, but what surrounds it tells people.",
    Standing.IN_DOUBT: "No attack is shown to beat chance, but too few people were measured to be sure.",
    Standing.AT_CHANCE: "Every attack that was run does as well as guessing, and no better.",
    Standing.BOUNDED: "A theorem bounds every attacker on the covered regions (epsilon 8 for a whole one).",
}
PEOPLE = 24


def audited(
    standing: Standing = Standing.EXPOSED, *, still: bool = False, name: str | None = None
) -> Audited:
    """Return an audit that comes to ``standing``; ``name`` is that of the output."""
    exposed, bounded = standing is Standing.EXPOSED, standing is Standing.BOUNDED
    rank = 0.92 if exposed else 0.06
    return Audited(
        Audit(
            schema="eyelid-audit/1",
            created=datetime(2026, 11, 23, 9, 30, tzinfo=UTC),
            software=(Software(name="eyelid", version="0.1.0"), Software(name="python", version="3.11.7")),
            original=InputFile(sha256="0f" * 32, size=48_213_004),
            output=OutputFile(
                name=name or ("street.anon.jpg" if still else "street.anon.mp4"),
                sha256="a7" * 32,
                size=43_002_771,
            ),
            media=Media(
                kind="still" if still else "video",
                format="JPEG" if still else "mp4",
                width=1280,
                height=720,
                duration=None if still else 61.4,
            ),
            evidence="3c" * 32,
            method=Step(name="dp-pixelate", parameters={"epsilon": 0.5, "pixels": 16})
            if bounded
            else Step(name="pixelate", parameters={"cells": 16}),
            guarantee=Guarantee(
                kind=GuaranteeKind.DP if bounded else GuaranteeKind.EMPIRICAL,
                statement="no sample of a covered region survives but the means of its cells",
                assumption="the region covers the target",
                not_covered=("the position and size of what is covered", "clothes", "voices and other sound"),
            ),
            privacy=PrivacySpent(
                mechanism="discrete Laplace",
                adjacency="two inputs that differ, in one region or track, in at most 16 pixels",
                pixels=16,
                epsilon=0.5,
                epsilon_whole=8.0,
                epsilon_file=12.0,
                releases=PEOPLE,
                accounts=PEOPLE,
            )
            if bounded
            else None,
            tracks=PEOPLE,
            distractors=40,
            frames=123,
            attacks=(
                *_naming("nearest-contrast", Knowledge.NAIVE, rank / 2),
                *_naming("discriminant", Knowledge.RETRAINED, rank),
                _result("restoration", Knowledge.RETRAINED, rank * 0.8),
                _result(
                    "context: clothes", Knowledge.NAIVE, 0.7 if standing is Standing.BY_CONTEXT else 0.05
                ),
                _result("re-detection", Knowledge.NAIVE, 0.4, measure="share of frames marked", chance=0.0),
                _result("metadata", Knowledge.NAIVE, 0, measure="kinds of metadata", chance=0.0, n=1),
            ),
            skipped=(Skipped(attack="voice", reason="the output has no sound"),),
            visible=_visible(still=still) if exposed else (),
            curves=_curves(rank, bounded=bounded),
            utility=Utility(
                untouched=0.934,
                fidelity=44.2,
                kept=(
                    Kept(target=Target.PERSON, before=310, after=296),
                    Kept(target=Target.VEHICLE, before=122, after=121),
                ),
            ),
            verdict=Verdict(
                standing=standing,
                sentence=SENTENCES[standing],
                reason=f"Rank-1 {rank:.3g} [{rank - 0.05:.3g}, {rank + 0.05:.3g}], chance 0.0417, retrained",
            ),
            timings=(
                Stage(name="watching both files", seconds=71.2),
                Stage(name="restoration", seconds=18.4),
            ),
            warnings=("A detector failed at 1 of 123 glances at the output.",),
        ),
        tuple(_portrait(number, shown=exposed and number == 0) for number in range(4)),
    )


def _result(
    attack: str,
    knowledge: Knowledge,
    success: float,
    *,
    measure: str = "rank-1",
    chance: float = 1 / PEOPLE,
    n: int = 240,
) -> AttackResult:
    spread = 0.05 if n > 1 else 0.0
    return AttackResult(
        attack=attack,
        threat=Threat(
            goal="name the person behind a face",
            knowledge=knowledge,
            capability="clear pictures of the people at other moments, treated alike",
        ),
        measure=measure,
        success=success,
        chance=chance,
        interval=(max(success - spread, 0.0), min(success + spread, 1.0)),
        n=n,
        note=f"{PEOPLE} people among {PEOPLE + 40}" if measure == "rank-1" else "",
    )


def _naming(name: str, knowledge: Knowledge, rank: float) -> tuple[AttackResult, AttackResult]:
    label = f"re-identification by {name}"
    return (
        _result(label, knowledge, rank),
        _result(label, knowledge, 0.5 + rank / 2.2, measure="AUC", chance=0.52, n=4000),
    )


def _visible(*, still: bool) -> tuple[VisibleSpan, ...]:
    def span(target: Target, first: int, last: int, score: float) -> VisibleSpan:
        start, end = (None, None) if still else (first / 25, last / 25)
        return VisibleSpan(
            target=target,
            first=first,
            last=last,
            start=start,
            end=end,
            frames=1 + (last - first) // 12,
            score=score,
            place=Place(frame=first, x0=600, y0=80, x1=640, y1=132),
        )

    if still:
        return (span(Target.FACE, 0, 0, 0.91),)
    return (
        span(Target.FACE, 312, 420, 0.91),
        span(Target.FACE, 1100, 1100, 0.74),
        span(Target.PLATE, 700, 760, 0.5),
    )


def _curves(rank: float, *, bounded: bool) -> tuple[Curve, ...]:
    ranks = np.arange(1, PEOPLE + 1)
    rates = np.linspace(0, 1, 60)
    curves = [
        Curve(
            kind=CurveKind.RANK,
            name="discriminant, retrained",
            x=tuple(map(float, ranks)),
            y=tuple(float(min(1.0, rank + (1 - rank) * (k - 1) / (PEOPLE - 1))) for k in ranks),
        ),
        Curve(
            kind=CurveKind.ROC,
            name="discriminant, retrained",
            x=tuple(rates.tolist()),
            y=tuple((rates ** (1 - rank)).tolist()),
        ),
    ]
    if bounded:
        epsilons = np.linspace(0, 16, 50)
        sure = 1 / (1 + (PEOPLE - 1) * np.exp(-epsilons))
        curves.append(
            Curve(
                kind=CurveKind.EPSILON,
                name=f"one of {PEOPLE} people",
                x=tuple(epsilons.tolist()),
                y=tuple(sure.tolist()),
            )
        )
    return tuple(curves)


def _portrait(number: int, *, shown: bool) -> Portrait:
    """Draw somebody whom nobody knows; ``shown``: the output leaves them as they are."""
    chance = np.random.default_rng(number)
    original: Bgr = chance.integers(0, 256, (112, 92, 3), np.uint8)
    cv2.ellipse(original, (46, 56), (34, 46), 0, 0, 360, (130 + 20 * number, 150, 190), -1)
    for x in (33, 59):
        cv2.circle(original, (x, 46), 5, (40, 30, 20), -1)
    cv2.ellipse(original, (46, 78), (14, 6 + 2 * number), 0, 0, 180, (60, 50, 140), -1)
    small = cv2.resize(original, (8, 8), interpolation=cv2.INTER_AREA)
    hidden = np.asarray(cv2.resize(small, (92, 112), interpolation=cv2.INTER_NEAREST), np.uint8)
    restored = np.asarray(cv2.GaussianBlur(hidden, (0, 0), 6), np.uint8)
    return Portrait(original if shown else hidden, None if number == 3 else restored, original)
