"""The Python interface: one function a job, with the words of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pydantic import ValidationError

from eyelid.errors import UsageError
from eyelid.jobs.anonymizer import Anonymizer
from eyelid.jobs.progress import silent
from eyelid.jobs.run import anonymize_files
from eyelid.jobs.settings import Settings
from eyelid.jobs.tasks import tasks_for
from eyelid.obfuscate.registry import parse

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from eyelid.detect.base import Detector
    from eyelid.jobs.progress import ProgressListener
    from eyelid.jobs.tasks import FileResult
    from eyelid.obfuscate.registry import Method

AnyPath: TypeAlias = "str | os.PathLike[str]"


def anonymize(
    source: AnyPath,
    output: AnyPath | None = None,
    *,
    targets: Sequence[str] | None = None,
    method: str | Method | None = None,
    settings: Settings | None = None,
    detectors: Sequence[Detector] = (),
    force: bool = False,
    listener: ProgressListener = silent,
) -> FileResult:
    """Anonymise one photo or video and return where its output is and the evidence of it.

    ``targets`` are names of :class:`~eyelid.types.Target`, by default those of the method; ``method`` is a
    name such as ``"pixelate"``, with parameters as on the command line, or a method object, by default solid.
    ``settings`` gives everything else; what the first two name replaces what it says.
    ``detectors`` are your own, in place of the shipped ones for their targets. Raises
    the exceptions of :mod:`eyelid.errors`; then there is no output. Where nothing is found, the methods that
    need something to work on (those with noise, ``remove`` and ``cloak``) raise InputError; the others copy.

    >>> result = eyelid.anonymize("street.mp4", targets=["face", "plate"])
    >>> result.output, result.evidence.counts
    """
    path = Path(source)
    if path.is_dir():
        raise UsageError(f"{path} is a folder; use eyelid.anonymize_folder")
    chosen = _settings(settings, targets, method)
    (task,) = tasks_for([path], None if output is None else Path(output), force=force)
    return Anonymizer(chosen, detectors).run(task, listener)


def anonymize_folder(
    source: AnyPath,
    output: AnyPath | None = None,
    *,
    targets: Sequence[str] | None = None,
    method: str | Method | None = None,
    settings: Settings | None = None,
    workers: int | None = None,
    ray: str | None = None,
    force: bool = False,
    listener: ProgressListener = silent,
) -> list[FileResult]:
    """Anonymise everything in a folder into another one with the same tree; return a result for each file.

    Files that are done already are left as they are; one that fails or is no media stops no other, its
    ``outcome`` and ``message`` say so. One in which nothing is found gets its copy, whatever the method: the
    set stays whole. ``workers`` processes work side by side, or a Ray cluster at the
    address ``ray``. Other parameters as :func:`anonymize`.
    """
    path = Path(source)
    if not path.is_dir():
        raise UsageError(f"{path} is not a folder; use eyelid.anonymize")
    chosen = _settings(settings, targets, method)
    tasks = tasks_for([path], None if output is None else Path(output), force=force)
    return list(anonymize_files(tasks, chosen, workers=workers, ray=ray, listener=listener))


def unlock(
    locked: AnyPath,
    key: AnyPath,
    output: AnyPath | None = None,
    *,
    force: bool = False,
    listener: ProgressListener = silent,
) -> Path:
    """Give back the exact original pixels of an output of ``lock``; see :func:`eyelid.jobs.unlock.unlock`."""
    from eyelid.jobs.unlock import unlock as restore

    target = None if output is None else Path(output)
    return restore(Path(locked), Path(key), target, force=force, listener=listener)


def _settings(
    settings: Settings | None, targets: Sequence[str] | None, method: str | Method | None
) -> Settings:
    values = settings.model_dump() if settings else {}
    if targets is not None:
        values["targets"] = tuple(targets)
    if method is not None:
        values["method"] = chosen = parse(method) if isinstance(method, str) else method
        values.setdefault("targets", chosen.targets)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = " ".join(str(part) for part in first["loc"])
        raise UsageError(f"{place}: {first['msg']}") from None
