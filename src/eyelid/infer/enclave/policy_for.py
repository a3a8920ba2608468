"""The text of a policy for one workload on the TPMs of one maker."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate, load_der_x509_certificate, load_pem_x509_certificate

from eyelid.errors import InputError, UsageError
from eyelid.infer.enclave.evidence import Assurance
from eyelid.infer.enclave.policy import SCHEMA

if TYPE_CHECKING:
    from pathlib import Path


def policy_text(manifest: bytes, root: Path, assurance: str) -> str:
    """Return a policy (TOML) that pins a manifest and a root; raises UsageError or InputError."""
    known = [Assurance.HARDWARE_TPM.value, Assurance.SOFTWARE_TPM.value]
    if assurance not in known:
        raise UsageError(f"{assurance} is not what a root certifies; choose {' or '.join(known)}")
    digest = hashlib.sha256(_certificate(root).public_bytes(Encoding.DER)).hexdigest()
    return (
        f"schema = {json.dumps(SCHEMA)}\n"
        f"manifests = [{json.dumps(manifest.hex())}]\n"
        "max_age = 86400  # seconds since the server made its key\n"
        "\n"
        "[tpm]\n"
        f"roots = [{{ file = {json.dumps(str(root.resolve()))}, sha256 = {json.dumps(digest)}, "
        f"assurance = {json.dumps(assurance)} }}]\n"
    )


def _certificate(path: Path) -> Certificate:
    try:
        content = path.read_bytes()
        pem = content.startswith(b"-----BEGIN")
        return load_pem_x509_certificate(content) if pem else load_der_x509_certificate(content)
    except (OSError, ValueError):
        raise InputError(f"{path} holds no certificate in PEM or DER; check its path") from None
