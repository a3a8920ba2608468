"""Real evidence: AMD SEV-SNP reports, Intel quotes, AWS Nitro documents, each with its exact verdict."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from eyelid.infer.enclave import chain
from eyelid.infer.enclave.appraisal import Appraisal
from eyelid.infer.enclave.collateral import read_collateral
from eyelid.infer.enclave.evidence import Assurance, Evidence, Kind
from eyelid.infer.enclave.findings import Refused
from eyelid.infer.enclave.policy import PolicyFile
from eyelid.infer.enclave.policy_file import Policy, make_policy
from eyelid.infer.enclave.roots import shipped_root
from eyelid.infer.enclave.verify import verify
from tests.cli.program import PROGRAM

pytestmark = pytest.mark.realdata

SUMMER = datetime(2025, 7, 1, 12, tzinfo=UTC)
"""Within the collateral of sgx_quote and tdx_quote."""
WINTER = datetime(2026, 2, 20, 12, tzinfo=UTC)
"""Within the collateral of tdx_quote_outdated."""
NITRO = datetime(2022, 10, 13, 9, tzinfo=UTC)
NITRO_DEBUG = datetime(2022, 10, 12, 14, tzinfo=UTC)
SGX_ADVISORIES = ("INTEL-SA-00289", "INTEL-SA-00615")
SGX_STATUS = "ConfigurationAndSWHardeningNeeded"
MRTD = "91eb2b44d141d4ece09f0c75c2c53d247a3c68edd7fafe8a3520c942a604a407de03ae6dc5f87f27428b2538873118b7"
MRENCLAVE = "33d8736db756ed4997e04ba358d27833188f1932ff7b1d156904d3f560452fbb"
MILAN = "b07af9620f3b839b47996422ddec6058338951d984e312115131ea82705eaf5b6bdf8a9ece31a5a608eb0cf2e4872b01"
MILAN_2 = "7a1e5c266c0108dbc9bb94fa926951320940915d0aafb42464bd88b579ea158d3e1a0dc39b2c60bd95b9c480cd81841f"
PCR0 = "f4d48b81a460c9916d1e685119074bf24660afd3e34fae9fca0a0d28d9d5599936332687e6f66fc890ac8cf150142d8b"
STRICT = {
    "schema": "eyelid-attestation-policy/1",
    "nonce": "any",
    "sev-snp": {
        "roots": ["amd-milan"],
        "measurements": [MILAN, MILAN_2],
        "min_tcb": {"bootloader": 2, "tee": 0, "snp": 5, "microcode": 68},
    },
    "sgx": {
        "roots": ["intel-sgx"],
        "mr_enclave": [MRENCLAVE],
        "statuses": [SGX_STATUS],
        "advisories": SGX_ADVISORIES,
    },
    "tdx": {"roots": ["intel-sgx"], "mr_td": [MRTD]},
    "nitro": {"roots": ["aws-nitro-g1"], "pcrs": {"0": [PCR0]}},
}


@pytest.fixture(scope="module")
def samples(data_dir: Path) -> Path:
    return data_dir / "attestation"


def policy(**changes: dict[str, object]) -> Policy:
    """Return the strict policy; a change is a section (sev_snp for sev-snp) and its settings."""
    content = {**STRICT}
    for section, settings in changes.items():
        name = section.replace("_", "-")
        content[name] = {**STRICT[name], **settings}  # type: ignore[dict-item]
    return make_policy(PolicyFile.model_validate(content), Path(), "0" * 64)


def appraise(
    file: Path,
    kind: Kind,
    at: datetime | None = None,
    collateral: Path | None = None,
    rules: Policy | None = None,
) -> Appraisal:
    evidence = Evidence(kind=kind, report=file.read_bytes())
    return verify(evidence, rules or policy(), at=at, collateral=collateral)


def failed(appraisal: Appraisal) -> list[str]:
    assert not appraisal.passed
    assert appraisal.assurance is Assurance.NONE
    assert appraisal.key is None
    return [check.name for check in appraisal.failures]


def test_an_sgx_quote_has_its_exact_status_and_advisories(samples: Path) -> None:
    verdict = appraise(samples / "dcap" / "sgx_quote", Kind.SGX, SUMMER, samples / "dcap")
    assert verdict.passed, verdict.failures
    assert verdict.assurance is Assurance.TEE
    assert not any("does not ship" in gap for gap in verdict.not_covered)
    assert verdict.claims is not None
    assert verdict.claims.tcb_status == SGX_STATUS
    assert verdict.claims.advisories == SGX_ADVISORIES
    assert verdict.claims.measurements["mr_enclave"] == MRENCLAVE
    assert bytes.fromhex(verdict.claims.eat_nonce).rstrip(b"\0") == b"Hello, world!"


def test_a_status_or_advisory_that_is_not_listed_is_refused(samples: Path) -> None:
    changes: list[tuple[dict[str, object], str]] = [
        ({"statuses": ["UpToDate"]}, "tcb"),
        ({"advisories": SGX_ADVISORIES[:1]}, "advisories"),
    ]
    for change, check in changes:
        rules = policy(sgx=change)
        verdict = appraise(samples / "dcap" / "sgx_quote", Kind.SGX, SUMMER, samples / "dcap", rules)
        assert failed(verdict) == [check]


def test_a_tdx_quote_is_up_to_date_without_advisories(samples: Path) -> None:
    verdict = appraise(samples / "dcap" / "tdx_quote", Kind.TDX, SUMMER, samples / "dcap")
    assert verdict.passed, verdict.failures
    assert verdict.claims is not None
    assert verdict.claims.tcb_status == "UpToDate"
    assert verdict.claims.advisories == ()
    assert verdict.claims.measurements["mr_td"] == MRTD
    assert verdict.claims.dbgstat == "disabled"


def test_an_outdated_tdx_quote_is_refused(samples: Path) -> None:
    quote = samples / "dcap" / "tdx_quote_outdated"
    rules = policy(tdx={"mr_td": "any", "statuses": ["UpToDate", "OutOfDate", "SWHardeningNeeded"]})
    verdict = appraise(quote, Kind.TDX, WINTER, samples / "dcap", rules)
    assert failed(verdict) == ["tcb"]
    assert "No matching TCB level" in verdict.failures[0].reason


@pytest.mark.parametrize("at", [None, datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 8, 1, tzinfo=UTC)])
@pytest.mark.parametrize(("quote", "kind"), [("sgx_quote", Kind.SGX), ("tdx_quote", Kind.TDX)])
def test_collateral_that_does_not_hold_at_the_time_is_refused(
    samples: Path, quote: str, kind: Kind, at: datetime | None
) -> None:
    verdict = appraise(samples / "dcap" / quote, kind, at, samples / "dcap")
    assert failed(verdict) == ["collateral"]
    assert "not at the appraisal time" in verdict.failures[0].reason


def test_collateral_of_another_platform_or_none_is_refused(samples: Path, tmp_path: Path) -> None:
    for held in (samples / "dcap" / "sgx_quote_collateral.json", tmp_path):
        verdict = appraise(samples / "dcap" / "tdx_quote", Kind.TDX, SUMMER, held)
        assert failed(verdict) == ["collateral"]
        assert "no collateral for TDX platform" in verdict.failures[0].reason


def test_collateral_that_claims_another_platform_is_refused(samples: Path, tmp_path: Path) -> None:
    content = json.loads((samples / "dcap" / "tdx_quote_outdated_collateral.json").read_text())
    content["tcb_info"] = content["tcb_info"].replace("90C06F000000", "B0C06F000000")
    (tmp_path / "forged.json").write_text(json.dumps(content))
    verdict = appraise(samples / "dcap" / "tdx_quote", Kind.TDX, WINTER, tmp_path)
    assert failed(verdict) == ["signature"]


def test_a_nitro_document_holds_at_its_time_only(samples: Path) -> None:
    document = samples / "nitro" / "valid-attestation-doc-bytes"
    verdict = appraise(document, Kind.NITRO, NITRO)
    assert verdict.passed, verdict.failures
    assert verdict.claims is not None
    assert verdict.claims.measurements["pcr0"] == PCR0
    assert failed(appraise(document, Kind.NITRO)) == ["certificate-chain"]
    other = policy(nitro={"pcrs": {"0": [PCR0], "1": ["aa" * 48]}})
    assert failed(appraise(document, Kind.NITRO, NITRO, rules=other)) == ["measurement"]


def test_a_nitro_document_of_a_debug_enclave_is_refused(samples: Path) -> None:
    document = samples / "nitro" / "debug-mode-attestation-doc-bytes"
    rules = policy(nitro={"pcrs": "any"})
    assert failed(appraise(document, Kind.NITRO, NITRO_DEBUG, rules=rules)) == ["debug"]
    accepts = policy(nitro={"pcrs": "any", "debug": True})
    assert appraise(document, Kind.NITRO, NITRO_DEBUG, rules=accepts).passed


def test_a_nonce_is_compared(samples: Path) -> None:
    document = samples / "nitro" / "valid-attestation-doc-bytes"
    content = {**STRICT, "nonce": "00" * 32}
    rules = make_policy(PolicyFile.model_validate(content), Path(), "0" * 64)
    assert failed(appraise(document, Kind.NITRO, NITRO, rules=rules)) == ["nonce"]


def test_an_snp_report_of_a_guest_with_debugging_is_refused_today(samples: Path) -> None:
    verdict = appraise(samples / "snp" / "attestation.bin", Kind.SEV_SNP, None, samples / "snp")
    assert failed(verdict) == ["debug"]
    accepts = policy(sev_snp={"debug": True})
    verdict = appraise(samples / "snp" / "attestation.bin", Kind.SEV_SNP, None, samples / "snp", accepts)
    assert verdict.passed, verdict.failures
    assert verdict.claims is not None
    assert verdict.claims.hwmodel == "Milan-B0"
    assert verdict.claims.measurements["measurement"] == MILAN
    assert verdict.claims.tcb == {"bootloader": 2, "tee": 0, "snp": 5, "microcode": 68}
    assert verdict.claims.dbgstat == "enabled"


def test_an_snp_report_passes_today(samples: Path, tmp_path: Path) -> None:
    hexadecimal = samples / "snp" / "virtee_report_milan.hex"
    if not hexadecimal.exists():
        pytest.skip(
            f"{hexadecimal.name} (virtee/sev, tests/certs_data/report_milan.hex) is not among the data"
        )
    report = tmp_path / "report.bin"
    report.write_bytes(bytes.fromhex(hexadecimal.read_text().strip()))
    verdict = appraise(report, Kind.SEV_SNP, None, samples / "snp")
    assert verdict.passed, verdict.failures
    assert verdict.claims is not None
    assert verdict.claims.measurements["measurement"] == MILAN_2


def test_firmware_below_the_least_is_refused(samples: Path) -> None:
    least = {"bootloader": 3, "tee": 0, "snp": 8, "microcode": 115}
    rules = policy(sev_snp={"debug": True, "min_tcb": least})
    verdict = appraise(samples / "snp" / "attestation.bin", Kind.SEV_SNP, None, samples / "snp", rules)
    assert failed(verdict) == ["tcb"]
    assert "bootloader 2 < 3, snp 5 < 8, microcode 68 < 115" in verdict.failures[0].reason


def test_a_vcek_of_another_chip_or_root_is_refused(samples: Path) -> None:
    report = samples / "snp" / "attestation.bin"
    other = samples / "snp" / "virtee_vcek_milan.der"
    assert failed(appraise(report, Kind.SEV_SNP, None, other)) == ["collateral"]
    genoa = policy(sev_snp={"roots": ["amd-genoa"]})
    assert failed(appraise(report, Kind.SEV_SNP, None, samples / "snp", genoa)) == ["certificate-chain"]


def accepted_flips(file: Path, positions: range, check: Callable[[bytes], Appraisal]) -> list[int]:
    """Return the positions where a changed byte goes unnoticed; each is changed in one of its bits."""
    content = file.read_bytes()
    found = []
    for position in positions:
        changed = bytearray(content)
        changed[position] ^= 1 << position % 8
        if check(bytes(changed)).passed:
            found.append(position)
    return found


def test_every_byte_of_an_snp_report_counts(samples: Path) -> None:
    rules = policy(
        sev_snp={
            "debug": True,
            "measurements": "any",
            "min_tcb": "any",
            "migration": True,
            "vmpl": [0, 1, 2, 3],
        }
    )
    vcek = samples / "snp" / "vcek.testcer"
    file = samples / "snp" / "attestation.bin"

    def check(report: bytes) -> Appraisal:
        return verify(Evidence(kind=Kind.SEV_SNP, report=report), rules, collateral=vcek)

    assert check(file.read_bytes()).passed
    assert file.stat().st_size == 1184
    assert accepted_flips(file, range(1184), check) == []


def test_every_byte_of_a_nitro_document_counts(samples: Path) -> None:
    rules = policy(nitro={"pcrs": "any"})
    file = samples / "nitro" / "valid-attestation-doc-bytes"

    def check(document: bytes) -> Appraisal:
        return verify(Evidence(kind=Kind.NITRO, report=document), rules, at=NITRO)

    assert check(file.read_bytes()).passed
    assert accepted_flips(file, range(file.stat().st_size), check) == []


@pytest.mark.parametrize(("name", "kind"), [("sgx_quote", Kind.SGX), ("tdx_quote", Kind.TDX)])
def test_every_byte_of_a_quote_up_to_its_certificates_counts(samples: Path, name: str, kind: Kind) -> None:
    rules = policy(sgx={"mr_enclave": "any"}, tdx={"mr_td": "any"})
    file = samples / "dcap" / name
    held = samples / "dcap" / f"{name}_collateral.json"

    def check(quote: bytes) -> Appraisal:
        return verify(Evidence(kind=kind, report=quote), rules, at=SUMMER, collateral=held)

    assert check(file.read_bytes()).passed
    end = file.read_bytes().index(b"-----BEGIN CERTIFICATE-----")
    assert end > 1000
    assert accepted_flips(file, range(end), check) == []


@pytest.mark.parametrize("kind", list(Kind))
def test_evidence_of_another_kind_is_refused(samples: Path, kind: Kind) -> None:
    real = {
        Kind.SEV_SNP: "snp/attestation.bin",
        Kind.SGX: "dcap/sgx_quote",
        Kind.TDX: "dcap/tdx_quote",
        Kind.NITRO: "nitro/valid-attestation-doc-bytes",
    }
    for own, file in real.items():
        if kind not in (own, Kind.TPM):
            assert failed(appraise(samples / file, kind, SUMMER, samples / "dcap")) == ["format"]


def test_the_shipped_roots_are_the_sample_ones(samples: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    from eyelid.infer.enclave.roots import FILES

    for name, sha256 in FILES.items():
        family, _, part = name.rpartition("-")
        file = samples / "snp" / family.replace("-", "_") / f"{part}.pem"
        if name == "aws-nitro-g1":
            file = samples / "nitro" / "aws_nitro_root_g1.pem"
        if name != "intel-sgx":
            certificate = x509.load_pem_x509_certificate(file.read_bytes())
            assert hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest() == sha256


def test_verification_needs_no_network(samples: Path, tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    if (
        unshare is None
        or subprocess.run([unshare, "-rn", "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this machine lets no process drop its network (unshare -rn)")
    (tmp_path / "p.toml").write_text(
        'schema = "eyelid-attestation-policy/1"\nnonce = "any"\n[tdx]\nroots = ["intel-sgx"]\n'
        f'mr_td = ["{MRTD}"]\n'
    )
    command = [unshare, "-rn", *PROGRAM, "infer", "enclave", "verify", "--json"]
    command += [
        "--evidence",
        str(samples / "dcap" / "tdx_quote"),
        "--kind",
        "tdx",
        "-p",
        str(tmp_path / "p.toml"),
    ]
    command += ["--at", "2025-07-01T12:00Z"]
    with_it = subprocess.run(
        [*command, "--collateral", str(samples / "dcap")], capture_output=True, check=False
    )
    assert with_it.returncode == 0, with_it.stderr
    assert json.loads(with_it.stdout)["passed"] is True
    without = subprocess.run(command, capture_output=True, check=False)
    assert without.returncode == 1
    assert json.loads(without.stdout)["checks"][0]["name"] == "collateral"


def test_amds_authority_of_providers_keys_ends_in_the_shipped_root(samples: Path) -> None:
    held = read_collateral(samples / "snp" / "milanvlek.testcer")
    asvk, ark = map(chain.load, held.certificates)
    root = shipped_root("amd-milan", Kind.SEV_SNP)
    found = chain.to_root(asvk, [ark], [root], SUMMER)
    assert [name.value for name in asvk.subject if name.oid == x509.NameOID.COMMON_NAME] == ["SEV-VLEK-Milan"]
    assert found.root.shipped
    chain.may_issue(asvk, 0)
    with pytest.raises(Refused, match="chains to no root"):
        chain.to_root(asvk, [ark], [shipped_root("amd-genoa", Kind.SEV_SNP)], SUMMER)
