"""Certificates of our own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
END = BEGIN + timedelta(days=365)
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Party:
    """Someone with a key and a certificate for it."""

    key: Key
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def p384() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


def rsa2048() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def issue(
    name: str,
    key: Key,
    issuer: Party | None = None,
    *,
    authority: bool = True,
    path_length: int | None = None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    begin: datetime = BEGIN,
    end: datetime = END,
    pss: bool = False,
    bare: bool = False,
) -> Party:
    """Return a party whose certificate the issuer signed, or itself where there is none.

    A ``bare`` certificate does not say what it is for, as AMD's of chips don't.
    """
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = key if issuer is None else issuer.key
    usage = x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    if not bare:
        basic = x509.BasicConstraints(authority, path_length if authority else None)
        builder = builder.add_extension(basic, critical=True).add_extension(usage, critical=True)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    if isinstance(signer, rsa.RSAPrivateKey):
        scheme = padding.PSS(padding.MGF1(SHA384()), 48) if pss else padding.PKCS1v15()
        return Party(key, builder.sign(signer, SHA384(), rsa_padding=scheme))
    algorithm = SHA384() if isinstance(signer.curve, ec.SECP384R1) else SHA256()
    return Party(key, builder.sign(signer, algorithm))


def revocations(issuer: Party) -> bytes:
    """Return a list (DER) that revokes nothing."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(BEGIN)
        .next_update(END)
        .add_extension(x509.CRLNumber(1), critical=False)
    )
    assert isinstance(issuer.key, ec.EllipticCurvePrivateKey)
    return builder.sign(issuer.key, SHA256()).public_bytes(Encoding.DER)
