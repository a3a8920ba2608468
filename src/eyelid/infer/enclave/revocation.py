"""Revocation lists of a root: whether it has taken back the intermediate certificate below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from eyelid.infer.enclave import chain as chains
from eyelid.infer.enclave.findings import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from cryptography import x509

    from eyelid.infer.enclave.chain import Chain
    from eyelid.infer.enclave.findings import Findings


def check(
    found: Findings,
    chain: Chain,
    intermediate: x509.Certificate,
    lists: Iterable[x509.CertificateRevocationList],
    at: datetime,
    *,
    required: bool,
) -> None:
    """Raise Refused where the chain's root has revoked a certificate of the chain, whenever it did so.

    Lists of others, and those whose signature is not the root's, count nothing. Without one that is in force
    at the appraisal time the check says so, and fails where the policy requires one.
    """
    anchor = chains.load(chain.root.der)
    signed = [one for one in lists if _signed(one, anchor)]
    issued = [each for each in (intermediate, *chain.issuers) if each.issuer == anchor.subject]
    for certificate in issued:
        if any(one.get_revoked_certificate_by_serial_number(certificate.serial_number) for one in signed):
            raise Refused("revocation", f"{chain.root.name} has revoked a certificate of this chain")
    ends = [
        one.next_update_utc
        for one in signed
        if one.next_update_utc is not None and one.last_update_utc <= at <= one.next_update_utc
    ]
    state = f"no list of {chain.root.name} that is in force is among the collateral"
    found.add(
        "revocation",
        bool(ends) or not required,
        f"not revoked, by a list until {max(ends):%Y-%m-%d}" if ends else f"not checked: {state}",
        f"the policy requires it, and {state}",
    )


def _signed(one: x509.CertificateRevocationList, anchor: x509.Certificate) -> bool:
    if one.issuer != anchor.subject:
        return False
    try:
        return one.is_signature_valid(anchor.public_key())  # type: ignore[arg-type]  # raises TypeError
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return False
