"""Binds an attestation key to an endorsement key: a secret that only the TPM that holds both can recover."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential (TPM2_MakeCredential) for one AK under one EK, and the secret inside it.

    ``blob`` and ``encrypted_secret`` (TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET) are sent to the TPM;
    ``secret`` (32 bytes), ``ak_name`` and ``ek_certificate`` (DER) stay with the verifier.
    """

    ek_certificate: bytes
    ak_name: bytes
    blob: bytes
    encrypted_secret: bytes
    secret: bytes


def make_credential(ek_certificate: bytes, ak: bytes) -> Credential:
    """Make a credential for an AK (TPMT_PUBLIC) under the EK that a certificate (DER) names.

    Raises AttestationError where either is malformed or of a kind that is not supported.
    """
    raise NotImplementedError
