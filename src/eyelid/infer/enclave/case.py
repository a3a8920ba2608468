"""One appraisal under way: what is asked, and what an authentic answer gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from eyelid.infer.enclave.appraisal import Claims
    from eyelid.infer.enclave.collateral import Collateral
    from eyelid.infer.enclave.evidence import Evidence
    from eyelid.infer.enclave.policy_file import Policy
    from eyelid.infer.enclave.roots import PinnedRoot
    from eyelid.infer.enclave.tpm_credential import Credential


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a verifier itself drew: a nonce, and for a TPM the credential whose secret must come back."""

    nonce: bytes | None = None
    credential: Credential | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """All that an appraisal looks at."""

    evidence: Evidence
    policy: Policy
    collateral: Collateral
    at: datetime
    challenge: Challenge

    @property
    def roots(self) -> tuple[PinnedRoot, ...]:
        """The roots that the policy pins for this kind."""
        return self.policy.roots[self.evidence.kind]

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """The certificates that came with the evidence, and those of the collateral (DER)."""
        return (*self.evidence.certificates, *self.collateral.certificates)


@dataclass(frozen=True, slots=True)
class Authentic:
    """What authentic evidence says; ``signed`` is the field that answers the verifier."""

    claims: Claims
    root: PinnedRoot
    signed: bytes
