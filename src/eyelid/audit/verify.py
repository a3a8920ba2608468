"""Checks that an audit speaks of the output beside it, and who signed it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from eyelid.audit.file import AUDIT
from eyelid.evidence.verify import Checked, Verification
from eyelid.evidence.verify import verify as verify_evidence

if TYPE_CHECKING:
    from eyelid.audit.model import SignedAudit
    from eyelid.jobs.api import AnyPath


class AuditVerification(Checked["SignedAudit"]):
    """The outcome of a check of an audit; see :class:`~eyelid.evidence.verify.Checked`."""

    __slots__ = ()
    noun: ClassVar[str] = "audit"

    @property
    def audit(self) -> SignedAudit:
        """The audit."""
        return self.record

    @property
    def audit_path(self) -> Path:
        """Where it lies."""
        return self.record_path


def verify_audit(
    path: Path, output: Path | None = None, *, trusted_key: Path | None = None
) -> AuditVerification:
    """Check the audit at ``path`` against its output, by default the one beside it.

    ``trusted_key`` is as in :func:`eyelid.evidence.verify.verify`. Raises EvidenceError where audit or output
    are missing or unreadable.
    """
    return AuditVerification.against(AUDIT.read(path), path, output, trusted_key)


def verify(
    path: AnyPath, output: AnyPath | None = None, *, trusted_key: AnyPath | None = None
) -> Verification | AuditVerification:
    """Check an output against its evidence or its audit, and the signature if there is one.

    ``path`` is an output, its ``.evidence.json`` or its ``.audit.json``; ``output`` is where the output lies
    if not beside the record, ``trusted_key`` the public key that must have signed it. Raises EvidenceError
    where one of them is missing or unreadable.

    >>> eyelid.verify("street.anon.mp4").ok
    """
    record = Path(path)
    check = verify_audit if record.name.endswith(AUDIT.suffix) else verify_evidence
    return check(
        record,
        None if output is None else Path(output),
        trusted_key=None if trusted_key is None else Path(trusted_key),
    )
