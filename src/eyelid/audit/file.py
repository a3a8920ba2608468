"""Audits on disk, signed like the evidence, beside a report for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from eyelid.audit.model import SCHEMA, SignedAudit
from eyelid.evidence.records import RecordKind

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from eyelid.audit.model import Audit

JSON_SUFFIX: Final = ".audit.json"
HTML_SUFFIX: Final = ".audit.html"
AUDIT: Final = RecordKind(SignedAudit, SCHEMA, "audit", JSON_SUFFIX)


def report_paths(output: Path, prefix: Path | None = None) -> tuple[Path, Path]:
    """Return where the JSON and the HTML of an audit go: ``a.anon.mp4`` has ``a.audit.json`` beside it."""
    base = prefix or output.with_name(output.stem.removesuffix(".anon") or output.stem)
    return base.with_name(base.name + JSON_SUFFIX), base.with_name(base.name + HTML_SUFFIX)


def write(audit: Audit, path: Path, *, key: Ed25519PrivateKey | None = None, force: bool = False) -> None:
    """Write an audit to ``path``, signed where there is a key; raises OutputError like ``atomic_output``."""
    AUDIT.write(audit, path, key=key, force=force)


def read(path: Path) -> SignedAudit:
    """Read an audit; raises EvidenceError where it is missing, damaged or of another version.

    The signature is not checked: :func:`eyelid.audit.verify.verify_audit` does that.
    """
    return AUDIT.read(path)[0]
