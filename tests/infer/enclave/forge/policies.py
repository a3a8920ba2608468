"""Policies that pin the roots of our own platforms, strict in all else."""

from pathlib import Path
from typing import Any

from eyelid.infer.enclave.evidence import Assurance, Kind
from eyelid.infer.enclave.policy import PolicyFile
from eyelid.infer.enclave.policy_file import Policy
from eyelid.infer.enclave.roots import PinnedRoot, shipped_root
from tests.infer.enclave.forge import amd, intel, nitro, tpm

SECTIONS: dict[str, dict[str, Any]] = {
    "sev-snp": {"measurements": [amd.MEASUREMENT.hex()], "min_tcb": amd.TCB},
    "tdx": {"mr_td": [intel.MR.hex()]},
    "sgx": {"mr_enclave": ["0a" * 32]},
    "nitro": {"pcrs": {str(i): [nitro.PCRS[i].hex()] for i in range(3)}},
    "tpm": {},
}


def own_roots() -> dict[Kind, tuple[PinnedRoot, ...]]:
    """Return our roots, as a policy pins them."""

    def pin(name: str, der: bytes, assurance: Assurance = Assurance.TEE) -> tuple[PinnedRoot, ...]:
        return (PinnedRoot(name, der, (), assurance, shipped=False),)

    quotes = pin("intel.pem", intel.authorities()[0].der)
    return {
        Kind.SEV_SNP: pin("ark.pem", amd.authorities()[0].der),
        Kind.TDX: quotes,
        Kind.SGX: quotes,
        Kind.NITRO: pin("nitro.pem", nitro.authorities()[0].der),
        Kind.TPM: pin("tpm.pem", tpm.authorities()[0].der, Assurance.SOFTWARE_TPM),
    }


def policy(kind: Kind, *, shipped: bool = False, top: dict[str, Any] | None = None, **changes: Any) -> Policy:
    """Return a policy for one kind; ``changes`` are settings of its section, ``top`` of the whole."""
    section = {"roots": ["not used"], **SECTIONS[kind.value], **changes}
    content = {"schema": "eyelid-attestation-policy/1", kind.value: section, **(top or {})}
    roots = own_roots()[kind]
    if shipped:
        names = {
            Kind.SEV_SNP: ["amd-milan", "amd-genoa", "amd-turin"],
            Kind.NITRO: ["aws-nitro-g1"],
            Kind.SGX: ["intel-sgx"],
            Kind.TDX: ["intel-sgx"],
        }[kind]
        roots = tuple(shipped_root(name, kind) for name in names)
    return Policy(PolicyFile.model_validate(content), {kind: roots}, "0" * 64, None)


def collateral(folder: Path, kind: Kind, **changes: Any) -> Path:
    """Write our Intel collateral into a folder, and return it."""
    (folder / "collateral.json").write_text(intel.collateral(kind, **changes))
    return folder
