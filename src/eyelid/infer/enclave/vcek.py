"""AMD's certificates of a key at one firmware level, after AMD's document 57230.

A VCEK is one chip's; a VLEK is loaded by a cloud provider, whom AMD names in it, into all of its chips.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import load_der_public_key

from eyelid.infer.enclave import der

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.x509 import Certificate

RSASSA_PSS: Final = "1.2.840.113549.1.1.10"
_AMD: Final = "1.3.6.1.4.1.3704.1"
_PRODUCT: Final = f"{_AMD}.2"
_CHIP: Final = f"{_AMD}.4"
_PROVIDER: Final = f"{_AMD}.5"
_SVN: Final = {
    f"{_AMD}.3.1": "bootloader",
    f"{_AMD}.3.2": "tee",
    f"{_AMD}.3.3": "snp",
    f"{_AMD}.3.8": "microcode",
    f"{_AMD}.3.9": "fmc",
}


@dataclass(frozen=True, slots=True)
class Vcek:
    """What the certificate says; ``tcb`` are the security version numbers that its key is derived from.

    ``chip`` is empty in a VLEK, and ``provider`` in a VCEK.
    """

    signed: bytes
    signature: bytes
    issuer: bytes
    not_before: datetime
    not_after: datetime
    key: ec.EllipticCurvePublicKey
    product: str
    chip: bytes
    provider: str
    tcb: dict[str, int]

    @property
    def kind(self) -> str:
        """Return whether it is a VCEK or a VLEK."""
        return "VLEK" if self.provider else "VCEK"

    def is_issued_by(self, issuer: Certificate) -> bool:
        """Whether the issuer's key (RSA, PSS with SHA-384) signed this certificate under its name."""
        key = issuer.public_key()
        if not isinstance(key, rsa.RSAPublicKey) or issuer.subject.public_bytes() != self.issuer:
            return False
        pss = padding.PSS(padding.MGF1(SHA384()), SHA384.digest_size)
        try:
            key.verify(self.signature, self.signed, pss, SHA384())
        except InvalidSignature:
            return False
        return True


def parse_vcek(data: bytes) -> Vcek:
    """Read a VCEK or VLEK (DER); raises ValueError where it is malformed, or neither of them."""
    signed, algorithm, signature = _exactly(der.only(data), 3)
    fields = list(signed.expect(der.SEQUENCE).children())
    if len(fields) != 8 or fields[0].tag != 0xA0:
        raise ValueError("not a certificate of version 3 without unique identifiers")
    _version, _serial, inner, issuer, validity, _subject, spki, extensions = fields
    if inner.encoded != algorithm.encoded or der.oid(_exactly(algorithm, 2)[0]) != RSASSA_PSS:
        raise ValueError("not signed with RSASSA-PSS")
    begins, ends = _exactly(validity, 2)
    try:
        key = load_der_public_key(spki.encoded)
    except UnsupportedAlgorithm:
        raise ValueError("not a key of a known kind") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        raise ValueError("not a key on P-384")
    values = _extensions(extensions)
    product = der.only(values[_PRODUCT]).content.decode("ascii")
    return Vcek(
        signed=signed.encoded,
        signature=der.bits(signature),
        issuer=issuer.encoded,
        not_before=der.time(begins),
        not_after=der.time(ends),
        key=key,
        product=product,
        chip=values.get(_CHIP, b""),
        provider=der.only(values[_PROVIDER]).content.decode("ascii") if _PROVIDER in values else "",
        tcb={
            name: der.unsigned(der.only(values[number])) for number, name in _SVN.items() if number in values
        },
    )


def _exactly(element: der.Element, count: int) -> list[der.Element]:
    parts = list(element.expect(der.SEQUENCE).children())
    if len(parts) != count:
        raise ValueError(f"found {len(parts)} parts for {count}")
    return parts


def _extensions(wrapped: der.Element) -> dict[str, bytes]:
    """Return the values by their identifiers; all that AMD uses are marked as not critical."""
    (listed,) = wrapped.expect(0xA3).children()
    values: dict[str, bytes] = {}
    for extension in listed.expect(der.SEQUENCE).children():
        number, value = _exactly(extension, 2)
        name = der.oid(number)
        if name in values:
            raise ValueError("an extension is there twice")
        values[name] = value.expect(der.OCTET_STRING).content
    if not {_PRODUCT, *list(_SVN)[:4]} <= values.keys() or (_CHIP in values) == (_PROVIDER in values):
        raise ValueError("the extensions of a VCEK or VLEK are missing")
    return values
