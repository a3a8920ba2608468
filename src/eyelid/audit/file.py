"""Audits on disk: canonical JSON, signed like the evidence, beside a report for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from eyelid.audit.model import SCHEMA, Audit, SignedAudit
from eyelid.errors import EvidenceError
from eyelid.evidence.file import canonical
from eyelid.media.atomic import atomic_output

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

JSON_SUFFIX: Final = ".audit.json"
HTML_SUFFIX: Final = ".audit.html"


def report_paths(output: Path, prefix: Path | None = None) -> tuple[Path, Path]:
    """Return where the JSON and the HTML of an audit go: ``a.anon.mp4`` has ``a.audit.json`` beside it."""
    base = prefix or output.with_name(output.stem.removesuffix(".anon") or output.stem)
    return base.with_name(base.name + JSON_SUFFIX), base.with_name(base.name + HTML_SUFFIX)


def write(audit: Audit, path: Path, *, key: Ed25519PrivateKey | None = None, force: bool = False) -> None:
    """Write an audit to ``path``, signed where there is a key; raises OutputError like ``atomic_output``."""
    document = audit.model_dump(mode="json", by_alias=True)
    signature = None
    if key:
        from eyelid.evidence.signing import sign  # loads OpenSSL, which most runs do not need

        signature = sign(canonical(document), key).model_dump()
    with atomic_output(path, force=force) as partial:
        partial.write_bytes(canonical(document | {"signature": signature}))


def read(path: Path) -> SignedAudit:
    """Read an audit; raises EvidenceError where it is missing, damaged or of another version."""
    try:
        raw = path.read_bytes()
        document = json.loads(raw)
        intact = isinstance(document, dict) and canonical(document) == raw
    except OSError as error:
        raise EvidenceError(f"{path} cannot be read ({error.strerror}); check the name") from None
    except (ValueError, RecursionError):
        intact = False
    if not intact or document.get("schema") != SCHEMA:
        raise EvidenceError(f"{path} is no audit of version {SCHEMA}, or was edited; get the original file")
    try:
        return SignedAudit.model_validate_json(raw)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"]) or "the whole"
        raise EvidenceError(f"{path} is not valid at {place!r}; it was damaged or edited") from None
