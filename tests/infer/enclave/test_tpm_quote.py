"""Quotes of a TPM: each thing that an attacker may change is refused by the check that is meant for it."""

from dataclasses import replace
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelid.errors import AttestationError
from eyelid.infer.enclave.appraisal import Appraisal
from eyelid.infer.enclave.case import Challenge
from eyelid.infer.enclave.evidence import Assurance, Evidence, Kind, workload_pcr
from eyelid.infer.enclave.policy_file import Policy
from eyelid.infer.enclave.tpm_credential import make_credential
from eyelid.infer.enclave.tpm_structures import pcr_policy
from eyelid.infer.enclave.verify import verify
from tests.infer.enclave.forge import tpm
from tests.infer.enclave.forge.pki import NOW, issue, p256, rsa2048
from tests.infer.enclave.forge.policies import policy

ALLOWED = {"manifests": [tpm.MANIFEST.hex()], "max_age": 60}
BOUND = tpm.Forge().bound()


def appraise(
    evidence: Evidence, challenge: Challenge | None = None, rules: Policy | None = None
) -> Appraisal:
    rules = policy(Kind.TPM, top=ALLOWED) if rules is None else rules
    return verify(evidence, rules, at=NOW, challenge=BOUND.challenge() if challenge is None else challenge)


def failed(appraisal: Appraisal) -> list[str]:
    assert not appraisal.passed
    assert appraisal.assurance is Assurance.NONE
    return [check.name for check in appraisal.failures]


def forged(**changes: Any) -> Appraisal:
    """Appraise what a TPM would say with these changes."""
    forge = replace(BOUND, **changes)
    return appraise(forge.evidence(), forge.challenge())


def test_both_kinds_of_attestation_key_pass() -> None:
    assert forged().passed
    assert forged(ak_key=rsa2048()).passed


def test_an_attestation_key_that_was_not_activated_is_refused() -> None:
    sound = BOUND.evidence()
    assert failed(appraise(sound, Challenge(tpm.NONCE))) == ["activation"]
    assert failed(appraise(BOUND.evidence(activation=None))) == ["activation"]
    assert failed(appraise(BOUND.evidence(activation=bytes(32)))) == ["activation"]
    other = replace(BOUND, ak_key=p256())
    assert failed(appraise(other.evidence(), BOUND.challenge())) == ["activation"]


def test_an_attestation_key_that_the_policy_lists_was_activated_before() -> None:
    listed = policy(Kind.TPM, top=ALLOWED, aks=[tpm.name_of(BOUND.ak).hex()])
    assert appraise(BOUND.evidence(activation=None), Challenge(tpm.NONCE), listed).passed
    other = policy(Kind.TPM, top=ALLOWED, aks=["000b" + "00" * 32])
    assert failed(appraise(BOUND.evidence(), Challenge(tpm.NONCE), other)) == ["activation"]


def test_an_endorsement_key_of_another_maker_is_refused() -> None:
    other = tpm.endorsement(issue("TPM maker", p256()))
    assert failed(appraise(BOUND.evidence(ek=other), BOUND.challenge(ek=other))) == ["certificate-chain"]
    swapped = tpm.endorsement(tpm.authorities()[0])
    assert failed(appraise(BOUND.evidence(ek=swapped))) == ["activation"]
    tls = tpm.endorsement(tpm.authorities()[0], purpose=ExtendedKeyUsageOID.SERVER_AUTH)
    assert failed(appraise(BOUND.evidence(ek=tls), BOUND.challenge(ek=tls))) == ["certificate-chain"]


def test_a_program_is_never_called_hardware() -> None:
    rules = policy(Kind.TPM, top=ALLOWED)
    (root,) = rules.roots[Kind.TPM]
    hardware = replace(rules, roots={Kind.TPM: (replace(root, assurance=Assurance.HARDWARE_TPM),)})
    assert failed(appraise(BOUND.evidence(), rules=hardware)) == ["certificate-chain"]
    chip = tpm.endorsement(tpm.authorities()[0], model="SLB9672")
    verdict = appraise(BOUND.evidence(ek=chip), BOUND.challenge(ek=chip), hardware)
    assert verdict.passed
    assert verdict.assurance is Assurance.HARDWARE_TPM


@pytest.mark.parametrize(
    "attributes",
    [
        tpm.AK & ~tpm.RESTRICTED,
        tpm.AK & ~tpm.SIGN,
        tpm.AK | tpm.DECRYPT,
        tpm.AK & ~(1 << 1),
        tpm.AK & ~(1 << 4),
        tpm.AK & ~(1 << 5),
    ],
)
def test_an_attestation_key_that_signs_anything_or_may_leave_is_refused(attributes: int) -> None:
    assert failed(forged(ak_attributes=attributes)) == ["activation"]


def test_a_statement_that_no_tpm_made_is_refused() -> None:
    verdict = forged(magic=0xFF544348)
    assert failed(verdict) == ["format"]
    assert "TPM_GENERATED" in verdict.failures[0].reason


def test_pcr_values_that_the_quote_does_not_cover_are_refused() -> None:
    evidence = BOUND.evidence()
    for pcrs in ({11: bytes(32)}, {}, {11: BOUND.pcrs[11], 12: bytes(32)}, {12: BOUND.pcrs[11]}):
        assert failed(appraise(BOUND.evidence(pcrs=pcrs))) == ["pcrs"]
    assert evidence.tpm is not None
    assert appraise(evidence).passed


@pytest.mark.parametrize(
    "value", [bytes(32), workload_pcr(b"\x00" * 32), workload_pcr(tpm.MANIFEST, b"\x01" * 32)]
)
def test_another_measured_state_is_refused(value: bytes) -> None:
    assert failed(forged(pcrs={11: value})) == ["workload"]


