"""Runs what fits a file against the user's own output, and puts together what came of it."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path  # pydantic reads it at run time
from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import BaseModel, ConfigDict

from eyelid.attack.base import AttackResult, Knowledge, Threat
from eyelid.attack.cloak_transfer import CloakTransfer
from eyelid.attack.context import ContextAttack
from eyelid.attack.metadata import MetadataAttack
from eyelid.attack.statistics import clopper_pearson
from eyelid.attack.voice import VoiceAttack
from eyelid.audit.cloaked import transfer
from eyelid.audit.identify import identify, line_up
from eyelid.audit.known import evidence_of, one_of_each, treatment_of
from eyelid.audit.model import Audit, Curve, CurveKind, Kept, Skipped, Utility
from eyelid.audit.pair import kind_of_both, sightings_of, watch
from eyelid.audit.probe import Labels, accuracy
from eyelid.audit.restored import restore
from eyelid.audit.spans import spans
from eyelid.audit.verdict import REDETECTION, REIDENTIFICATION, certainty, judge
from eyelid.audit.watch import FOUND, Watcher
from eyelid.detect.registry import build_all
from eyelid.errors import EyelidError, InputError, UsageError
from eyelid.evidence.file import input_file, output_file
from eyelid.evidence.model import Media, Software, Stage
from eyelid.evidence.software import software
from eyelid.jobs.finder import Finder
from eyelid.jobs.memory import keep_freed_memory
from eyelid.jobs.progress import Progress, silent
from eyelid.jobs.settings import Settings
from eyelid.media.kinds import MediaKind
from eyelid.models.session import Device
from eyelid.obfuscate.regions import Coverage
from eyelid.types import Quality, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from eyelid.attack.dataset import Pictures
    from eyelid.audit.watch import Track, Watched
    from eyelid.evidence.model import Evidence
    from eyelid.jobs.progress import ProgressListener
    from eyelid.privacy.ledger import PrivacySpent
    from eyelid.types import Bgr

PORTRAITS: Final = 12
"""So many people are pictured in a report."""
_DEFAULT_TARGETS: Final = (Target.FACE, Target.PLATE)


class AuditSettings(BaseModel):
    """How to audit: where else to look for people, and on what to compute.

    ``gallery`` is a folder with a subfolder of pictures for each of other people, who make the line-up
    longer. ``evidence`` is the evidence of the output, by default what lies beside it. ``labels`` is a CSV
    file of what happens when (:class:`~eyelid.audit.probe.Labels`), for the probe of what is left to use.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gallery: Path | None = None
    evidence: Path | None = None
    labels: Path | None = None
    device: Device = Device.CPU
    threads: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """One person as a report may show them, uint8 BGR (112, 92, 3): in the output, restored, original."""

    anonymised: Bgr
    restored: Bgr | None
    original: Bgr


@dataclass(frozen=True, slots=True, eq=False)
class Audited:
    """An audit, and the pictures for its report."""

    audit: Audit
    portraits: tuple[Portrait, ...]


@dataclass(slots=True)
class _Findings:
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


def audit(
    output: Path,
    original: Path,
    settings: AuditSettings | None = None,
    listener: ProgressListener = silent,
) -> Audited:
    """Attack ``output``, which was made from ``original``, and say what is left.

    Raises InputError and UnsupportedError for files that cannot be read, UsageError where the two do not
    belong together, EvidenceError where the evidence is not of this output, ModelError.
    """
    settings = settings or AuditSettings()
    kind = kind_of_both(output, original)
    evidence, proof = evidence_of(output, original, settings.evidence)
    targets = evidence.settings.targets if evidence else _DEFAULT_TARGETS
    distractors = one_of_each(settings.gallery)
    labels = Labels(settings.labels) if settings.labels else None
    findings = _Findings()
    with findings.timed("watching both files"):
        watched, media = _watch(output, original, kind, targets, settings, listener)
    keep_freed_memory()
    tracks = [track for track in watched.tracks.values() if track.clear]
    attacks: tuple[Callable[[], None], ...] = (
        lambda: _redetect(findings, watched),
        lambda: _identify(findings, tracks, evidence, targets, distractors, kind),
        lambda: _cloak(findings, tracks, evidence, distractors),
        lambda: _context(findings, tracks),
        lambda: _metadata(findings, output, original),
        lambda: _voice(findings, output, kind),
        lambda: _restore(findings, tracks, kind),
    )
    for done, attack in enumerate(attacks, start=1):
        attack()
        listener(Progress(output, done, len(attacks), "attacks"))
    utility = _utility(findings, watched, labels)
    visible = spans(watched.sights)
    privacy = evidence.privacy if evidence else None
    people = max(2, len(tracks) + len(distractors))
    probed = sum(kind is MediaKind.STILL or len(track.clear) > 1 for track in tracks)
    if privacy:
        findings.curves.append(_odds(privacy, people))
    guarantee = evidence.guarantee if evidence else None
    return Audited(
        Audit(
            schema="eyelid-audit/1",
            created=datetime.now(UTC),
            software=(*software(), *_extras()),
            original=input_file(original),
            output=output_file(output, output.name),
            media=media,
            evidence=proof,
            method=evidence.settings.method if evidence else None,
            guarantee=guarantee,
            privacy=privacy,
            tracks=len(tracks),
            distractors=len(distractors),
            frames=watched.glances,
            attacks=tuple(findings.attacks),
            skipped=tuple(findings.skipped),
            visible=visible,
            curves=tuple(findings.curves),
            utility=utility,
            verdict=judge(
                findings.attacks,
                visible,
                guarantee,
                privacy,
                people,
                probed,
                blind=watched.blind,
                unnamed=findings.reason_without(REIDENTIFICATION),
            ),
            timings=tuple(findings.timings),
            warnings=tuple(_warnings(watched, evidence)),
        ),
        findings.portraits,
    )


