"""SEV-SNP reports of our own chips: what the policy refuses, and what is no report."""

import struct
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from eyelid.errors import InputError
from eyelid.infer.enclave.appraisal import Appraisal
from eyelid.infer.enclave.case import Challenge
from eyelid.infer.enclave.evidence import Evidence, Kind
from eyelid.infer.enclave.verify import verify
from tests.infer.enclave.forge import amd
from tests.infer.enclave.forge.pki import BEGIN, NOW, Party, issue, rsa2048
from tests.infer.enclave.forge.policies import policy

NONCE = bytes(32)
CHIP = b"\x01" * 64


def appraise(evidence: Evidence, collateral: Path | None = None, **section: Any) -> Appraisal:
    rules = policy(Kind.SEV_SNP, **section)
    return verify(evidence, rules, at=NOW, collateral=collateral, challenge=Challenge(NONCE))


def failed(appraisal: Appraisal) -> list[str]:
    return [check.name for check in appraisal.failures]


def report(
    *, chip: bytes = CHIP, tcb: dict[str, int] = amd.TCB, own: Party | None = None, **fields: Any
) -> Evidence:
    """Return a report of a chip with a certificate at a firmware level."""
    ark, ask = amd.authorities()
    own = own or amd.vcek(ask, chip, tcb)
    data = amd.report(own, chip, **fields)
    return Evidence(kind=Kind.SEV_SNP, report=data, certificates=(own.der, ask.der, ark.der))


@pytest.mark.parametrize(
    ("fields", "setting", "check"),
    [
        ({"policy": amd.SMT | amd.RESERVED | amd.DEBUG}, {"debug": True}, "debug"),
        ({"policy": amd.SMT | amd.RESERVED | amd.MIGRATION}, {"migration": True}, "migration"),
        ({"vmpl": 2}, {"vmpl": [0, 2]}, "vmpl"),
        ({}, {}, None),
        ({"version": 3}, {}, None),
        ({"version": 5}, {}, None),
    ],
)
def test_what_the_policy_refuses_it_may_accept(
    fields: dict[str, Any], setting: dict[str, Any], check: str | None
) -> None:
    assert failed(appraise(report(**fields))) == ([] if check is None else [check])
    assert appraise(report(**fields), **setting).passed


@pytest.mark.parametrize("part", list(amd.TCB))
def test_each_part_of_the_firmware_has_its_least_version(part: str) -> None:
    least = amd.TCB | {part: amd.TCB[part] + 1}
    verdict = appraise(report(), min_tcb=least)
    assert failed(verdict) == ["tcb"]
    assert verdict.failures[0].reason == f"firmware too old: {part} {amd.TCB[part]} < {least[part]}"


def test_another_measurement_is_refused() -> None:
    assert failed(appraise(report(), measurements=["00" * 48])) == ["measurement"]
    assert appraise(report(), measurements="any").passed
    assert appraise(report(), measurements=["00" * 48, amd.MEASUREMENT.hex().upper()]).passed


def test_a_turin_chip_has_its_own_layout() -> None:
    _, ask = amd.authorities()
    chip, tcb = b"\x02" * 8, {"fmc": 9, "bootloader": 1, "tee": 2, "snp": 3, "microcode": 7}
    own = amd.vcek(ask, chip, tcb, product="Turin")
    packed = struct.pack("<BBBB3xB", 9, 1, 2, 3, 7)
    evidence = report(chip=chip, own=own, tcb_bytes=packed)
    assert appraise(evidence, min_tcb=tcb).passed
    assert failed(appraise(evidence, min_tcb=tcb | {"fmc": 10})) == ["tcb"]
    assert failed(appraise(report(chip=chip, own=own))) == ["collateral"]


def test_a_certificate_of_another_firmware_or_chip_is_refused() -> None:
    verdict = appraise(report(tcb=amd.TCB | {"snp": 9}))
    assert failed(verdict) == ["collateral"]
    assert "another firmware" in verdict.failures[0].reason
    _, ask = amd.authorities()
    verdict = appraise(report(own=amd.vcek(ask, b"\x03" * 64, amd.TCB)))
    assert failed(verdict) == ["collateral"]
    assert "no VCEK for chip 0101" in verdict.failures[0].reason


