"""How long the appraisal of evidence takes: each kind, from bytes to verdict, collateral read anew each time.

``EYELID_DATA=... python benchmarks/attestation.py`` needs the real samples; a TPM's evidence is made by swtpm
where that is installed. Prints milliseconds of wall clock (median, minimum) and of CPU for each kind.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from eyelid.errors import EyelidError
from eyelid.infer.enclave.case import Challenge
from eyelid.infer.enclave.evidence import Evidence, Kind
from eyelid.infer.enclave.policy import PolicyFile
from eyelid.infer.enclave.policy_file import Policy, make_policy, read_policy
from eyelid.infer.enclave.verify import verify

ROUNDS = 100
SUMMER = datetime(2025, 7, 1, 12, tzinfo=UTC)
SGX = {"statuses": ["ConfigurationAndSWHardeningNeeded"], "advisories": "any"}
CONTENT = {
    "schema": "eyelid-attestation-policy/1",
    "nonce": "any",
    "sev-snp": {"roots": ["amd-milan"], "measurements": "any", "min_tcb": "any", "debug": True},
    "sgx": {"roots": ["intel-sgx"], "mr_enclave": "any", **SGX},
    "tdx": {"roots": ["intel-sgx"], "mr_td": "any"},
    "nitro": {"roots": ["aws-nitro-g1"], "pcrs": "any"},
}
SAMPLES = (
    (Kind.SEV_SNP, "snp/attestation.bin", None, "snp/vcek.testcer"),
    (Kind.SGX, "dcap/sgx_quote", SUMMER, "dcap/sgx_quote_collateral.json"),
    (Kind.TDX, "dcap/tdx_quote", SUMMER, "dcap/tdx_quote_collateral.json"),
    (Kind.NITRO, "nitro/valid-attestation-doc-bytes", datetime(2022, 10, 13, 9, tzinfo=UTC), None),
)


def measure(
    evidence: Evidence,
    policy: Policy,
    at: datetime | None,
    collateral: Path | None = None,
    challenge: Challenge | None = None,
) -> None:
    """Print one line for one piece of evidence, which must pass."""
    walls = []
    before = time.process_time()
    for _ in range(ROUNDS):
        start = time.perf_counter()
        verdict = verify(evidence, policy, at=at, collateral=collateral, challenge=challenge)
        walls.append(1e3 * (time.perf_counter() - start))
        assert verdict.passed, verdict.failures
    cpu = 1e3 * (time.process_time() - before) / ROUNDS
    middle, least = statistics.median(walls), min(walls)
    print(f"{evidence.kind.value:8}  {middle:6.2f} ms median  {least:6.2f} ms minimum  {cpu:6.2f} ms CPU")


def software_tpm() -> None:
    """Measure a quote of swtpm with a certified key."""
    from eyelid.infer.enclave.attester import TpmAttester
    from eyelid.infer.enclave.software_tpm import SoftwareTpm
    from eyelid.infer.enclave.tpm_credential import make_credential
    from eyelid.infer.enclave.tpm_device import Tpm
    from eyelid.infer.enclave.tpm_link import open_tpm

    with tempfile.TemporaryDirectory() as name, SoftwareTpm(Path(name)) as program:
        folder, manifest, nonce = Path(name), os.urandom(32), os.urandom(32)
        (folder / "root.pem").write_bytes(program.root.public_bytes(Encoding.PEM))
        sha256 = hashlib.sha256(program.root.public_bytes(Encoding.DER)).hexdigest()
        (folder / "p.toml").write_text(
            f'schema = "eyelid-attestation-policy/1"\nmanifests = ["{manifest.hex()}"]\n[tpm]\n'
            f'roots = [{{ file = "root.pem", sha256 = "{sha256}", assurance = "software-tpm" }}]\n'
        )
        file = open_tpm(program.socket)
        with Tpm(file) as tpm:
            tpm.measure(manifest)
            tpm.cap()
            attester = TpmAttester(tpm, manifest, 3600, program.certificates)
            credential = make_credential(tpm.ek_certificate(), tpm.ak_public())
            evidence = attester.evidence(nonce, (credential.blob, credential.encrypted_secret))
            challenge = Challenge(nonce, credential)
            measure(evidence, read_policy(folder / "p.toml"), None, challenge=challenge)
            attester.close()
        os.close(file)


def main() -> None:
    """Print one line for each kind."""
    data = os.environ.get("EYELID_DATA")
    if data is None:
        sys.exit("set EYELID_DATA to a folder with attestation/")
    policy = make_policy(PolicyFile.model_validate(CONTENT), Path(), "0" * 64)
    for kind, report, at, collateral in SAMPLES:
        folder = Path(data) / "attestation"
        evidence = Evidence(kind=kind, report=(folder / report).read_bytes())
        measure(evidence, policy, at, None if collateral is None else folder / collateral)
    try:
        software_tpm()
    except (EyelidError, ImportError) as error:
        print(f"tpm       not measured: {error}")


if __name__ == "__main__":
    main()