def test_a_state_that_was_not_capped_is_refused() -> None:
    import hashlib

    assert failed(forged(pcrs={11: hashlib.sha256(bytes(32) + tpm.MANIFEST).digest()})) == ["workload"]


def test_what_the_boot_measured_before_is_for_the_policy_to_say() -> None:
    before = b"\x01" * 32
    forge = replace(BOUND, pcrs={11: workload_pcr(tpm.MANIFEST, before)})
    rules = policy(Kind.TPM, top=ALLOWED, workload_pcr_before=before.hex())
    assert appraise(forge.evidence(), forge.challenge(), rules).passed


def test_further_pcrs_must_be_quoted_and_listed() -> None:
    rules = policy(Kind.TPM, top=ALLOWED, pcrs={"7": ["77" * 32]})
    assert failed(appraise(BOUND.evidence(), rules=rules)) == ["measurement"]
    for value, passes in ((b"\x77" * 32, True), (b"\x78" * 32, False)):
        forge = replace(BOUND, pcrs={**BOUND.pcrs, 7: value})
        assert appraise(forge.evidence(), forge.challenge(), rules).passed is passes


def test_a_quote_that_nothing_is_compared_with_is_refused() -> None:
    forge = tpm.Forge()
    assert failed(appraise(forge.evidence(), forge.challenge(), policy(Kind.TPM))) == ["measurement"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"key_attributes": tpm.ECDH | tpm.WITH_AUTH}, "without its policy"),
        ({"key_attributes": tpm.ECDH | tpm.SIGN}, "more than key agreement"),
        ({"key_attributes": tpm.ECDH & ~(1 << 1)}, "can leave the TPM"),
        ({"key_attributes": tpm.ECDH & ~tpm.DECRYPT}, "does not decrypt"),
        ({"key_policy": b""}, "not bound to the value of PCR 11"),
        ({"key_policy": pcr_policy(11, bytes(32))}, "not bound to the value of PCR 11"),
        ({"key_policy": pcr_policy(16, BOUND.pcrs[11])}, "not bound to the value of PCR 11"),
        ({"key_extra": bytes(32)}, "under another nonce"),
        ({"key": p256()}, "not the one that the evidence is bound to"),
    ],
)
def test_a_key_that_is_not_bound_to_the_state_is_refused(changes: dict[str, Any], reason: str) -> None:
    verdict = forged(**changes)
    assert failed(verdict) == ["key"]
    assert reason in verdict.failures[0].reason


def test_a_key_that_the_tpm_does_not_vouch_for_is_refused() -> None:
    other = replace(BOUND, key=p256()).evidence().tpm
    assert other is not None
    assert failed(appraise(BOUND.evidence(key=None))) == ["key"]
    assert failed(
        appraise(BOUND.evidence(key_attest=other.key_attest, key_signature=other.key_signature))
    ) == ["key"]
    stranger = replace(BOUND, ak_key=p256()).evidence().tpm
    assert stranger is not None
    assert failed(appraise(BOUND.evidence(key_signature=stranger.key_signature))) == ["signature"]
    assert failed(appraise(BOUND.evidence(signature=stranger.signature))) == ["signature"]


PARTS = ("signature", "ak", "ek_certificate", "key", "key_attest", "key_signature", "activation")


@pytest.mark.parametrize("part", PARTS)
def test_every_byte_of_every_part_counts(part: str) -> None:
    evidence = BOUND.evidence()
    assert evidence.tpm is not None
    content: bytes = getattr(evidence.tpm, part)
    rules = policy(Kind.TPM, top=ALLOWED)
    accepted = []
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 1 << position % 8
        parts = evidence.tpm.model_copy(update={part: bytes(changed)})
        if appraise(evidence.model_copy(update={"tpm": parts}), rules=rules).passed:
            accepted.append(position)
    assert accepted == []


@settings(max_examples=150, deadline=None)
@given(part=st.sampled_from(PARTS[:-1]), data=st.data())
def test_garbage_in_any_part_is_refused_without_a_traceback(part: str, data: st.DataObject) -> None:
    evidence = BOUND.evidence()
    assert evidence.tpm is not None
    real: bytes = getattr(evidence.tpm, part)
    cut = data.draw(st.integers(1, len(real)))
    noise = data.draw(st.binary(min_size=1, max_size=60))
    changed = data.draw(st.sampled_from([noise, real[:cut], real + noise, real[:cut] + noise + real[cut:]]))
    if changed != real:
        parts = evidence.tpm.model_copy(update={part: changed})
        failed(appraise(evidence.model_copy(update={"tpm": parts})))


def test_a_credential_is_for_keys_that_tpms_have() -> None:
    root, ek = tpm.authorities()
    made = make_credential(ek.der, BOUND.ak)
    again = make_credential(ek.der, BOUND.ak)
    assert made.ak_name == tpm.name_of(BOUND.ak)
    assert made.secret != again.secret
    assert made.blob != again.blob
    assert make_credential(root.der, BOUND.ak).secret
    long = issue("unknown", rsa2048(), authority=False, extensions=[])
    for certificate, ak in ((b"x", BOUND.ak), (long.der, b"x"), (long.der, BOUND.ak[:-1])):
        with pytest.raises(AttestationError, match="no credential can be made"):
            make_credential(certificate, ak)
    from cryptography.hazmat.primitives.asymmetric import rsa

    odd = issue("unknown", rsa.generate_private_key(65537, 3072), authority=False)
    with pytest.raises(AttestationError, match="not supported"):
        make_credential(odd.der, BOUND.ak)
