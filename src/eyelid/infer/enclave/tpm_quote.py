"""Quotes of a TPM 2.0: the state that it recorded, and a key that it uses only in that state."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eyelid.infer.enclave import chain
from eyelid.infer.enclave import tpm_structures as tpm
from eyelid.infer.enclave.appraisal import Claims
from eyelid.infer.enclave.case import Authentic
from eyelid.infer.enclave.evidence import Assurance, Kind, workload_pcr
from eyelid.infer.enclave.findings import Refused

if TYPE_CHECKING:
    from eyelid.infer.enclave.case import Case
    from eyelid.infer.enclave.chain import Chain
    from eyelid.infer.enclave.evidence import Binding, TpmParts
    from eyelid.infer.enclave.findings import Findings
    from eyelid.infer.enclave.policy import TpmPolicy

_RESIDENT: Final = tpm.FIXED_TPM | tpm.FIXED_PARENT | tpm.SENSITIVE_DATA_ORIGIN
_MODEL: Final = x509.ObjectIdentifier("2.23.133.2.2")
_EK_PURPOSE: Final = x509.ObjectIdentifier("2.23.133.8.1")
_PROGRAMS: Final = ("swtpm", "libtpms", "simulator")


def examine(case: Case, found: Findings) -> Authentic:
    """Authenticate a quote and compare it with the policy; raises Refused where it is not authentic."""
    parts, policy = case.evidence.tpm, case.policy.settings.tpm
    assert parts is not None
    assert policy is not None
    quote = tpm.parse_attest(case.evidence.report, tpm.QUOTE, "the quote")
    signature = tpm.parse_signature(parts.signature, "the quote's signature")
    ak = tpm.parse_public(parts.ak, "the attestation key")
    above = _endorsement(case, parts, found)
    _activation(case, parts, ak, policy, found)
    _signed(ak, signature, case.evidence.report, "the quote")
    found.found("signature", "the attestation key signed the quote")
    covered = b"".join(parts.pcrs.get(index, b"") for index in quote.pcrs)
    if tuple(sorted(parts.pcrs)) != quote.pcrs or not hmac.compare_digest(
        hashlib.new(signature.hash_name, covered).digest(), quote.pcr_digest
    ):
        raise Refused("pcrs", "the PCR values are not those that the quote covers")
    found.found("pcrs", f"the quote covers PCR {', '.join(map(str, quote.pcrs))}")
    for name, values in sorted(policy.pcrs.items(), key=lambda item: int(item[0])):
        value = parts.pcrs.get(int(name))
        found.allowed(
            "measurement", "absent" if value is None else value.hex(), values, f"value of PCR {name}"
        )
    if case.evidence.binding is None:
        if not policy.pcrs:
            found.add(
                "measurement", False, "", "the policy lists no PCR, and no manifest is bound to the quote"
            )
    else:
        _workload(parts, case.evidence.binding, policy, found)
        _key(parts, ak, case.evidence.binding, quote.extra, policy, found)
    claims = Claims(
        kind=Kind.TPM,
        eat_nonce=quote.extra.hex(),
        measurements={f"pcr{index}": parts.pcrs[index].hex() for index in quote.pcrs},
        hwmodel=_model(chain.load(parts.ek_certificate)),
        ueid=ak.name.hex(),
        not_after=above.not_after,
        root=above.root.sha256,
    )
    return Authentic(claims, above.root, quote.extra)


def _endorsement(case: Case, parts: TpmParts, found: Findings) -> Chain:
    """Return the chain of the endorsement key's certificate."""
    try:
        certificate = chain.load(parts.ek_certificate)
    except ValueError:
        raise Refused("format", "the certificate of the endorsement key is malformed") from None
    above = chain.to_root(certificate, chain.load_some(case.certificates), case.roots, case.at)
    try:
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        purposes = None
    if purposes is not None and _EK_PURPOSE not in purposes:
        raise Refused("certificate-chain", "the certificate is not one of an endorsement key")
    model = _model(certificate) or ""
    if above.root.assurance is Assurance.HARDWARE_TPM and any(name in model.lower() for name in _PROGRAMS):
        raise Refused(
            "certificate-chain",
            f"the policy calls {above.root.name} hardware, but this TPM is a program: {model}",
        )
    found.found("certificate-chain", f"the endorsement key {above.describe()}")
    return above


