"""Checks that an output is the one its evidence speaks of, and who signed the evidence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from eyelid.errors import EvidenceError
from eyelid.evidence.file import SUFFIX, evidence_path, output_file, read_signed
from eyelid.evidence.signing import key_id, load_public_key, signer

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.evidence.model import Signature, SignedEvidence


class SignatureState(StrEnum):
    """What the signature says."""

    VALID = "valid"
    ABSENT = "absent"
    INVALID = "invalid"
    OTHER_KEY = "made by another key"


class Checked(ABC):
    """What a check of a record says: evidence here, audits elsewhere; ``noun`` is what the record is.

    ``intact``: the output has the size and SHA-256 that the record names. ``key_id`` is the signer's, None
    where there is no valid signature. ``trusted``: the signer's key is the one that the caller trusts.
    """

    __slots__ = ()
    noun: ClassVar[str]
    output_path: Path
    intact: bool
    signature: SignatureState
    key_id: str | None
    trusted: bool

    @property
    @abstractmethod
    def record_path(self) -> Path:
        """Where the record lies."""

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against the output; a missing signature does only where a key is trusted."""
        return self.intact and self.signature in {SignatureState.VALID, SignatureState.ABSENT}

    def sentence(self) -> str:
        """Say the outcome in one line."""
        record, output = self.record_path.name, self.output_path.name
        if not self.intact:
            return f"{output} is NOT the file that {record} was written for."
        if self.signature is SignatureState.INVALID:
            return f"{record} was changed after it was signed: do not trust it."
        if self.signature is SignatureState.OTHER_KEY:
            return f"{record} is not signed by the key that you trust: do not trust it."
        if self.signature is SignatureState.ABSENT:
            return (
                f"{output} fits its {self.noun}, which is not signed: "
                "anyone who changed both would not be noticed."
            )
        known = (
            "the key that you trust"
            if self.trusted
            else "compare the key with the one of the signer you expect"
        )
        return f"{output} fits its {self.noun}, signed by key {self.key_id} ({known})."


@dataclass(frozen=True, slots=True)
class Verification(Checked):
    """The outcome of a check of evidence; see :class:`Checked`."""

    noun: ClassVar[str] = "evidence"
    evidence: SignedEvidence
    evidence_path: Path
    output_path: Path
    intact: bool
    signature: SignatureState
    key_id: str | None
    trusted: bool

    @property
    def record_path(self) -> Path:
        """Where the evidence lies."""
        return self.evidence_path


def verify(path: Path, output: Path | None = None, *, trusted_key: Path | None = None) -> Verification:
    """Check an output against its evidence; ``path`` is either of the two, the other is looked for beside it.

    ``trusted_key`` is a PEM file with the public key of the expected signer; evidence without a signature of
    that key is then not ok. Raises EvidenceError where evidence or output are missing or unreadable.
    """
    if path.name.endswith(SUFFIX):
        evidence_file = path
    else:
        evidence_file, output = _evidence_of(path), output or path
    evidence, message = read_signed(evidence_file)
    output = output or evidence_file.with_name(evidence.output.name)
    if not output.is_file():
        raise EvidenceError(
            f"{output}, which {evidence_file.name} speaks of, is not there; name the output too"
        )
    found = output_file(output, output.name)
    intact = (found.sha256, found.size) == (evidence.output.sha256, evidence.output.size)

    state, key = check_signature(message, evidence.signature, trusted_key)
    return Verification(
        evidence=evidence,
        evidence_path=evidence_file,
        output_path=output,
        intact=intact,
        signature=state,
        key_id=key,
        trusted=trusted_key is not None and state is SignatureState.VALID,
    )


def check_signature(
    message: bytes, signature: Signature | None, trusted_key: Path | None = None
) -> tuple[SignatureState, str | None]:
    """Return what a signature of ``message`` says, and the id of its key; None where it is not valid.

    Raises EvidenceError where the key to trust cannot be read.
    """
    trusted = load_public_key(trusted_key) if trusted_key else None
    key = signer(message, signature) if signature else None
    if signature and key is None:
        state = SignatureState.INVALID
    elif trusted and key != trusted:
        state = SignatureState.OTHER_KEY
    else:
        state = SignatureState.VALID if key else SignatureState.ABSENT
    return state, key_id(key) if key else None


def _evidence_of(output: Path) -> Path:
    candidates = [evidence_path(output, full_name=True), evidence_path(output)]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise EvidenceError(
        f"there is no evidence beside {output} (looked for {candidates[1].name}); name its evidence file"
    )
