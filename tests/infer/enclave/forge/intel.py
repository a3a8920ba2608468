"""A platform of Intel's, of our own making: PCK, quoting enclave, quotes, and collateral."""

import hashlib
import json
import struct
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eyelid.infer.enclave.evidence import Binding, Evidence, Kind
from tests.infer.enclave.forge.pki import BEGIN, END, Party, issue, p256, revocations

FMSPC = "00906ED50000"
OTHER_FMSPC = "30606A000000"
MR = bytes(range(48))
SGX = "1.2.840.113741.1.13.1"
QE_SIGNER = bytes.fromhex("8c" * 32)
DEBUG = 1


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else b"\x82" + struct.pack(">H", size)
    return bytes([tag]) + length + content


def _pair(oid: str, value: bytes) -> bytes:
    number = x509.ObjectIdentifier(oid)
    arcs = [int(arc) for arc in number.dotted_string.split(".")]
    body = bytes([40 * arcs[0] + arcs[1]])
    for arc in arcs[2:]:
        part = [arc & 0x7F]
        while arc := arc >> 7:
            part.append(arc & 0x7F | 0x80)
        body += bytes(reversed(part))
    return _tlv(0x30, _tlv(0x06, body) + value)


def _sgx_extension() -> x509.UnrecognizedExtension:
    svn = _tlv(0x02, b"\x05")
    tcb = b"".join(_pair(f"{SGX}.2.{index}", svn) for index in range(1, 18))
    tcb += _pair(f"{SGX}.2.18", _tlv(0x04, b"\x05" * 16))
    content = (
        _pair(f"{SGX}.1", _tlv(0x04, bytes(16)))
        + _pair(f"{SGX}.2", _tlv(0x30, tcb))
        + _pair(f"{SGX}.3", _tlv(0x04, bytes(2)))
        + _pair(f"{SGX}.4", _tlv(0x04, bytes.fromhex(FMSPC)))
        + _pair(f"{SGX}.5", _tlv(0x0A, b"\x00"))
    )
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(SGX), _tlv(0x30, content))


@cache
def authorities() -> tuple[Party, Party, Party, Party]:
    """Return our root, PCK authority, PCK and TCB signer."""
    distribution = x509.CRLDistributionPoints(
        [x509.DistributionPoint([x509.UniformResourceIdentifier("https://localhost/crl")], None, None, None)]
    )
    root = issue("Intel SGX Root CA", p256(), extensions=[(distribution, False)])
    platform = issue("Intel SGX PCK Processor CA", p256(), root, path_length=0)
    pck = issue(
        "Intel SGX PCK Certificate", p256(), platform, authority=False, extensions=[(_sgx_extension(), False)]
    )
    return root, platform, pck, issue("Intel SGX TCB Signing", p256(), root, authority=False)


