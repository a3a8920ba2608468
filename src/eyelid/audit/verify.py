"""Checks that an audit speaks of the output beside it, and who signed it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from eyelid.audit.file import read
from eyelid.errors import EvidenceError
from eyelid.evidence.file import canonical, output_file
from eyelid.evidence.verify import Checked, SignatureState, check_signature

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.audit.model import SignedAudit


@dataclass(frozen=True, slots=True)
class AuditVerification(Checked):
    """The outcome of a check of an audit; see :class:`~eyelid.evidence.verify.Checked`."""

    noun: ClassVar[str] = "audit"
    audit: SignedAudit
    audit_path: Path
    output_path: Path
    intact: bool
    signature: SignatureState
    key_id: str | None
    trusted: bool

    @property
    def record_path(self) -> Path:
        """Where the audit lies."""
        return self.audit_path


def verify_audit(path: Path, *, trusted_key: Path | None = None) -> AuditVerification:
    """Check the audit at ``path`` against the output beside it.

    ``trusted_key`` is as in :func:`eyelid.evidence.verify.verify`. Raises EvidenceError where audit or output
    are missing or unreadable.
    """
    audit = read(path)
    document = json.loads(path.read_bytes())
    document.pop("signature", None)
    output = path.with_name(audit.output.name)
    if not output.is_file():
        raise EvidenceError(f"{output}, which {path.name} speaks of, is not there; put the two side by side")
    found = output_file(output, output.name)
    state, key = check_signature(canonical(document), audit.signature, trusted_key)
    return AuditVerification(
        audit=audit,
        audit_path=path,
        output_path=output,
        intact=(found.sha256, found.size) == (audit.output.sha256, audit.output.size),
        signature=state,
        key_id=key,
        trusted=trusted_key is not None and state is SignatureState.VALID,
    )
