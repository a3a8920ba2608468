"""The roots of trust that a policy may pin by name: certificates beside this file, each with its SHA-256.

AMD, AWS and Intel publish them for this use.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from eyelid.errors import AttestationError, UsageError
from eyelid.infer.enclave.evidence import Assurance, Kind

if TYPE_CHECKING:
    from pathlib import Path

FILES: Final = {
    "amd-genoa-ark": "4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1",
    "amd-genoa-ask": "5464738c1546aed5f2cecf1dc98c5c960a92e8913238a61711bc90ec6e828521",
    "amd-milan-ark": "69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd",
    "amd-milan-ask": "67d303bd3905fd38db8b20e0793699870e7fa612eaad5dec358293fd8c0bac1b",
    "amd-turin-ark": "1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a",
    "amd-turin-ask": "5b77ef5fe7a7a004fd9032668fba9d0fda22f88c4442069a479636a6ae3b3185",
    "aws-nitro-g1": "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b",
    "intel-sgx": "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3",
}
"""The shipped certificates and the SHA-256 of each one's DER."""


@dataclass(frozen=True, slots=True)
class _Shipped:
    """A root, the intermediates pinned with it, and the kinds of evidence that may end in it."""

    root: str
    intermediates: tuple[str, ...]
    kinds: frozenset[Kind]


SHIPPED: Final = {
    "amd-genoa": _Shipped("amd-genoa-ark", ("amd-genoa-ask",), frozenset({Kind.SEV_SNP})),
    "amd-milan": _Shipped("amd-milan-ark", ("amd-milan-ask",), frozenset({Kind.SEV_SNP})),
    "amd-turin": _Shipped("amd-turin-ark", ("amd-turin-ask",), frozenset({Kind.SEV_SNP})),
    "aws-nitro-g1": _Shipped("aws-nitro-g1", (), frozenset({Kind.NITRO})),
    "intel-sgx": _Shipped("intel-sgx", (), frozenset({Kind.SGX, Kind.TDX})),
}
"""The names that a policy may use. No TPM vendor is among them: a policy brings its own."""


@dataclass(frozen=True, slots=True)
class PinnedRoot:
    """A certificate (DER) that the policy trusts, and what evidence that chains to it is worth."""

    name: str
    der: bytes
    intermediates: tuple[bytes, ...]
    assurance: Assurance
    shipped: bool

    @property
    def sha256(self) -> str:
        """The fingerprint by which it is pinned."""
        return hashlib.sha256(self.der).hexdigest()


def shipped_root(name: str, kind: Kind) -> PinnedRoot:
    """Return a root by its name; raises UsageError where there is none of this name for this kind."""
    known = [other for other, entry in SHIPPED.items() if kind in entry.kinds]
    if name not in known:
        offer = f"choose of {', '.join(known)}, or give" if known else "eyelid ships none for it: give"
        raise UsageError(
            f"there is no root {name!r} for {kind.value}; {offer} {{ file = ..., sha256 = ... }}"
        )
    entry = SHIPPED[name]
    below = tuple(_shipped_certificate(other) for other in entry.intermediates)
    return PinnedRoot(name, _shipped_certificate(entry.root), below, Assurance.TEE, shipped=True)


def own_root(path: Path, sha256: str, assurance: Assurance) -> PinnedRoot:
    """Read the user's own root (PEM or DER); raises UsageError where it is not the one that is pinned."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"root {path} can't be read ({error.strerror}); check its path (in a policy, from its folder)"
        ) from None
    try:
        load = x509.load_pem_x509_certificate if b"-----BEGIN" in content else x509.load_der_x509_certificate
        der = load(content).public_bytes(Encoding.DER)
    except ValueError:
        raise UsageError(f"root {path} is not a certificate in PEM or DER") from None
    found = hashlib.sha256(der).hexdigest()
    if found != sha256:
        raise UsageError(f"root {path} is not the one that the policy pins: its SHA-256 is {found}")
    return PinnedRoot(path.name, der, (), assurance, shipped=False)


@cache
def _shipped_certificate(name: str) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    pem = resources.files(__name__).joinpath(f"{name}.pem").read_bytes()
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    if hashlib.sha256(der).hexdigest() != FILES[name]:
        raise AttestationError(f"the shipped root {name} is not the one that eyelid names; reinstall eyelid")
    return der
