"""Nitro documents of our own hypervisor: what the policy refuses, and what is no document."""

from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelid.infer.enclave.appraisal import Appraisal
from eyelid.infer.enclave.case import Challenge
from eyelid.infer.enclave.evidence import Evidence, Kind
from eyelid.infer.enclave.verify import verify
from tests.infer.enclave.forge import nitro
from tests.infer.enclave.forge.pki import NOW, issue, p256, p384
from tests.infer.enclave.forge.policies import policy

NONCE = bytes(32)
ROOT, ZONE, ENCLAVE = nitro.authorities()


def appraise(document: bytes, **section: Any) -> Appraisal:
    evidence = Evidence(kind=Kind.NITRO, report=document)
    return verify(evidence, policy(Kind.NITRO, **section), at=NOW, challenge=Challenge(NONCE))


def failed(appraisal: Appraisal) -> list[str]:
    return [check.name for check in appraisal.failures]


def test_a_tag_may_stand_before_the_document() -> None:
    assert appraise(nitro.document()).passed
    assert appraise(b"\xd2" + nitro.document()).passed
    assert failed(appraise(b"\xd3" + nitro.document())) == ["format"]


def test_an_enclave_for_debugging_is_refused() -> None:
    zero = nitro.PCRS | {index: bytes(48) for index in range(3)}
    assert failed(appraise(nitro.document(pcrs=zero), pcrs="any")) == ["debug"]
    assert appraise(nitro.document(pcrs=zero), pcrs="any", debug=True).passed
    one = nitro.PCRS | {0: bytes(48), 1: bytes(48)}
    assert failed(appraise(nitro.document(pcrs=one), pcrs="any")) == []


def test_each_listed_pcr_counts() -> None:
    assert failed(appraise(nitro.document(), pcrs={"0": ["00" * 48]})) == ["measurement"]
    assert failed(appraise(nitro.document(), pcrs={"0": ["01" * 48], "8": ["01" * 48]})) == ["measurement"]
    assert appraise(nitro.document(), pcrs={"0": ["01" * 48], "8": ["00" * 48]}).passed
    few = {index: nitro.PCRS[index] for index in range(3)}
    verdict = appraise(nitro.document(pcrs=few), pcrs={"8": ["00" * 48]})
    assert "absent" in verdict.failures[0].reason


@pytest.mark.parametrize(
    "changes",
    [
        {"module_id": 1},
        {"digest": "SHA256"},
        {"timestamp": "now"},
        {"timestamp": 2**70},
        {"timestamp": True},
        {"pcrs": {}},
        {"pcrs": [bytes(48)] * 3},
        {"pcrs": {0: bytes(48), 1: bytes(48)}},
        {"pcrs": nitro.PCRS | {"0": bytes(48)}},
        {"pcrs": nitro.PCRS | {32: bytes(48)}},
        {"pcrs": nitro.PCRS | {5: bytes(32)}},
        {"certificate": None},
        {"certificate": b"x"},
        {"cabundle": []},
        {"cabundle": [1]},
        {"cabundle": ROOT.der},
        {"cabundle": [ROOT.der] * 9},
        {"public_key": "key"},
        {"user_data": 1},
        {"nonce": [0]},
    ],
)
def test_fields_of_another_kind_are_refused(changes: dict[str, Any]) -> None:
    assert failed(appraise(nitro.document(**changes))) == ["format"]


@pytest.mark.parametrize(
    "document",
    [
        b"\x80",
        b"\x01",
        b"\xd2\x01",
        cbor2.dumps([b"", {}, b"", b""]),
        cbor2.dumps([b"\xa1\x01\x26", {}, b"", bytes(96)]),
        cbor2.dumps([b"\xa1\x01\x38\x22", {1: 2}, b"", bytes(96)]),
        cbor2.dumps([b"\xa1\x01\x38\x22", {}, b"\x01", bytes(96)]),
        cbor2.dumps([b"\xa1\x01\x38\x22", {}, b"\x01", bytes(95)]),
        cbor2.dumps([b"\xa1\x01\x38\x22", {}, "text", bytes(96)]),
        nitro.document() + b"\x00",
        b"\x9b" + b"\xff" * 8,
        b"\x81" * 5000,
        b"\xd8\x1c" * 2000,
    ],
)
def test_what_is_no_document_is_refused(document: bytes) -> None:
    assert failed(appraise(document)) == ["format"]


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.binary() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.integers() | st.text(), inner),
        max_leaves=8,
    )
)
def test_any_other_cbor_is_refused(item: Any) -> None:
    assert failed(appraise(cbor2.dumps(item))) == ["format"]
    protected = b"\xa1\x01\x38\x22"
    signed = nitro.sign(ENCLAVE, cbor2.dumps(item), protected)
    assert failed(appraise(signed)) == ["format"]


@pytest.mark.parametrize("protected", [b"\xa1\x01\x26", b"\xa0", b"\xa2\x01\x38\x22\x02\x80", b"\x01"])
def test_a_header_that_names_another_algorithm_is_refused(protected: bytes) -> None:
    payload = cbor2.loads(nitro.document())[2]
    assert appraise(nitro.sign(ENCLAVE, payload)).passed
    assert failed(appraise(nitro.sign(ENCLAVE, payload, protected))) == ["format"]


def test_another_key_than_the_certificate_s_is_refused() -> None:
    other = issue("enclave", p384(), ZONE, authority=False)
    assert failed(appraise(nitro.document(certificate=other.der))) == ["signature"]
    small = issue("enclave", p256(), ZONE, authority=False)
    assert failed(appraise(nitro.document(certificate=small.der))) == ["signature"]


def test_a_bundle_that_does_not_lead_to_the_root_is_refused() -> None:
    false_root = issue("aws.nitro-enclaves", p384())
    for bundle in ([ROOT.der], [false_root.der], [ROOT.der, issue("zone", p384(), false_root).der]):
        assert failed(appraise(nitro.document(cabundle=bundle))) == ["certificate-chain"]
    assert appraise(nitro.document(cabundle=[b"noise", ZONE.der, false_root.der])).passed