def _sign(party: Party | ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    key = party.key if isinstance(party, Party) else party
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def enclave_report(
    mr_enclave: bytes, mr_signer: bytes, report_data: bytes, *, flags: int = 5, product: int = 1, svn: int = 2
) -> bytes:
    """Return a report body of SGX (384 bytes)."""
    body = bytearray(384)
    body[:16] = b"\x05" * 16
    struct.pack_into("<QQ", body, 48, flags, 0xE7)
    body[64:96], body[128:160] = mr_enclave, mr_signer
    struct.pack_into("<HH", body, 256, product, svn)
    body[320:384] = report_data.ljust(64, b"\0")
    return bytes(body)


def domain_report(report_data: bytes, *, attributes: int = 1 << 28) -> bytes:
    """Return a report body of TDX 1.0 (584 bytes)."""
    body = bytearray(584)
    body[:16] = b"\x05" * 16
    struct.pack_into("<QQ", body, 120, attributes, 0xE7)
    body[136:184] = MR
    for index in range(4):
        body[328 + 48 * index : 376 + 48 * index] = bytes([index + 1]) * 48
    body[520:584] = report_data.ljust(64, b"\0")
    return bytes(body)


def quote(kind: Kind, body: bytes) -> bytes:
    """Return a quote over a body: version 3 for SGX, 4 for TDX."""
    root, platform, pck, _ = authorities()
    attestation = p256()
    point = attestation.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
    authentication = b"\x07" * 32
    bound = hashlib.sha256(point + authentication).digest()
    enclave = enclave_report(b"\x09" * 32, QE_SIGNER, bound, flags=0x11, product=1 if kind is Kind.SGX else 2)
    version, tee = (3, 0) if kind is Kind.SGX else (4, 0x81)
    vendor = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
    header = struct.pack("<HHI", version, 2, tee) + bytes(4) + vendor + bytes(20)
    chain = (pck.pem + platform.pem + root.pem).encode()
    report = enclave + _sign(pck, enclave) + struct.pack("<H", 32) + authentication
    report += struct.pack("<HI", 5, len(chain)) + chain
    if kind is Kind.TDX:
        report = struct.pack("<HI", 6, len(report)) + report
    data = _sign(attestation, header + body) + point + report
    return header + body + struct.pack("<I", len(data)) + data


def collateral(
    kind: Kind,
    *,
    status: str = "UpToDate",
    advisories: tuple[str, ...] = (),
    fmspc: str = FMSPC,
    begin: str | None = None,
    end: str | None = None,
) -> str:
    """Return collateral in the JSON of dcap-qvl."""
    root, platform, _, signer = authorities()
    times = {
        "issueDate": begin or f"{BEGIN:%Y-%m-%dT%H:%M:%SZ}",
        "nextUpdate": end or f"{END:%Y-%m-%dT%H:%M:%SZ}",
        "tcbEvaluationDataNumber": 17,
    }
    components: list[dict[str, Any]] = [{"svn": 4}] * 16
    tcb: dict[str, Any] = {"sgxtcbcomponents": components, "pcesvn": 4}
    module: dict[str, Any] = {}
    if kind is Kind.TDX:
        tcb["tdxtcbcomponents"] = components
        identity = {"mrsigner": "00" * 48, "attributes": "00" * 8, "attributesMask": "FF" * 8}
        levels = [{"tcb": {"isvsvn": 4}, "tcbDate": "2025-01-01T00:00:00Z", "tcbStatus": "UpToDate"}]
        module = {
            "tdxModule": identity,
            "tdxModuleIdentities": [{"id": "TDX_05", **identity, "tcbLevels": levels}],
        }
    level = {
        "tcb": tcb,
        "tcbDate": "2025-01-01T00:00:00Z",
        "tcbStatus": status,
        "advisoryIDs": list(advisories),
    }
    info = {"id": kind.name, "version": 3, **times, "fmspc": fmspc, "pceId": "0000", "tcbType": 0}
    info |= {**module, "tcbLevels": [level]}
    enclave = {
        "id": "QE" if kind is Kind.SGX else "TD_QE",
        "version": 2,
        **times,
        "miscselect": "00000000",
        "miscselectMask": "FFFFFFFF",
        "attributes": "11" + "00" * 15,
        "attributesMask": "FB" + "FF" * 7 + "00" * 8,
        "mrsigner": QE_SIGNER.hex().upper(),
        "isvprodid": 1 if kind is Kind.SGX else 2,
        "tcbLevels": [
            {
                "tcb": {"isvsvn": 2},
                "tcbDate": "2025-01-01T00:00:00Z",
                "tcbStatus": "UpToDate",
                "advisoryIDs": [],
            }
        ],
    }
    texts = [json.dumps(part, separators=(",", ":")) for part in (info, enclave)]
    return json.dumps(
        {
            "pck_crl_issuer_chain": platform.pem + root.pem,
            "root_ca_crl": revocations(root).hex(),
            "pck_crl": revocations(platform).hex(),
            "tcb_info_issuer_chain": signer.pem + root.pem,
            "tcb_info": texts[0],
            "tcb_info_signature": _sign(signer, texts[0].encode()).hex(),
            "qe_identity_issuer_chain": signer.pem + root.pem,
            "qe_identity": texts[1],
            "qe_identity_signature": _sign(signer, texts[1].encode()).hex(),
        }
    )


def evidence(kind: Kind, nonce: bytes = bytes(32), binding: Binding | None = None, **fields: Any) -> Evidence:
    """Return a quote as evidence; ``fields`` are those of its report."""
    signed = nonce if binding is None else binding.report_data(nonce)
    if kind is Kind.SGX:
        body = enclave_report(b"\x0a" * 32, b"\x0b" * 32, signed, **fields)
    else:
        body = domain_report(signed, **fields)
    return Evidence(kind=kind, report=quote(kind, body), binding=binding)
