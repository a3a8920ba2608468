"""The Python interface of an audit: attack an output, write the report and the record beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eyelid.audit.model import Audit
    from eyelid.jobs.api import AnyPath
    from eyelid.jobs.progress import ProgressListener


@dataclass(frozen=True, slots=True)
class AuditResult:
    """An audit, and where its record for programs and its report for people lie."""

    audit: Audit
    json: Path
    html: Path


def audit(
    output: AnyPath,
    original: AnyPath,
    prefix: AnyPath | None = None,
    *,
    gallery: AnyPath | None = None,
    evidence: AnyPath | None = None,
    labels: AnyPath | None = None,
    show_original: bool = False,
    sign: AnyPath | None = None,
    device: str = "cpu",
    threads: int | None = None,
    force: bool = False,
    listener: ProgressListener | None = None,
) -> AuditResult:
    """Attack ``output``, which was made from ``original``, and write what came of it to two files.

    They are ``prefix`` with ``.audit.json`` and ``.audit.html``, by default beside the output. ``gallery`` is
    a folder with a subfolder of pictures for each of other people, ``evidence`` that of the output where it
    does not lie beside it, ``labels`` a CSV file of what happens when, ``sign`` the private key that signs
    the JSON. With ``show_original`` the report holds faces of the original.
    Raises the exceptions of :mod:`eyelid.errors`; then there is neither file. One is InputError where nothing
    that eyelid looks for is found in either, and the evidence records nothing.

    >>> result = eyelid.audit("street.anon.mp4", "street.mp4")
    >>> result.audit.verdict.sentence
    """
    from pydantic import ValidationError

    from eyelid.audit.file import report_paths
    from eyelid.errors import UsageError
    from eyelid.jobs.progress import silent
    from eyelid.media.atomic import check_output
    from eyelid.models.extras import require

    require("an audit", "audit", "jinja2", "matplotlib", "sklearn", "torch")
    from eyelid.audit.run import AuditSettings
    from eyelid.audit.run import audit as attack
    from eyelid.audit.save import save

    try:
        settings = AuditSettings.model_validate(
            {
                "gallery": _path(gallery),
                "evidence": _path(evidence),
                "labels": _path(labels),
                "device": device,
                "threads": threads,
            }
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise UsageError(f"{first['loc'][0]}: {first['msg']}") from None
    anonymised, source = Path(output), Path(original)
    paths = report_paths(anonymised, _path(prefix))
    for path in paths:
        for given in (anonymised, source):
            check_output(given, path, force=force)
    key = None
    if sign is not None:
        from eyelid.evidence.signing import load_signing_key  # loads OpenSSL, which most runs do not need

        key = load_signing_key(Path(sign))
    audited = attack(anonymised, source, settings, listener or silent)
    save(audited, *paths, show_original=show_original, key=key, force=force)
    return AuditResult(audited.audit, *paths)


def _path(path: AnyPath | None) -> Path | None:
    return None if path is None else Path(path)
