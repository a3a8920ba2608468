"""AWS Nitro attestation documents: a COSE_Sign1 (RFC 9052), signed by a key that lives for hours."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from eyelid.infer.enclave import chain
from eyelid.infer.enclave.appraisal import Claims
from eyelid.infer.enclave.case import Authentic
from eyelid.infer.enclave.evidence import Kind, utc
from eyelid.infer.enclave.findings import Refused
from eyelid.models.extras import require

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography import x509

    from eyelid.infer.enclave.case import Case
    from eyelid.infer.enclave.findings import Findings
    from eyelid.infer.enclave.policy import NitroPolicy
    from eyelid.infer.enclave.roots import PinnedRoot

_SIGN1: Final = 18
_ES384: Final = {1: -35}
_COORDINATE: Final = 48
_DEBUG_PCRS: Final = (0, 1, 2)
"""The enclave's image, kernel and application: all zero where it was started for debugging."""


@dataclass(frozen=True, slots=True)
class Document:
    """The fields of a document that are appraised; ``made`` is its own time, to the millisecond."""

    module: str
    made: datetime
    pcrs: dict[int, bytes]
    certificate: bytes
    bundle: tuple[bytes, ...]
    public_key: bytes | None
    user_data: bytes | None
    nonce: bytes | None
    protected: bytes
    payload: bytes
    signature: bytes

    @property
    def debug(self) -> bool:
        """Whether the enclave was started for debugging, so that its console and memory are open."""
        return not any(any(self.pcrs[index]) for index in _DEBUG_PCRS)


def parse(data: bytes) -> Document:
    """Read a document; raises Refused where it is not exactly the structure that AWS documents."""
    sign1 = _decode(data, "the document")
    if getattr(sign1, "tag", None) == _SIGN1:
        sign1 = sign1.value
    if not isinstance(sign1, list | tuple) or len(sign1) != 4:
        raise Refused("format", "the document is not a COSE_Sign1")
    protected, unprotected, payload, signature = sign1
    if not all(isinstance(part, bytes) for part in (protected, payload, signature)) or unprotected != {}:
        raise Refused("format", "the parts of the COSE_Sign1 are not those of a Nitro document")
    if _decode(protected, "the protected header") != _ES384:
        raise Refused("format", "the document is not signed with ES384")
    if len(signature) != 2 * _COORDINATE:
        raise Refused("format", "the signature has not the size of ES384")
    fields = _decode(payload, "the payload")
    if not isinstance(fields, dict):
        raise Refused("format", "the payload is not a map")
    pcrs, bundle, millis = (_field(fields, name, kind) for name, kind in _STRUCTURED.items())
    if _field(fields, "digest", str) != "SHA384":
        raise Refused("format", "the digest of the PCRs is not SHA384")
    if not all(isinstance(c, bytes) for c in bundle) or not 1 <= len(bundle) <= chain.MAX_DEPTH:
        raise Refused("format", "the certificate bundle is malformed")
    if not all(
        isinstance(i, int) and 0 <= i < 32 and isinstance(v, bytes) and len(v) == 48 for i, v in pcrs.items()
    ):
        raise Refused("format", "the PCRs are malformed")
    if not set(_DEBUG_PCRS) <= pcrs.keys():
        raise Refused("format", "the document lacks one of PCR 0, 1 and 2")
    try:
        made = utc(millis // 1000)
    except ValueError:
        raise Refused("format", "the time of the document is out of range") from None
    return Document(
        module=_field(fields, "module_id", str),
        made=made,
        pcrs=pcrs,
        certificate=_field(fields, "certificate", bytes),
        bundle=tuple(bundle),
        public_key=_optional(fields, "public_key"),
        user_data=_optional(fields, "user_data"),
        nonce=_optional(fields, "nonce"),
        protected=protected,
        payload=payload,
        signature=signature,
    )


_STRUCTURED: Final[dict[str, type]] = {"pcrs": dict, "cabundle": list, "timestamp": int}


def examine(case: Case, found: Findings) -> Authentic:
    """Authenticate a document and compare it with the policy; raises Refused where it is not authentic."""
    require("a Nitro document", "enclave", "cbor2")
    policy = case.policy.settings.nitro
    assert policy is not None
    document = parse(case.evidence.report)
    signed = document.nonce if case.evidence.binding is None else document.user_data
    authentic = _authenticate(document, signed or b"", case.roots, case.at, found)
    _appraise(document, policy, found)
    return authentic


def _authenticate(
    document: Document, signed: bytes, roots: Sequence[PinnedRoot], at: datetime, found: Findings
) -> Authentic:
    try:
        leaf = chain.load(document.certificate)
    except ValueError:
        raise Refused("format", "the certificate of the document is malformed") from None
    _verify(document, leaf)
    found.found("signature", "the enclave's certificate signed the document (ES384)")
    above = chain.to_root(leaf, chain.load_some(document.bundle), roots, at)
    found.found("certificate-chain", above.describe())
    claims = Claims(
        kind=Kind.NITRO,
        eat_nonce=signed.hex(),
        dbgstat="enabled" if document.debug else "disabled",
        measurements={f"pcr{index}": value.hex() for index, value in sorted(document.pcrs.items())},
        hwmodel="AWS Nitro",
        iat=document.made,
        not_after=above.not_after,
        root=above.root.sha256,
    )
    return Authentic(claims, above.root, signed)


def _appraise(document: Document, policy: NitroPolicy, found: Findings) -> None:
    found.add(
        "debug",
        policy.debug or not document.debug,
        "started for production: PCR 0 to 2 are not zero"
        if not document.debug
        else "started for debugging, which the policy accepts",
        "the enclave was started for debugging: PCR 0 to 2 are zero, so its code is not measured",
    )
    if policy.pcrs == "any":
        found.found("measurement", f"the policy accepts any PCRs; PCR 0 is {document.pcrs[0].hex()}")
        return
    for name, values in sorted(policy.pcrs.items(), key=lambda item: int(item[0])):
        value = document.pcrs.get(int(name))
        shown = "absent" if value is None else value.hex()
        found.allowed("measurement", shown, values, f"value of PCR {name}")


def _verify(document: Document, leaf: x509.Certificate) -> None:
    import cbor2

    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        raise Refused("signature", "the certificate of the document has no key on P-384")
    r, s = (int.from_bytes(document.signature[at : at + _COORDINATE], "big") for at in (0, _COORDINATE))
    signed = cbor2.dumps(["Signature1", document.protected, b"", document.payload])
    try:
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA384()))
    except InvalidSignature:
        raise Refused("signature", "the certificate in the document did not sign it") from None


def _decode(data: bytes, what: str) -> Any:
    """Return the one CBOR item that the bytes hold; raises Refused where there is more, or none."""
    import cbor2

    stream = io.BytesIO(data)
    try:
        item = cbor2.load(stream)
    except (cbor2.CBORDecodeError, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise Refused("format", f"{what} is not CBOR: {type(error).__name__}") from None
    if stream.tell() != len(data):
        raise Refused("format", f"bytes follow {what}")
    return item


def _field(fields: dict[Any, Any], name: str, kind: type) -> Any:
    value = fields.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Refused("format", f"the field {name} is missing or of another type")
    return value


def _optional(fields: dict[Any, Any], name: str) -> bytes | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, bytes):
        raise Refused("format", f"the field {name} is not bytes")
    return value
