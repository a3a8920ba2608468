"""The attacks of an audit, one after another, and what they came to."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from eyelid.attack.base import AttackResult, Knowledge, Threat
from eyelid.attack.cloak_retrained import CloakRetrained
from eyelid.attack.cloak_transfer import CloakTransfer
from eyelid.attack.context import ContextAttack
from eyelid.attack.metadata import MetadataAttack
from eyelid.attack.statistics import clopper_pearson
from eyelid.attack.voice import VoiceAttack
from eyelid.audit.cloaked import in_line, retrained, transfer
from eyelid.audit.identify import identify, line_up
from eyelid.audit.known import treatment_of
from eyelid.audit.model import Curve, Skipped
from eyelid.audit.pair import sightings_of
from eyelid.audit.restored import restore
from eyelid.audit.verdict import REDETECTION, REIDENTIFICATION, RETRAINED
from eyelid.audit.watch import FOUND
from eyelid.errors import EyelidError, UsageError
from eyelid.evidence.model import Stage
from eyelid.media.kinds import MediaKind
from eyelid.types import Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from eyelid.attack.base import Listener
    from eyelid.attack.dataset import Pictures
    from eyelid.audit.watch import Track, Watched
    from eyelid.evidence.model import Evidence
    from eyelid.types import Bgr

PORTRAITS: Final = 12
"""So many people are pictured in a report."""


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """One person as a report may show them, uint8 BGR (112, 92, 3): in the output, restored, original."""

    anonymised: Bgr
    restored: Bgr | None
    original: Bgr


@dataclass(slots=True)
class Findings:
    """What the attacks came to so far."""

    attacks: list[AttackResult] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    timings: list[Stage] = field(default_factory=list)
    portraits: tuple[Portrait, ...] = ()

    def reason_without(self, attack: str) -> str | None:
        """Return why an attack was not run."""
        return next((skipped.reason for skipped in self.skipped if skipped.attack == attack), None)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time one stage."""
        started = time.perf_counter()
        yield
        self.timings.append(Stage(name=name, seconds=round(time.perf_counter() - started, 3)))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one attack; what it cannot be run on is said, and stops no other."""
        with self.timed(name):
            try:
                yield
            except EyelidError as error:
                self.skipped.append(Skipped(attack=name, reason=str(error)))


def redetect(findings: Findings, watched: Watched) -> None:
    """Say how often detectors mark a target, hidden well or not: to some a covered face is a face."""
    looked = max(watched.glances - watched.blind, 1)
    findings.attacks.append(
        AttackResult(
            attack=REDETECTION,
            threat=Threat(
                goal="find people that were missed or covered in part",
                knowledge=Knowledge.NAIVE,
                capability="the file, and detectors at their most thorough",
            ),
            measure="share of frames marked",
            success=watched.marked / looked,
            chance=0.0,
            interval=clopper_pearson(min(watched.marked, looked), looked),
            n=looked,
            note=f"score {FOUND} and more; a mark on what is covered gives nobody away",
        )
    )


def reidentify(
    findings: Findings,
    tracks: Sequence[Track],
    evidence: Evidence | None,
    targets: tuple[Target, ...],
    distractors: Pictures,
    kind: MediaKind,
) -> None:
    """Name people behind what covers them, at three levels of knowledge."""
    with findings.stage(REIDENTIFICATION):
        if Target.FACE not in targets:
            raise UsageError("faces were not to be covered")
        if not tracks:
            raise UsageError("the original shows no face that is large enough")
        lineup = line_up(tracks, treatment_of(evidence), distractors, still=kind is MediaKind.STILL)
        if lineup is None:
            raise UsageError("there is nobody to tell apart; give pictures of other people (--gallery)")
        identified = identify(lineup)
        findings.attacks += identified.results
        findings.curves += identified.curves
        if identified.unlearned and not _is_cloaked(evidence):  # from cloaks somebody else learns
            findings.skipped.append(Skipped(attack=RETRAINED, reason=identified.unlearned))


def uncloak(
    findings: Findings,
    tracks: Sequence[Track],
    evidence: Evidence | None,
    distractors: Pictures,
    listener: Listener,
) -> None:
    """Name people in cloaked faces, by recognisers as they are and by one that learns from cloaks.

    Nothing is done where the method was no cloak.
    """
    if evidence is None or not _is_cloaked(evidence):
        return
    with findings.stage(CloakTransfer.name):
        findings.attacks += transfer(in_line(tracks, distractors))
    with findings.stage(CloakRetrained.name):
        findings.attacks += retrained(in_line(tracks, distractors), evidence.settings.method, listener)


def context(findings: Findings, tracks: Sequence[Track]) -> None:
    """Name people by what surrounds them, with and without the place."""
    with findings.stage("context"):
        for place in (False, True):
            findings.attacks.append(ContextAttack(place=place).run(sightings_of(tracks)))


def metadata(findings: Findings, output: Path, original: Path) -> None:
    """Read what the file says besides its pictures."""
    with findings.stage("metadata"):
        findings.attacks.append(MetadataAttack(original).run(output))


def voice(findings: Findings, output: Path, kind: MediaKind) -> None:
    """Look for voices in the sound."""
    with findings.stage("voice"):
        if kind is MediaKind.STILL:
            raise UsageError("a still has no sound")
        findings.attacks.append(VoiceAttack().run(output))


def restoration(findings: Findings, tracks: Sequence[Track], kind: MediaKind) -> None:
    """Restore what is pictured, by what the pairs of all other people teach."""
    largest = sorted(tracks, key=lambda track: -track.widest)[:PORTRAITS]
    guesses: list[Bgr | None] = [None] * len(largest)
    with findings.stage("restoration"):
        restored = restore(tracks, still=kind is MediaKind.STILL)
        findings.attacks += restored.results
        guesses = [restored.portraits.get(id(track)) for track in largest]
    findings.portraits = tuple(
        Portrait(track.portrait[0], guess, track.portrait[1])
        for track, guess in zip(largest, guesses, strict=True)
        if track.portrait is not None
    )


def _is_cloaked(evidence: Evidence | None) -> bool:
    return evidence is not None and evidence.settings.method.name == "cloak"
