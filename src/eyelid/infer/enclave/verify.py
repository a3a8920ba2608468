"""Appraises evidence of any kind against a policy, at a stated time, without a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from eyelid.infer.enclave.appraisal import Appraisal
    from eyelid.infer.enclave.evidence import Evidence
    from eyelid.infer.enclave.policy_file import Policy
    from eyelid.infer.enclave.tpm_credential import Credential


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a verifier itself drew: a nonce, and for a TPM the credential whose secret must come back."""

    nonce: bytes | None = None
    credential: Credential | None = None


def verify(
    evidence: Evidence,
    policy: Policy,
    *,
    at: datetime | None = None,
    collateral: Path | None = None,
    challenge: Challenge | None = None,
) -> Appraisal:
    """Appraise evidence; what is wrong with it is a failed check in the result, never an exception.

    ``at`` is the appraisal time (the policy's, else now), ``collateral`` a folder or file in place of the
    policy's. Raises UsageError where a library for this kind of evidence is not installed.
    """
    raise NotImplementedError
