"""Puts together the evidence of one file."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from eyelid.evidence.file import input_file
from eyelid.evidence.model import (
    Coverage,
    Evidence,
    Kept,
    Media,
    ModelUsed,
    OutputFile,
    Settings,
    Stage,
    Step,
)
from eyelid.evidence.scope import with_scope
from eyelid.evidence.software import software
from eyelid.jobs.scan import stride_for, tracking
from eyelid.jobs.views import photos_in
from eyelid.media.kinds import MediaKind
from eyelid.models.cards import card
from eyelid.models.session import Device, Precision, precision_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

    from eyelid.detect.base import Detector
    from eyelid.evidence.model import InputFile
    from eyelid.jobs.finder import Finder
    from eyelid.jobs.keep import Keeper
    from eyelid.jobs.settings import Settings as Asked
    from eyelid.jobs.source import Source
    from eyelid.jobs.tally import Tally
    from eyelid.obfuscate.base import Obfuscator
    from eyelid.types import Target


def asked(settings: Asked, targets: tuple[Target, ...], source: Source) -> Settings:
    """Return the settings as the evidence states them: what decides the output, and no secret."""
    video = source.kind is MediaKind.VIDEO
    return Settings(
        targets=targets,
        quality=settings.quality,
        method=_method(settings),
        coverage=tuple(
            Coverage(
                target=target,
                shape=settings.coverage.shape_for(target),
                margin=settings.coverage.margin_for(target),
            )
            for target in targets
        ),
        stride=stride_for(settings.quality, source.rate) if video else 1,
        tracking=_tracking(settings) if video else None,
        encoding=_step(settings.encoding, "encoding") if video else None,
        detections=input_file(settings.detections).sha256 if settings.detections else None,
        detectors=tuple(_own(spec) for spec in settings.detectors),
        keep=tuple(input_file(path).sha256 for path in settings.keep),
    )


def evidence_of(
    settings: Asked,
    source: Source,
    finder: Finder | None,
    tally: Tally,
    keeper: Keeper | None,
    obfuscator: Obfuscator,
    encoder: Mapping[str, str],
    files: tuple[InputFile, OutputFile],
    seconds: float,
) -> Evidence:
    """Return the evidence of an output that ``obfuscator`` has finished after ``seconds``."""
    video = source.kind is MediaKind.VIDEO
    kept = _kept(settings, keeper, video=video)
    return Evidence(
        schema="eyelid-evidence/1",
        created=datetime.now(UTC),
        software=software(),
        models=_models(finder.detectors if finder else (), obfuscator, settings.device),
        input=files[0],
        output=files[1],
        media=Media(
            kind=source.kind.value,
            format=source.format,
            width=source.width,
            height=source.height,
            duration=source.duration,
        ),
        settings=asked(settings, tally.targets, source),
        frames=tally.frames(),
        counts=tally.counts(tracked=video),
        kept=kept,
        audio=source.audio,
        dropped=source.dropped,
        changes=source.changes,
        encoder=_encoder(encoder),
        guarantee=with_scope(
            obfuscator.guarantee,
            tally.targets,
            audio=bool(source.audio),
            kept=kept,
            listed=settings.detections is not None,
        ),
        privacy=obfuscator.spent,
        fill=obfuscator.fill,
        timings=(Stage(name="all", seconds=round(seconds, 3)),),
        warnings=(*source.warnings, *obfuscator.warnings, *_warnings(finder)),
    )


def _method(settings: Asked) -> Step:
    """Name the method; the photos that a folder lends to it are named by their content, all as one."""
    step = _step(settings.method, settings.method.name)
    if settings.views is None:
        return step
    lent = "".join(input_file(path).sha256 for path in photos_in(settings.views))
    digest = hashlib.sha256(lent.encode()).hexdigest()
    return Step(name=step.name, parameters={**step.parameters, "views": digest})


def _own(spec: str) -> str:
    """Name a detector of the user's own: a callable as given, a network by its content."""
    path, _, target = spec.rpartition(":") if not spec.endswith(".onnx") else (spec, "", "all")
    return f"onnx:{input_file(Path(path)).sha256}:{target}" if path.endswith(".onnx") else spec


def _step(parameters: BaseModel, name: str) -> Step:
    values = parameters.model_dump(mode="json", exclude={"name", "key"})
    return Step(name=name, parameters={key.replace("_", "-"): value for key, value in values.items()})


def _encoder(options: Mapping[str, str]) -> Step | None:
    if not options:
        return None
    return Step(
        name=options["encoder"], parameters={key: value for key, value in options.items() if key != "encoder"}
    )


def _tracking(settings: Asked) -> Step | None:
    if settings.detections is not None:
        return None
    return _step(tracking(settings), "tracking")


def _kept(settings: Asked, keeper: Keeper | None, *, video: bool) -> Kept | None:
    if keeper is None:
        return None
    return Kept(
        references=len(settings.keep),
        detections=keeper.detections,
        tracks=len(keeper.tracks) if video else None,
    )


def _models(detectors: Sequence[Detector], obfuscator: Obfuscator, device: Device) -> tuple[ModelUsed, ...]:
    """Name the networks of the detectors, and those of the method."""
    names = [name for detector in detectors for name in detector.models]
    used = [(name, precision_for(card(name), device), device) for name in names]
    used += [(name, Precision.F32, Device.CPU) for name in obfuscator.models]
    return tuple(
        ModelUsed(name=name, sha256=card(name).sha256, precision=precision, device=where)
        for name, precision, where in dict.fromkeys(used)
    )


def _warnings(finder: Finder | None) -> tuple[str, ...]:
    if finder is None:
        return ()
    return tuple(
        f"A detector failed {count} times ({kind}); every frame that depended on it is covered whole."
        for kind, count in sorted(finder.failures.items())
    )