def _watch(
    output: Path,
    original: Path,
    kind: MediaKind,
    targets: tuple[Target, ...],
    settings: AuditSettings,
    listener: ProgressListener,
) -> tuple[Watched, Media]:
    moving = kind is MediaKind.VIDEO
    asked = Settings(
        targets=tuple(dict.fromkeys((Target.FACE, *targets))),
        device=settings.device,
        threads=settings.threads,
    )
    thorough = Finder(
        build_all(targets, Quality.THOROUGH, device=settings.device, threads=settings.threads, moving=moving)
    )
    bodies = Finder(
        build_all(
            (Target.PERSON, Target.VEHICLE),
            Quality.FAST,
            device=settings.device,
            threads=settings.threads,
            moving=moving,
        )
    )
    watcher = Watcher(thorough, bodies, frozenset(targets), Coverage())
    watched, source = watch(output, original, watcher, asked, listener)
    if watched.frames == 0:
        raise InputError(f"{original} holds no frame; name another file")
    return watched, Media(
        kind=source.kind.value,
        format=source.format,
        width=source.width,
        height=source.height,
        duration=source.duration,
    )


def _redetect(findings: _Findings, watched: Watched) -> None:
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


def _identify(
    findings: _Findings,
    tracks: Sequence[Track],
    evidence: Evidence | None,
    targets: tuple[Target, ...],
    distractors: Pictures,
    kind: MediaKind,
) -> None:
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


def _cloak(
    findings: _Findings, tracks: Sequence[Track], evidence: Evidence | None, distractors: Pictures
) -> None:
    if evidence is None or evidence.settings.method.name != "cloak":
        return
    with findings.stage(CloakTransfer.name):
        if not tracks or len(tracks) + len(distractors) < 2:
            raise UsageError("there is nobody to tell apart; give pictures of other people (--gallery)")
        findings.attacks += transfer(tracks, distractors)


def _context(findings: _Findings, tracks: Sequence[Track]) -> None:
    with findings.stage("context"):
        for place in (False, True):
            findings.attacks.append(ContextAttack(place=place).run(sightings_of(tracks)))


def _metadata(findings: _Findings, output: Path, original: Path) -> None:
    with findings.stage("metadata"):
        findings.attacks.append(MetadataAttack(original).run(output))


def _voice(findings: _Findings, output: Path, kind: MediaKind) -> None:
    with findings.stage("voice"):
        if kind is MediaKind.STILL:
            raise UsageError("a still has no sound")
        findings.attacks.append(VoiceAttack().run(output))


def _restore(findings: _Findings, tracks: Sequence[Track], kind: MediaKind) -> None:
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


def _utility(findings: _Findings, watched: Watched, labels: Labels | None) -> Utility:
    """Say what is left to work with, by a linear probe too where there are labels."""
    probes: tuple[float | None, float | None] = (None, None)
    with findings.stage("utility"):
        if labels:
            named = [
                (label, pair)
                for time, pair in zip(watched.times, watched.scenes, strict=True)
                if (label := labels.at(time))
            ]
            names = [label for label, _ in named]
            probes = (
                accuracy([pair[0] for _, pair in named], names),
                accuracy([pair[1] for _, pair in named], names),
            )
    return Utility(
        untouched=watched.untouched,
        fidelity=watched.fidelity,
        kept=tuple(
            Kept(target=target, before=watched.before.get(target, 0), after=watched.after.get(target, 0))
            for target in (Target.PERSON, Target.VEHICLE)
        ),
        probe_clear=probes[0],
        probe=probes[1],
    )


def _odds(privacy: PrivacySpent, people: int) -> Curve:
    """Return the most that an attacker can be sure of one of ``people``, over epsilon for a whole region."""
    epsilons = np.linspace(0, max(8.0, min(2 * privacy.epsilon_whole, 200.0)), 100).tolist()
    return Curve(
        kind=CurveKind.EPSILON,
        name=f"one of {people} people",
        x=tuple(epsilons),
        y=tuple(certainty(epsilon, people) for epsilon in epsilons),
    )


def _extras() -> Iterator[Software]:
    """Name the optional libraries that attacks are made of."""
    for name in ("scikit-learn", "torch"):
        with suppress(PackageNotFoundError):
            yield Software(name=name, version=version(name))


def _warnings(watched: Watched, evidence: Evidence | None) -> Iterator[str]:
    if evidence is None:
        yield "There is no evidence of this output: its method is unknown; attackers learn from the output."
    if watched.blind:
        yield f"A detector failed at {watched.blind} of {watched.glances} glances at the output."
    if watched.dropped_tracks:
        yield "There are more people than an audit follows; the first 300 were attacked."
