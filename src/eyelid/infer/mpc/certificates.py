"""A party's own certificate: self-signed, since each peer keeps exactly this one and trusts no authority."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from eyelid.errors import InputError, OutputError
from eyelid.media.key_files import KeyFile, write_new

if TYPE_CHECKING:
    from pathlib import Path

DAYS = 365


def make(name: str, certificate: Path, key: Path, *, days: int = DAYS) -> None:
    """Write a new P-256 key (mode 0600) and its certificate as PEM.

    Raises :class:`OutputError`; a file that is there already is never overwritten.
    """
    for path in (certificate, key):
        if path.exists():
            raise OutputError(f"{path} is there already; name another file.")
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    secret = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    told = signed.public_bytes(serialization.Encoding.PEM)
    write_new(KeyFile(key, secret), KeyFile(certificate, told, 0o644))


def check(certificate: str, key: Path, name: str) -> None:
    """Check that the certificate is in force and that ``key`` is its private key, which nobody else can read.

    Raises :class:`InputError`.
    """
    try:
        mode, secret = key.stat().st_mode, key.read_bytes()
        private = serialization.load_pem_private_key(secret, None)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{key} is not a private key (PEM, without a passphrase); name the one of {name}."
        ) from error
    if mode & 0o077:
        raise InputError(f"{key} can be read by others on this machine; run: chmod 600 {key}")
    try:
        loaded = x509.load_pem_x509_certificate(certificate.encode())
    except ValueError as error:
        raise InputError(f"The certificate of {name} is damaged; make a new one.") from error
    if loaded.public_key() != private.public_key():
        raise InputError(
            f"{key} is not the key of the certificate of {name}; name the one that was made with it."
        )
    if not loaded.not_valid_before_utc <= datetime.now(UTC) <= loaded.not_valid_after_utc:
        raise InputError(
            f"The certificate of {name} is valid from {loaded.not_valid_before_utc:%Y-%m-%d} to "
            f"{loaded.not_valid_after_utc:%Y-%m-%d} only; make a new one and give it to the others."
        )
