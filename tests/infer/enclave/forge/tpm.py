"""A TPM of our own making: structures as the TPM 2.0 library specification lays them out, with our keys."""

import hashlib
import struct
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eyelid.infer.enclave.case import Challenge
from eyelid.infer.enclave.evidence import Binding, Evidence, Kind, TpmParts, workload_pcr
from eyelid.infer.enclave.tpm_credential import Credential
from eyelid.infer.enclave.tpm_structures import pcr_policy
from tests.infer.enclave.forge.pki import NOW, Party, issue, p256, rsa2048

RESIDENT = 1 << 1 | 1 << 4 | 1 << 5
WITH_AUTH, RESTRICTED, DECRYPT, SIGN = 1 << 6, 1 << 16, 1 << 17, 1 << 18
AK, ECDH = RESIDENT | WITH_AUTH | RESTRICTED | SIGN, RESIDENT | DECRYPT
NONCE = bytes(range(32))
MANIFEST = b"\x4d" * 32
EK_PURPOSE = x509.ObjectIdentifier("2.23.133.8.1")


@cache
def authorities() -> tuple[Party, Party]:
    """Return the TPM maker's root and the endorsement key."""
    root = issue("TPM maker", p256())
    return root, endorsement(root)


def endorsement(root: Party, model: str = "swtpm", purpose: x509.ObjectIdentifier = EK_PURPOSE) -> Party:
    """Return an endorsement key with its certificate."""
    name = x509.Name([x509.NameAttribute(x509.ObjectIdentifier("2.23.133.2.2"), model)])
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.SubjectAlternativeName([x509.DirectoryName(name)]), True),
        (x509.ExtendedKeyUsage([purpose]), False),
    ]
    return issue("unknown", rsa2048(), root, authority=False, extensions=extensions)


def sized(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data


def public(
    key: ec.EllipticCurvePublicKey, attributes: int, policy: bytes = b"", scheme: int = 0x0018
) -> bytes:
    """Return the TPMT_PUBLIC of a P-256 key."""
    numbers = key.public_numbers()
    x, y = (value.to_bytes(32, "big") for value in (numbers.x, numbers.y))
    head = struct.pack(">HHI", 0x0023, 0x000B, attributes) + sized(policy)
    return head + struct.pack(">HHHHH", 0x0010, scheme, 0x000B, 0x0003, 0x0010) + sized(x) + sized(y)


def rsa_public(key: rsa.RSAPublicKey, attributes: int, scheme: int = 0x0014) -> bytes:
    """Return the TPMT_PUBLIC of an RSA key."""
    modulus = key.public_numbers().n.to_bytes(key.key_size // 8, "big")
    head = struct.pack(">HHI", 0x0001, 0x000B, attributes) + sized(b"")
    return head + struct.pack(">HHHHI", 0x0010, scheme, 0x000B, key.key_size, 0) + sized(modulus)


def name_of(public_area: bytes) -> bytes:
    return b"\x00\x0b" + hashlib.sha256(public_area).digest()


def sign(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, data: bytes) -> bytes:
    """Return a TPMT_SIGNATURE."""
    if isinstance(key, rsa.RSAPrivateKey):
        return struct.pack(">HH", 0x0014, 0x000B) + sized(key.sign(data, padding.PKCS1v15(), SHA256()))
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(SHA256())))
    return struct.pack(">HH", 0x0018, 0x000B) + sized(r.to_bytes(32, "big")) + sized(s.to_bytes(32, "big"))


def attest(kind: int, extra: bytes, content: bytes, magic: int = 0xFF544347) -> bytes:
    """Return a TPMS_ATTEST."""
    return (
        struct.pack(">IH", magic, kind) + sized(b"\x00\x0b" + bytes(32)) + sized(extra) + bytes(25) + content
    )


def quoted(pcrs: dict[int, bytes]) -> bytes:
    """Return the TPMS_QUOTE_INFO over PCR values of the SHA-256 bank."""
    select = bytearray(3)
    for index in pcrs:
        select[index // 8] |= 1 << index % 8
    digest = hashlib.sha256(b"".join(pcrs[index] for index in sorted(pcrs))).digest()
    return struct.pack(">IHB", 1, 0x000B, 3) + bytes(select) + sized(digest)


@dataclass(frozen=True)
class Forge:
    """What a TPM says; each field may be replaced by what an attacker would have it say."""

    binding: Binding | None = None
    pcrs: dict[int, bytes] = field(default_factory=lambda: {11: workload_pcr(MANIFEST)})
    ak_key: Any = field(default_factory=p256)
    ak_attributes: int = AK
    key: ec.EllipticCurvePrivateKey = field(default_factory=p256)
    key_attributes: int = ECDH
    key_policy: bytes | None = None
    key_extra: bytes | None = None
    magic: int = 0xFF544347
    nonce: bytes = NONCE

    @property
    def ak(self) -> bytes:
        own = self.ak_key.public_key()
        make = rsa_public if isinstance(own, rsa.RSAPublicKey) else public
        return make(own, self.ak_attributes)

    def bound(self) -> "Forge":
        """Return the same with a binding of its key."""
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        made = int(NOW.timestamp())
        return replace(
            self, binding=Binding(manifest=MANIFEST, key=point, issued=made - 5, expires=made + 600)
        )

    def evidence(self, ek: Party | None = None, **parts: Any) -> Evidence:
        """Return a quote with its parts."""
        signed = self.nonce if self.binding is None else self.binding.qualifying_data(self.nonce)
        report = attest(0x8018, signed, quoted(self.pcrs), self.magic)
        content: dict[str, Any] = {
            "signature": sign(self.ak_key, report),
            "pcrs": self.pcrs,
            "ak": self.ak,
            "ek_certificate": (ek or authorities()[1]).der,
            "activation": SECRET,
        }
        if self.binding is not None:
            policy = pcr_policy(11, self.pcrs[11]) if self.key_policy is None else self.key_policy
            area = public(self.key.public_key(), self.key_attributes, policy, scheme=0x0019)
            extra = signed if self.key_extra is None else self.key_extra
            certified = attest(0x8017, extra, sized(name_of(area)) + sized(b"\x00\x0b" + bytes(32)))
            content |= {
                "key": area,
                "key_attest": certified,
                "key_signature": sign(self.ak_key, certified),
            }
        tpm = TpmParts(**(content | parts))
        return Evidence(kind=Kind.TPM, report=report, tpm=tpm, binding=self.binding)

    def challenge(self, ek: Party | None = None) -> Challenge:
        """Return what the verifier drew, for a TPM that recovered the credential."""
        der = (ek or authorities()[1]).der
        return Challenge(self.nonce, Credential(der, name_of(self.ak), b"", b"", SECRET))


SECRET = b"\x5e" * 32
