"""What an attester hands over: evidence of one kind, and the key and code that it is bound to."""

from __future__ import annotations

import hashlib
import struct
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

SCHEMA: Final = "eyelid-attestation/1"
LABEL: Final = b"eyelid-enclave-v1"
"""Begins everything that is hashed here, so that no hash of another protocol can stand for it."""
NONCE_BYTES: Final = 32
WORKLOAD_PCR: Final = 11
"""Where a TPM holds the manifest: a PCR that no locality of the operating system can reset."""
CAP: Final = hashlib.sha256(LABEL + b" cap").digest()
"""Extended last, so that the PCR can't come back to the measured state in this boot."""
PART_LIMIT: Final = 64 * 1024
"""The most bytes of any part of evidence; the largest real one is a TDX quote of about 5,000."""


def _between(least: int, most: int) -> AfterValidator:
    """Limit the bytes of a part; a limit in its field would be published as one of its base64."""

    def check(value: bytes) -> bytes:
        if not least <= len(value) <= most:
            raise ValueError(f"it has {len(value)} bytes, not {least} to {most}")
        return value

    return AfterValidator(check)


Part: TypeAlias = Annotated[bytes, _between(1, PART_LIMIT)]
Digest: TypeAlias = Annotated[bytes, _between(32, 32)]
PublicKey: TypeAlias = Annotated[bytes, _between(32, 2048)]
Secret: TypeAlias = Annotated[bytes, _between(0, 64)]
Seconds: TypeAlias = Annotated[int, Field(ge=0, lt=253_402_300_800)]
"""Since 1970, up to the year 9999."""
PcrIndex: TypeAlias = Annotated[int, Field(ge=0, le=23)]


class Kind(StrEnum):
    """Who signs the evidence."""

    SEV_SNP = "sev-snp"
    TDX = "tdx"
    SGX = "sgx"
    NITRO = "nitro"
    TPM = "tpm"


class Assurance(StrEnum):
    """What stands behind evidence that passed; NONE for evidence that did not."""

    TEE = "tee"
    HARDWARE_TPM = "hardware-tpm"
    SOFTWARE_TPM = "software-tpm"
    NONE = "none"


class Record(BaseModel):
    """Base of what is sent or printed: immutable, closed; bytes are base64 (URL alphabet) in JSON."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        ser_json_bytes="base64",
        val_json_bytes="base64",
    )


class Binding(Record):
    """What the evidence vouches for besides the machine: the code, the key, and for how long.

    ``manifest`` is the SHA-256 of the workload's manifest, ``key`` the HPKE public key in the form in which
    it is sent (X25519: 32 bytes; P-256: 65 bytes, uncompressed), ``issued`` and ``expires`` are whole seconds
    since 1970 in UTC.
    """

    manifest: Digest
    key: PublicKey
    issued: Seconds
    expires: Seconds

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.expires <= self.issued:
            raise ValueError("the key expires before it is issued")
        return self

    def report_data(self, nonce: bytes) -> bytes:
        """Return the 64 bytes that a TEE signs: SHA-512 over label, nonce, key, manifest and both times."""
        return hashlib.sha512(self._statement(nonce)).digest()

    def qualifying_data(self, nonce: bytes) -> bytes:
        """Return the 32 bytes that a TPM signs (its field is too short for 64): SHA-256 over the same."""
        return hashlib.sha256(self._statement(nonce)).digest()

    def _statement(self, nonce: bytes) -> bytes:
        if len(nonce) != NONCE_BYTES:
            raise ValueError(f"the nonce of bound evidence must have {NONCE_BYTES} bytes")
        key = hashlib.sha256(self.key).digest()
        return LABEL + nonce + key + self.manifest + struct.pack(">QQ", self.issued, self.expires)


class TpmParts(Record):
    """What a TPM's quote needs beside it; structures are laid out as in the TPM 2.0 library specification.

    ``signature`` is the TPMT_SIGNATURE over the quote, ``pcrs`` are the values of the SHA-256 bank that it
    covers, ``ak`` and ``key`` are TPMT_PUBLIC of the attestation key and of the policy-bound ECDH key,
    ``key_attest`` and ``key_signature`` are TPMS_ATTEST (certify) and TPMT_SIGNATURE by which the AK vouches
    for that key. ``activation`` is the secret that TPM2_ActivateCredential recovered from the verifier's
    credential.
    """

    signature: Part
    pcrs: dict[PcrIndex, Digest]
    ak: Part
    ek_certificate: Part
    key: Part | None = None
    key_attest: Part | None = None
    key_signature: Part | None = None
    activation: Secret | None = None


class Evidence(Record):
    """Evidence of one kind, as it stands in a file or goes over the wire as JSON.

    ``report`` is the signed part alone: an SNP report (1,184 bytes), a TDX or SGX quote, a Nitro document
    (COSE_Sign1), or a TPM's TPMS_ATTEST. ``certificates`` (DER) came with it and are trusted only as far as
    they chain to a root that the policy pins. Without ``binding`` the evidence vouches for the machine alone.
    """

    version: Literal["eyelid-attestation/1"] = Field(SCHEMA, alias="schema")
    kind: Kind
    report: Part
    certificates: Annotated[tuple[Part, ...], Field(max_length=16)] = ()
    tpm: TpmParts | None = None
    binding: Binding | None = None

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if (self.kind is Kind.TPM) != (self.tpm is not None):
            raise ValueError("evidence of kind tpm, and no other, has the part tpm")
        return self


def workload_pcr(manifest: bytes, before: bytes = bytes(32)) -> bytes:
    """Return the value of WORKLOAD_PCR once the manifest and then CAP have been extended into it."""
    for event in (manifest, CAP):
        before = hashlib.sha256(before + event).digest()
    return before


def utc(seconds: int) -> datetime:
    """Return a time from its seconds since 1970; raises ValueError beyond the year 9999."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError("a time is out of range") from error
