"""A Nitro hypervisor of our own making."""

from functools import cache
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from eyelid.infer.enclave.evidence import Binding, Evidence, Kind
from tests.infer.enclave.forge.pki import NOW, Party, issue, p384

PCRS = {index: bytes([index + 1]) * 48 if index in (0, 1, 2, 4) else bytes(48) for index in range(16)}


@cache
def authorities() -> tuple[Party, Party, Party]:
    """Return our root, what is below it, and the enclave."""
    root = issue("aws.nitro-enclaves", p384())
    zone = issue("zone", p384(), root, path_length=0)
    return root, zone, issue("enclave", p384(), zone, authority=False)


def sign(signer: Party, payload: bytes, protected: bytes = b"\xa1\x01\x38\x22") -> bytes:
    """Return a COSE_Sign1."""
    assert isinstance(signer.key, ec.EllipticCurvePrivateKey)
    signed = cbor2.dumps(["Signature1", protected, b"", payload])
    r, s = decode_dss_signature(signer.key.sign(signed, ec.ECDSA(SHA384())))
    return bytes(cbor2.dumps([protected, {}, payload, r.to_bytes(48, "big") + s.to_bytes(48, "big")]))


def document(**changes: Any) -> bytes:
    """Return a signed document; a change replaces a field."""
    root, zone, enclave = authorities()
    fields = {
        "module_id": "i-0-enc0",
        "digest": "SHA384",
        "timestamp": int(NOW.timestamp() * 1000) - 5000,
        "pcrs": PCRS,
        "certificate": enclave.der,
        "cabundle": [root.der, zone.der],
        "public_key": None,
        "user_data": None,
        "nonce": bytes(32),
    } | changes
    return sign(enclave, cbor2.dumps(fields))


def evidence(nonce: bytes = bytes(32), binding: Binding | None = None, **changes: Any) -> Evidence:
    """Return a document as evidence."""
    bound = {} if binding is None else {"user_data": binding.report_data(nonce), "public_key": binding.key}
    data = document(nonce=nonce, **(bound | changes))
    return Evidence(kind=Kind.NITRO, report=data, binding=binding)
