"""Runs what fits a file against the user's own output, and puts together what came of it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path  # pydantic reads it at run time
from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import BaseModel, ConfigDict

from eyelid.attack.cloak_retrained import CloakRetrained
from eyelid.audit import stages
from eyelid.audit.known import evidence_of, one_of_each
from eyelid.audit.model import Audit, Curve, CurveKind, Kept, Utility
from eyelid.audit.nobody import check_anybody
from eyelid.audit.pair import kind_of_both, watch
from eyelid.audit.probe import Labels, accuracy
from eyelid.audit.spans import spans
from eyelid.audit.verdict import REIDENTIFICATION, certainty, judge
from eyelid.audit.watch import Watcher
from eyelid.detect.registry import build_all
from eyelid.errors import InputError
from eyelid.evidence.file import input_file, output_file
from eyelid.evidence.model import Media, Software
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
    from collections.abc import Callable, Iterator

    from eyelid.audit.watch import Watched
    from eyelid.evidence.model import Evidence
    from eyelid.jobs.progress import ProgressListener
    from eyelid.privacy.ledger import PrivacySpent

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
class Audited:
    """An audit, and the pictures for its report."""

    audit: Audit
    portraits: tuple[stages.Portrait, ...]


def audit(
    output: Path,
    original: Path,
    settings: AuditSettings | None = None,
    listener: ProgressListener = silent,
) -> Audited:
    """Attack ``output``, which was made from ``original``, and say what is left.

    Raises InputError and UnsupportedError for files that cannot be read, InputError too where nothing that is
    looked for is in them and their evidence records nothing, UsageError where the two do not belong together,
    EvidenceError where the evidence is not of this output, ModelError.
    """
    settings = settings or AuditSettings()
    kind = kind_of_both(output, original)
    evidence, proof = evidence_of(output, original, settings.evidence)
    targets = evidence.settings.targets if evidence else _DEFAULT_TARGETS
    distractors = one_of_each(settings.gallery)
    labels = Labels(settings.labels) if settings.labels else None
    findings = stages.Findings()
    with findings.timed("watching both files"):
        watched, media = _watch(output, original, kind, targets, settings, listener)
    check_anybody(watched, evidence, output, original, targets)
    keep_freed_memory()
    tracks = [track for track in watched.tracks.values() if track.clear]
    attacks: tuple[Callable[[], None], ...] = (
        lambda: stages.redetect(findings, watched),
        lambda: stages.reidentify(findings, tracks, evidence, targets, distractors, kind),
        lambda: stages.uncloak(
            findings,
            tracks,
            evidence,
            distractors,
            lambda done, of: listener(Progress(output, done, of, "pages")),
        ),
        lambda: stages.context(findings, tracks),
        lambda: stages.metadata(findings, output, original),
        lambda: stages.voice(findings, output, kind),
        lambda: stages.restoration(findings, tracks, kind),
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
                untaught=findings.reason_without(CloakRetrained.name),
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


def _utility(findings: stages.Findings, watched: Watched, labels: Labels | None) -> Utility:
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