@pytest.mark.parametrize(
    ("fields", "check", "reason"),
    [
        ({"key_info": 1 << 2}, "collateral", "no VLEK"),
        ({"key_info": 7 << 2}, "certificate-chain", "neither a VCEK nor a VLEK"),
        ({"chip": bytes(64)}, "certificate-chain", "masks the chip's identity"),
    ],
)
def test_reports_without_the_key_of_one_chip_are_refused(
    fields: dict[str, Any], check: str, reason: str
) -> None:
    verdict = appraise(report(**fields))
    assert failed(verdict) == [check]
    assert reason in verdict.failures[0].reason


def test_another_chip_of_the_same_maker_can_not_sign() -> None:
    ark, ask = amd.authorities()
    own, other = (amd.vcek(ask, CHIP, amd.TCB) for _ in range(2))
    evidence = Evidence(
        kind=Kind.SEV_SNP, report=amd.report(other, CHIP), certificates=(own.der, ask.der, ark.der)
    )
    assert failed(appraise(evidence)) == ["signature"]


def test_an_intermediate_of_another_root_or_none_is_refused() -> None:
    ark, ask = amd.authorities()
    false_ark = issue("ARK-Milan", rsa2048(), pss=True)
    false_ask = issue("SEV-Milan", rsa2048(), false_ark, path_length=0, pss=True)
    own = amd.vcek(false_ask, CHIP, amd.TCB)
    data = amd.report(own, CHIP)
    for certificates in ((own.der, false_ask.der, false_ark.der), (own.der, ask.der, ark.der), (own.der,)):
        evidence = Evidence(kind=Kind.SEV_SNP, report=data, certificates=certificates)
        assert failed(appraise(evidence)) == ["certificate-chain"]


def test_an_intermediate_that_may_not_issue_is_refused() -> None:
    ark, _ = amd.authorities()
    leaf = issue("SEV-Milan", rsa2048(), ark, authority=False, pss=True)
    own = amd.vcek(leaf, CHIP, amd.TCB)
    evidence = Evidence(
        kind=Kind.SEV_SNP, report=amd.report(own, CHIP), certificates=(own.der, leaf.der, ark.der)
    )
    verdict = appraise(evidence)
    assert failed(verdict) == ["certificate-chain"]
    assert "may not issue" in verdict.failures[0].reason


def test_a_chip_certificate_that_ended_is_refused() -> None:
    _, ask = amd.authorities()
    verdict = appraise(report(own=amd.vcek(ask, CHIP, amd.TCB, end=NOW.replace(day=1, hour=1), begin=BEGIN)))
    assert failed(verdict) == ["certificate-chain"]
    assert "the VCEK holds from 2026-01-01T00:00Z to 2026-06-01T01:00Z" in verdict.failures[0].reason


def test_certificates_may_lie_in_a_folder(tmp_path: Path) -> None:
    ark, ask = amd.authorities()
    own = amd.vcek(ask, CHIP, amd.TCB)
    evidence = Evidence(kind=Kind.SEV_SNP, report=amd.report(own, CHIP))
    assert failed(appraise(evidence)) == ["collateral"]
    (tmp_path / "vcek.der").write_bytes(own.der)
    (tmp_path / "chain.pem").write_text(ask.pem + ark.pem)
    (tmp_path / "notes.txt").write_text("not a certificate")
    assert appraise(evidence, tmp_path).passed


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (0, 1, "version 1"),
        (0, 4, "version 4"),
        (0x34, 2, "signature algorithm 2"),
        (816, 1, "reserved bytes"),
        (1183, 1, "reserved bytes"),
    ],
)
def test_what_is_no_report_says_why(offset: int, value: int, reason: str) -> None:
    evidence = report()
    data = bytearray(evidence.report)
    data[offset] = value
    verdict = appraise(evidence.model_copy(update={"report": bytes(data)}))
    assert failed(verdict) == ["format"]
    assert reason in verdict.failures[0].reason
    for size in (1183, 1185):
        cut = (evidence.report + b"\0")[:size]
        assert f"not {size}" in appraise(evidence.model_copy(update={"report": cut})).failures[0].reason


