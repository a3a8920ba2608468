"""What a verifier says about evidence: each check with its reason, the claims, and one verdict."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AwareDatetime, Field, StringConstraints, computed_field

from eyelid.errors import AttestationError
from eyelid.infer.enclave.evidence import Assurance, Kind, Record

SCHEMA: Final = "eyelid-appraisal/1"
Hex: TypeAlias = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{2})*$")]
Sha256: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Check(Record):
    """One thing that was looked at; ``reason`` says what was found, in one sentence, pass or fail."""

    name: str
    passed: bool
    reason: str


class Claims(Record):
    """What authentic evidence says, after the names of the Entity Attestation Token (RFC 9711).

    ``measurements`` has the names of the platform (mr_td, rtmr0, pcr0, ...). ``eat_nonce`` is what the report
    holds for the verifier: its report data, nonce or qualifying data. ``tcb`` are security version numbers.
    ``not_after`` is when the first of certificates and collateral runs out.
    """

    eat_profile: Literal["urn:eyelid:claims:1"] = "urn:eyelid:claims:1"
    kind: Kind
    eat_nonce: Hex
    measurements: dict[str, Hex]
    dbgstat: Literal["enabled", "disabled"] | None = None
    hwmodel: str | None = None
    ueid: Hex | None = None
    vmpl: int | None = None
    tcb: dict[str, int] | None = None
    tcb_status: str | None = None
    advisories: tuple[str, ...] = ()
    iat: AwareDatetime | None = None
    not_after: AwareDatetime | None = None
    root: Sha256


class Appraisal(Record):
    """The verdict on one piece of evidence: it passes only when every check does.

    ``claims`` is None unless the evidence is authentic: what nobody signed is not repeated. ``key`` is the
    HPKE public key that the evidence is bound to, None unless all checks pass. ``evidence`` and ``policy``
    are SHA-256 of what was appraised and of the policy file.
    """

    version: Literal["eyelid-appraisal/1"] = Field(SCHEMA, alias="schema")
    kind: Kind
    evidence: Sha256
    policy: Sha256
    appraised_at: AwareDatetime
    appraised_now: bool
    assurance: Assurance
    checks: Annotated[tuple[Check, ...], Field(min_length=1)]
    claims: Claims | None = None
    key: Hex | None = None
    not_covered: tuple[str, ...] = ()

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)

    def attested_key(self) -> bytes:
        """Return the public key to encrypt to; raises AttestationError unless all checks pass now."""
        if not self.passed:
            raise AttestationError(f"the evidence is refused: {'; '.join(c.reason for c in self.failures)}")
        if not self.appraised_now:
            raise AttestationError(
                f"the evidence was appraised as of {self.appraised_at:%Y-%m-%dT%H:%MZ}, not now, so nothing "
                "can be sent on its strength; leave 'at' out of the policy"
            )
        if self.key is None:
            raise AttestationError("the evidence is sound, but bound to no key, so nothing can be sent to it")
        return bytes.fromhex(self.key)
