"""Chains of X.509 certificates to a pinned root, at a stated time; a root that comes along counts nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtensionOID

from eyelid.infer.enclave import der
from eyelid.infer.enclave.findings import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from eyelid.infer.enclave.roots import PinnedRoot

MAX_DEPTH: Final = 6
VERSION: Final = 0xA0
HASHES: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
UNDERSTOOD: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.CERTIFICATE_POLICIES,
    }
)
"""Critical extensions that restrict nothing else here; one with another is refused, as RFC 5280 asks."""

_MALFORMED: Final = (
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    UnsupportedAlgorithm,
    TypeError,
)
"""What the library raises besides ValueError."""


@dataclass(frozen=True, slots=True)
class Chain:
    """The pinned root in which a chain ends, its issuers from the leaf's up, and when its first part ends."""

    root: PinnedRoot
    issuers: tuple[x509.Certificate, ...]
    not_after: datetime

    def describe(self) -> str:
        """Return the end of a sentence that names the root and who brought it."""
        origin = "shipped with eyelid" if self.root.shipped else "the policy's own, not one of eyelid's"
        return f"chains to {self.root.name} ({origin}), valid until {self.not_after:%Y-%m-%d}"


def load(data: bytes) -> x509.Certificate:
    """Read a certificate (DER); raises ValueError where it or any extension is malformed.

    So is a serial number that is not positive: the library warns of it today, and will refuse it.
    """
    signed, *_ = der.only(data).children()
    first, second, *_ = signed.children()
    if der.unsigned(second if first.tag == VERSION else first) == 0:
        raise ValueError("a certificate has the serial number 0")
    try:
        certificate = x509.load_der_x509_certificate(data)
        _ = certificate.extensions, certificate.subject, certificate.issuer
        certificate.public_key()
    except _MALFORMED as error:
        raise ValueError("a certificate is malformed") from error
    return certificate


def load_some(certificates: Iterable[bytes]) -> list[x509.Certificate]:
    """Read those that are sound; the others can't help a chain."""
    found = []
    for data in certificates:
        try:
            found.append(load(data))
        except ValueError:
            continue
    return found


def to_root(
    leaf: x509.Certificate, others: Sequence[x509.Certificate], roots: Sequence[PinnedRoot], at: datetime
) -> Chain:
    """Return the chain from a leaf to a pinned root; raises Refused where there is none that holds now."""
    valid_at(leaf.not_valid_before_utc, leaf.not_valid_after_utc, at, _name(leaf))
    _understood(leaf)
    for root in roots:
        anchor = load(root.der)
        pinned = [load(other) for other in root.intermediates]
        issuers = _climb(leaf, [*pinned, *others], anchor)
        if issuers is not None:
            break
    else:
        raise Refused(
            "certificate-chain",
            f"{_name(leaf)} chains to no root that the policy pins: {', '.join(r.name for r in roots)}",
        )
    for below, issuer in enumerate(issuers):
        valid_at(issuer.not_valid_before_utc, issuer.not_valid_after_utc, at, _name(issuer))
        may_issue(issuer, below)
    return Chain(root, issuers, min(c.not_valid_after_utc for c in (leaf, *issuers)))


def valid_at(begins: datetime, ends: datetime, at: datetime, name: str) -> None:
    """Raise Refused where a certificate does not hold at the appraisal time."""
    if not begins <= at <= ends:
        raise Refused(
            "certificate-chain",
            f"{name} holds from {_day(begins)} to {_day(ends)}, not at the appraisal time {_day(at)}",
        )


def _climb(
    leaf: x509.Certificate, others: Sequence[x509.Certificate], anchor: x509.Certificate
) -> tuple[x509.Certificate, ...] | None:
    """Return the issuers from the leaf's to the anchor; None where no chain ends in it."""
    issuers: list[x509.Certificate] = []
    current = leaf
    while len(issuers) < MAX_DEPTH:
        if _issued(current, anchor):
            return (*issuers, anchor)
        above = next(
            (c for c in others if c not in issuers and c.subject != c.issuer and _issued(current, c)), None
        )
        if above is None:
            return None
        issuers.append(above)
        current = above
    return None


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if certificate.issuer != issuer.subject or not isinstance(_hash(certificate), HASHES):
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _hash(certificate: x509.Certificate) -> hashes.HashAlgorithm | None:
    try:
        return certificate.signature_hash_algorithm
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def may_issue(issuer: x509.Certificate, below: int) -> None:
    """Raise Refused where a certificate is no authority, or not for a chain with so many below it."""
    _understood(issuer)
    basic = usage = None
    for extension in issuer.extensions:
        if isinstance(extension.value, x509.BasicConstraints):
            basic = extension.value
        elif isinstance(extension.value, x509.KeyUsage):
            usage = extension.value
    if basic is None or not basic.ca or (usage is not None and not usage.key_cert_sign):
        raise Refused("certificate-chain", f"{_name(issuer)} may not issue certificates")
    if basic.path_length is not None and below > basic.path_length:
        raise Refused("certificate-chain", f"{_name(issuer)} may not issue for so long a chain")


def _understood(certificate: x509.Certificate) -> None:
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in UNDERSTOOD:
            raise Refused(
                "certificate-chain",
                f"{_name(certificate)} has a critical extension that is not understood: "
                f"{extension.oid.dotted_string}",
            )


def _name(certificate: x509.Certificate) -> str:
    """Return the common name, without control characters, for a reason."""
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    text = str(names[0].value) if names else "without a common name"
    return f"the certificate {''.join(c for c in text if c.isprintable())[:80]}"


def _day(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%MZ}"