def _activation(case: Case, parts: TpmParts, ak: tpm.Public, policy: TpmPolicy, found: Findings) -> None:
    """Refuse an attestation key that could sign anything, or is not known to live in the TPM of the EK."""
    if not ak.has(_RESIDENT | tpm.RESTRICTED | tpm.SIGN) or ak.has(tpm.DECRYPT):
        raise Refused("activation", "the attestation key is not restricted to what the TPM itself made")
    credential = case.challenge.credential
    if credential is not None:
        if not (
            credential.ek_certificate == parts.ek_certificate
            and credential.ak_name == ak.name
            and hmac.compare_digest(credential.secret, parts.activation or b"")
        ):
            raise Refused("activation", "the TPM of this endorsement key did not recover the credential")
        found.found("activation", "the TPM recovered the credential: both keys are in it")
    elif ak.name.hex() in policy.aks:
        found.found("activation", "the attestation key is on the policy's list of activated ones")
    else:
        raise Refused(
            "activation",
            "nothing shows that attestation key and endorsement key are in one TPM: "
            f"activate it, or list {ak.name.hex()} in aks if that was done",
        )


def _workload(parts: TpmParts, binding: Binding, policy: TpmPolicy, found: Findings) -> None:
    before = bytes.fromhex(policy.workload_pcr_before)
    expected = workload_pcr(binding.manifest, before)
    found.add(
        "workload",
        parts.pcrs.get(policy.workload_pcr) == expected,
        f"PCR {policy.workload_pcr} holds the manifest, and is capped",
        f"PCR {policy.workload_pcr} does not hold this manifest and the cap after it",
    )


def _key(
    parts: TpmParts, ak: tpm.Public, binding: Binding, extra: bytes, policy: TpmPolicy, found: Findings
) -> None:
    """Check that the HPKE key is in the TPM, and usable only while the workload's PCR holds its value."""
    if parts.key is None or parts.key_attest is None or parts.key_signature is None:
        raise Refused("key", "the evidence names a key, but not one that the TPM vouches for")
    key = tpm.parse_public(parts.key, "the key")
    attest = tpm.parse_attest(parts.key_attest, tpm.CERTIFY, "the key's certificate")
    signature = tpm.parse_signature(parts.key_signature, "the key certificate's signature")
    _signed(ak, signature, parts.key_attest, "the key's certificate")
    value = parts.pcrs.get(policy.workload_pcr, b"")
    problems = [
        problem
        for sound, problem in (
            (hmac.compare_digest(attest.name, key.name), "the TPM vouches for another key"),
            (hmac.compare_digest(attest.extra, extra), "the TPM vouched for the key under another nonce"),
            (_point(key) == binding.key, "the key is not the one that the evidence is bound to"),
            (key.has(_RESIDENT | tpm.DECRYPT), "the key can leave the TPM, or does not decrypt"),
            (
                not key.attributes & (tpm.USER_WITH_AUTH | tpm.RESTRICTED | tpm.SIGN),
                "the key can be used without its policy, or for more than key agreement",
            ),
            (
                hmac.compare_digest(key.policy, tpm.pcr_policy(policy.workload_pcr, value)),
                f"the key is not bound to the value of PCR {policy.workload_pcr}",
            ),
        )
        if not sound
    ]
    found.add(
        "key",
        not problems,
        f"the key stays in the TPM and works only while PCR {policy.workload_pcr} holds this value",
        "; ".join(problems),
    )


def _signed(ak: tpm.Public, signature: tpm.Signature, data: bytes, what: str) -> None:
    try:
        signature.check(ak.key, data)
    except InvalidSignature:
        raise Refused("signature", f"the attestation key did not sign {what}") from None


def _point(key: tpm.Public) -> bytes | None:
    """Return a P-256 key's uncompressed point, None for any other key."""
    if isinstance(key.key, ec.EllipticCurvePublicKey) and isinstance(key.key.curve, ec.SECP256R1):
        return key.key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return None


def _model(certificate: x509.Certificate) -> str | None:
    """Return the model that an endorsement key's certificate names (TCG EK credential profile, 3.2.9)."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    for directory in names.get_values_for_type(x509.DirectoryName):
        for attribute in directory.get_attributes_for_oid(_MODEL):
            return "".join(c for c in str(attribute.value) if c.isprintable())[:80]
    return None
