"""Checks that an output is the one its evidence speaks of, and who signed the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, Self, TypeVar

from eyelid.errors import EvidenceError
from eyelid.evidence.file import EVIDENCE, SUFFIX, evidence_path, output_file
from eyelid.evidence.signing import key_id, load_public_key, signer

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.evidence.model import OutputFile, Signature, SignedEvidence


class SignatureState(StrEnum):
    """What the signature says."""

    VALID = "valid"
    ABSENT = "absent"
    INVALID = "invalid"
    OTHER_KEY = "made by another key"


class _Signed(Protocol):
    """A record that names its output and may be signed: evidence, or an audit."""

    @property
    def output(self) -> OutputFile:
        """The output that it speaks of."""

    @property
    def signature(self) -> Signature | None:
        """None where it is not signed."""


_RecordT = TypeVar("_RecordT", bound=_Signed)


@dataclass(frozen=True, slots=True)
class Checked(Generic[_RecordT]):
    """What a check of a record says: evidence here, audits elsewhere; ``noun`` is what the record is.

    ``intact``: the output has the size and SHA-256 that the record names. ``key_id`` is the signer's, None
    where there is no valid signature. ``trusted``: the signer's key is the one that the caller trusts.
    """

    noun: ClassVar[str] = "record"
    record: _RecordT
    record_path: Path
    output_path: Path
    intact: bool
    signature: SignatureState
    key_id: str | None
    trusted: bool

    @classmethod
    def against(
        cls, signed: tuple[_RecordT, bytes], path: Path, output: Path | None, trusted_key: Path | None
    ) -> Self:
        """Check the record at ``path``, and the bytes that its signature covers, against its output.

        ``output`` None: it lies beside the record. Raises EvidenceError where it, or the key, is missing.
        """
        record, message = signed
        output = output or path.with_name(record.output.name)
        if not output.is_file():
            raise EvidenceError(
                f"{output}, which {path.name} speaks of, is not there; put the two side by side"
            )
        found = output_file(output, output.name)
        state, key = check_signature(message, record.signature, trusted_key)
        return cls(
            record=record,
            record_path=path,
            output_path=output,
            intact=(found.sha256, found.size) == (record.output.sha256, record.output.size),
            signature=state,
            key_id=key,
            trusted=trusted_key is not None and state is SignatureState.VALID,
        )

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


class Verification(Checked["SignedEvidence"]):
    """The outcome of a check of evidence; see :class:`Checked`."""

    __slots__ = ()
    noun: ClassVar[str] = "evidence"

    @property
    def evidence(self) -> SignedEvidence:
        """The evidence."""
        return self.record

    @property
    def evidence_path(self) -> Path:
        """Where it lies."""
        return self.record_path


def verify(path: Path, output: Path | None = None, *, trusted_key: Path | None = None) -> Verification:
    """Check an output against its evidence; ``path`` is either of the two, the other is looked for beside it.

    ``trusted_key`` is a PEM file with the public key of the expected signer; evidence without a signature of
    that key is then not ok. Raises EvidenceError where evidence or output are missing or unreadable.
    """
    if path.name.endswith(SUFFIX):
        evidence_file = path
    else:
        evidence_file, output = _evidence_of(path), output or path
    return Verification.against(EVIDENCE.read(evidence_file), evidence_file, output, trusted_key)


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
