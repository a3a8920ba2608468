"""Appraises evidence of any kind against a policy, at a stated time, without a network."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from eyelid.errors import UsageError
from eyelid.infer.enclave import freshness, nitro, sgx_tdx, snp, tpm_quote
from eyelid.infer.enclave.appraisal import Appraisal
from eyelid.infer.enclave.case import Authentic, Case
from eyelid.infer.enclave.case import Challenge as Challenge
from eyelid.infer.enclave.collateral import Collateral, read_collateral
from eyelid.infer.enclave.evidence import Assurance, Kind
from eyelid.infer.enclave.findings import Findings, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from eyelid.infer.enclave.evidence import Evidence
    from eyelid.infer.enclave.policy_file import Policy

NOT_COVERED: Final = {
    Kind.SEV_SNP: (
        "side channels and attacks on the hardware",
        "revocation of AMD's certificates, where its list is not among the collateral",
        "what the measured image does with the picture: read its source",
    ),
    Kind.TDX: (
        "side channels and attacks on the hardware",
        "what the measured image does with the picture: read its source",
    ),
    Kind.SGX: (
        "side channels and attacks on the hardware",
        "what the measured enclave does with the picture: read its source",
    ),
    Kind.NITRO: (
        "AWS itself, whose hypervisor is the root of trust",
        "revocation of AWS's certificates, which live for hours",
        "what the measured image does with the picture: read its source",
    ),
    Kind.TPM: (
        "a TPM is not an enclave: whoever is root on the host reads memory and the picture in it",
        "what ran before the manifest was measured, unless the policy lists those PCRs",
        "revocation of the TPM's certificates",
    ),
}


def verify(
    evidence: Evidence,
    policy: Policy,
    *,
    at: datetime | None = None,
    collateral: Path | None = None,
    challenge: Challenge | None = None,
) -> Appraisal:
    """Appraise evidence; what is wrong with it is a failed check in the result, never an exception.

    ``at`` is the appraisal time (else the policy's, else now), ``collateral`` a folder or file in place of
    the policy's. Raises UsageError where a library for this kind of evidence is not installed or ``at`` has
    no zone, InputError where the collateral can't be read.
    """
    fixed = at if at is not None else policy.settings.at
    if fixed is not None and fixed.tzinfo is None:
        raise UsageError("the appraisal time needs a time zone: 2026-01-31T12:00Z")
    time = fixed if fixed is not None else datetime.now(UTC)
    path = collateral if collateral is not None else policy.collateral
    held = Collateral() if path is None else read_collateral(path)
    found = Findings()
    authentic = None
    try:
        authentic = _examine(Case(evidence, policy, held, time, challenge or Challenge()), found)
    except Refused as refused:
        found.checks.append(refused.check)
    passed = authentic is not None and all(check.passed for check in found.checks)
    return Appraisal(
        kind=evidence.kind,
        evidence=hashlib.sha256(evidence.report).hexdigest(),
        policy=policy.sha256,
        appraised_at=time.astimezone(UTC),
        appraised_now=fixed is None,
        assurance=authentic.root.assurance if passed and authentic else Assurance.NONE,
        checks=tuple(found.checks),
        claims=authentic.claims if authentic else None,
        key=evidence.binding.key.hex() if passed and evidence.binding is not None else None,
        not_covered=(*policy.unjudged, *NOT_COVERED[evidence.kind], *_own_root(authentic)),
    )


def _own_root(authentic: Authentic | None) -> tuple[str, ...]:
    """Say that eyelid does not know a root, for then the policy alone makes it one."""
    if authentic is None or authentic.root.shipped:
        return ()
    return (f"whose root {authentic.root.name} is: the policy pins it, eyelid does not ship it",)


def _examine(case: Case, found: Findings) -> Authentic:
    """Run all checks; raises Refused once nothing further can be trusted."""
    kind, settings, binding = case.evidence.kind, case.policy.settings, case.evidence.binding
    if kind not in case.policy.roots:
        raise Refused("kind", f"the policy has no section [{kind.value}], so it accepts no such evidence")
    authentic = _EXAMINE[kind](case, found)
    nonce = case.challenge.nonce
    if binding is None:
        freshness.check_nonce(found, authentic.signed, nonce, settings)
    else:
        freshness.check_binding(found, kind, authentic.signed, binding, nonce, settings)
    freshness.check_manifest(found, binding, settings)
    made = authentic.claims.iat
    freshness.check_age(found, binding, made, case.at, settings, fresh=nonce is not None)
    return authentic


_EXAMINE: Final[Mapping[Kind, Callable[[Case, Findings], Authentic]]] = {
    Kind.SEV_SNP: snp.examine,
    Kind.TDX: sgx_tdx.examine,
    Kind.SGX: sgx_tdx.examine,
    Kind.NITRO: nitro.examine,
    Kind.TPM: tpm_quote.examine,
}
