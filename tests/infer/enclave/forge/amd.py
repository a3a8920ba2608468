"""A chip of AMD's, of our own making."""

import struct
from datetime import datetime
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from eyelid.infer.enclave.evidence import Binding, Evidence, Kind
from tests.infer.enclave.forge.pki import BEGIN, END, Party, issue, p384, rsa2048

MEASUREMENT = bytes(range(48))
SMT, RESERVED, MIGRATION, DEBUG = 1 << 16, 1 << 17, 1 << 18, 1 << 19
TCB = {"bootloader": 3, "tee": 0, "snp": 8, "microcode": 115}


@cache
def authorities(product: str = "Milan") -> tuple[Party, Party]:
    """Return our ARK and ASK."""
    ark = issue(f"ARK-{product}", rsa2048(), pss=True)
    return ark, issue(f"SEV-{product}", rsa2048(), ark, path_length=0, pss=True)


def vcek(
    issuer: Party,
    chip: bytes,
    tcb: dict[str, int],
    product: str = "Milan-B0",
    *,
    provider: str = "",
    **options: Any,
) -> Party:
    """Return a chip's party, or that of a provider's VLEK; ``tcb`` is what its certificate says."""
    numbers = {"bootloader": 1, "tee": 2, "snp": 3, "microcode": 8, "fmc": 9}
    amd = "1.3.6.1.4.1.3704.1"
    values = {
        f"{amd}.1": b"\x02\x01\x00",
        f"{amd}.2": _text(product),
        f"{amd}.5" if provider else f"{amd}.4": _text(provider) if provider else chip,
    } | {f"{amd}.3.{numbers[name]}": _integer(value) for name, value in tcb.items()}
    extensions = [(x509.UnrecognizedExtension(x509.ObjectIdentifier(k), v), False) for k, v in values.items()]
    key = p384()
    return issue(
        "SEV-VCEK", key, issuer, authority=False, extensions=extensions, pss=True, bare=True, **options
    )


def revocations(issuer: Party, *revoked: Party, end: datetime = END) -> x509.CertificateRevocationList:
    """Return an issuer's list of what it has taken back."""
    builder = x509.CertificateRevocationListBuilder(issuer.certificate.subject, BEGIN, end)
    for party in revoked:
        entry = x509.RevokedCertificateBuilder(party.certificate.serial_number, BEGIN)
        builder = builder.add_revoked_certificate(entry.build())
    pss = padding.PSS(padding.MGF1(SHA384()), SHA384.digest_size)
    return builder.sign(issuer.key, SHA384(), rsa_padding=pss)


def _text(value: str) -> bytes:
    return b"\x16" + bytes([len(value)]) + value.encode()


def _integer(value: int) -> bytes:
    content = value.to_bytes(2, "big").lstrip(b"\0") or b"\0"
    content = b"\0" * (content[0] >> 7) + content
    return b"\x02" + bytes([len(content)]) + content


def report(
    signer: Party,
    chip: bytes,
    *,
    version: int = 2,
    policy: int = SMT | RESERVED,
    vmpl: int = 0,
    key_info: int = 0,
    report_data: bytes = bytes(64),
    tcb_bytes: bytes = struct.pack("<BB4xBB", 3, 0, 8, 115),
) -> bytes:
    """Return a signed report."""
    data = bytearray(1184)
    struct.pack_into("<IIQ", data, 0, version, 0, policy)
    struct.pack_into("<II", data, 0x30, vmpl, 1)
    struct.pack_into("<I", data, 0x48, key_info)
    data[0x50:0x90] = report_data
    data[0x90:0xC0] = MEASUREMENT
    data[0x180:0x188] = tcb_bytes
    data[0x1A0:0x1E0] = chip.ljust(64, b"\0")
    assert isinstance(signer.key, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(signer.key.sign(bytes(data[:672]), ec.ECDSA(SHA384())))
    data[672:744], data[744:816] = r.to_bytes(72, "little"), s.to_bytes(72, "little")
    return bytes(data)


def evidence(nonce: bytes = bytes(32), binding: Binding | None = None, **fields: Any) -> Evidence:
    """Return a report with its certificates."""
    ark, ask = authorities()
    chip = b"\x01" * 64
    own = vcek(ask, chip, TCB)
    signed = nonce.ljust(64, b"\0") if binding is None else binding.report_data(nonce)
    data = report(own, chip, report_data=signed, **fields)
    return Evidence(kind=Kind.SEV_SNP, report=data, certificates=(own.der, ask.der, ark.der), binding=binding)