def vlek_report(provider: str = "AWS", *, chip: bytes = bytes(64), **fields: Any) -> Evidence:
    """Return a report that a provider's key signed, under AMD's authority for those."""
    ark, _ = amd.authorities()
    asvk = issue("SEV-VLEK-Milan", rsa2048(), ark, path_length=0, pss=True)
    own = amd.vcek(asvk, b"", amd.TCB, provider=provider)
    data = amd.report(own, chip, key_info=1 << 2, **fields)
    return Evidence(kind=Kind.SEV_SNP, report=data, certificates=(own.der, asvk.der, ark.der))


def test_a_providers_key_is_accepted_only_of_providers_that_the_policy_names() -> None:
    for chip in (CHIP, bytes(64)):
        evidence = vlek_report(chip=chip)
        assert failed(appraise(evidence)) == ["provider"]
        assert failed(appraise(evidence, providers=["Elsewhere"])) == ["provider"]
        accepted = appraise(evidence, providers=["AWS"])
        assert accepted.passed
        assert accepted.claims is not None
        assert accepted.claims.ueid == chip.hex()
    assert any(check.name == "provider" and "AWS" in check.reason for check in accepted.checks)
    assert failed(appraise(vlek_report(tcb_bytes=bytes(8)), providers="any")) == ["collateral"]


def test_neither_kind_of_key_stands_for_the_other() -> None:
    ark, ask = amd.authorities()
    chips = amd.vcek(ask, CHIP, amd.TCB)
    for own, key_info in ((chips, 1 << 2), (amd.vcek(ask, b"", amd.TCB, provider="AWS"), 0), (chips, 7 << 2)):
        data = amd.report(own, CHIP, key_info=key_info)
        evidence = Evidence(kind=Kind.SEV_SNP, report=data, certificates=(own.der, ask.der, ark.der))
        assert not appraise(evidence, providers="any").passed
    unsigned = vlek_report()
    forged = unsigned.model_copy(update={"report": vlek_report().report})
    assert failed(appraise(forged, providers="any")) == ["signature"]


def test_a_revoked_authority_is_refused_and_a_missing_list_is_said(tmp_path: Path) -> None:
    ark, ask = amd.authorities()
    evidence = report()

    def write(name: str, encoding: Encoding, *lists: x509.CertificateRevocationList) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for number, one in enumerate(lists):
            (folder / f"{number}").write_bytes(one.public_bytes(encoding))
        return folder

    def said(appraisal: Appraisal) -> str:
        return next(check.reason for check in appraisal.checks if check.name == "revocation")

    none = write("none", Encoding.DER)
    assert appraise(evidence, none).passed
    assert said(appraise(evidence, none)).startswith("not checked")
    assert failed(appraise(evidence, none, revocation="required")) == ["revocation"]
    other = issue("SEV-Milan", rsa2048(), ark, path_length=0, pss=True)
    for name, encoding in (("DER", Encoding.DER), ("PEM", Encoding.PEM)):
        good = write(f"good {name}", encoding, amd.revocations(ark, other))
        accepted = appraise(evidence, good, revocation="required")
        assert accepted.passed
        assert said(accepted).startswith("not revoked")
        bad = write(f"bad {name}", encoding, amd.revocations(ark), amd.revocations(ark, ask))
        assert failed(appraise(evidence, bad)) == ["revocation"]
    old = write("old", Encoding.DER, amd.revocations(ark, ask, end=BEGIN + timedelta(days=1)))
    assert failed(appraise(evidence, old)) == ["revocation"]  # what was revoked stays so
    passed = write("passed", Encoding.DER, amd.revocations(ark, end=BEGIN + timedelta(days=1)))
    assert failed(appraise(evidence, passed, revocation="required")) == ["revocation"]
    impostor = issue("ARK-Milan", rsa2048(), pss=True)
    false = write("false", Encoding.DER, amd.revocations(impostor, ask))
    assert said(appraise(evidence, false)).startswith("not checked")  # nobody else can take it back
    assert failed(appraise(evidence, false, revocation="required")) == ["revocation"]


def test_a_damaged_revocation_list_is_an_error_of_whoever_keeps_it(tmp_path: Path) -> None:
    ark, _ = amd.authorities()
    content = amd.revocations(ark).public_bytes(Encoding.DER)
    (tmp_path / "ark.crl").write_bytes(content[:-9])
    with pytest.raises(InputError, match=r"ark\.crl is malformed"):
        appraise(report(), tmp_path)
