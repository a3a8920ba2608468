"""Saved evidence and its JSON, what binds it to a key, and the published schemas."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from eyelid.errors import InputError, UsageError
from eyelid.infer.enclave.case import Challenge
from eyelid.infer.enclave.evidence import CAP, PART_LIMIT, Binding, Evidence, Kind, workload_pcr
from eyelid.infer.enclave.evidence_file import FILE_LIMIT, read_evidence
from eyelid.infer.enclave.schema import MODELS, json_schema
from eyelid.infer.enclave.verify import verify
from tests.infer.enclave.forge import nitro, tpm
from tests.infer.enclave.forge.pki import NOW
from tests.infer.enclave.forge.policies import policy

PUBLISHED = Path(__file__).parents[3] / "docs" / "schema"
BINDING = Binding(manifest=b"m" * 32, key=b"k" * 32, issued=1, expires=2)


def test_evidence_survives_its_file(tmp_path: Path) -> None:
    evidence = tpm.Forge().bound().evidence()
    path = tmp_path / "evidence.json"
    path.write_text(evidence.model_dump_json(by_alias=True))
    assert read_evidence(path) == evidence == read_evidence(path, Kind.TPM)
    jsonschema.validate(json.loads(path.read_text()), json.loads(json_schema("attestation")))
    with pytest.raises(UsageError, match="holds evidence of kind tpm, not tdx"):
        read_evidence(path, Kind.TDX)


def test_raw_evidence_needs_its_kind(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    path.write_bytes(b"anything")
    assert read_evidence(path, Kind.SGX) == Evidence(kind=Kind.SGX, report=b"anything")
    with pytest.raises(UsageError, match="add --kind, one of sev-snp, tdx, sgx, nitro"):
        read_evidence(path)
    with pytest.raises(InputError, match="several parts"):
        read_evidence(path, Kind.TPM)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"x" * (PART_LIMIT + 1), "larger than 65,536 bytes"),
        (b"{" + b" " * FILE_LIMIT, "larger than"),
        (b"{", "is not evidence as eyelid-attestation/1 defines it"),
        (b"{}", "kind: Field required"),
        (b'{"kind": "tpm", "report": "AAAA"}', "evidence of kind tpm, and no other, has the part tpm"),
        (b'{"kind": "sgx", "report": "?"}', "report: "),
        (b'{"kind": "sgx", "report": "AAAA", "schema": "eyelid-attestation/9"}', "schema: "),
        (b'{"kind": "sgx", "report": "AAAA", "more": 1}', "more: Extra inputs are not permitted"),
    ],
)
def test_files_that_are_no_evidence(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "evidence"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_evidence(path, None)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        read_evidence(tmp_path / "none")
    with pytest.raises(InputError, match="can't be read"):
        read_evidence(tmp_path)


@given(cut=st.integers(0, 5000), noise=st.text(max_size=10))
def test_damaged_json_raises_input_error_alone(
    tmp_path_factory: pytest.TempPathFactory, cut: int, noise: str
) -> None:
    path = tmp_path_factory.mktemp("evidence") / "x.json"
    path.write_text(SAVED[:cut] + noise + SAVED[cut:])
    with suppress(InputError):
        read_evidence(path, Kind.TPM)


SAVED = tpm.Forge().bound().evidence().model_dump_json(by_alias=True)


def test_the_hash_that_is_signed_is_the_documented_one() -> None:
    statement = b"eyelid-enclave-v1" + bytes(32) + hashlib.sha256(b"k" * 32).digest() + b"m" * 32
    statement += (1).to_bytes(8, "big") + (2).to_bytes(8, "big")
    assert BINDING.report_data(bytes(32)) == hashlib.sha512(statement).digest()
    assert BINDING.qualifying_data(bytes(32)) == hashlib.sha256(statement).digest()
    with pytest.raises(ValueError, match="32 bytes"):
        BINDING.report_data(bytes(31))


@pytest.mark.parametrize(
    "change",
    [
        {"manifest": b"n" * 32},
        {"key": b"l" * 32},
        {"issued": 0},
        {"expires": 3},
    ],
)
def test_each_part_of_a_binding_counts(change: dict[str, Any]) -> None:
    other = BINDING.model_copy(update=change)
    assert other.report_data(bytes(32)) != BINDING.report_data(bytes(32))
    assert other.qualifying_data(bytes(32)) != BINDING.qualifying_data(bytes(32))
    assert BINDING.report_data(b"\x01" + bytes(31)) != BINDING.report_data(bytes(32))


@pytest.mark.parametrize(
    "change", [{"issued": 2}, {"expires": 2**60}, {"manifest": b"short"}, {"key": b"short"}]
)
def test_bindings_that_can_not_be(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Binding.model_validate(BINDING.model_dump() | change)


def test_the_workload_register_is_extended_twice() -> None:
    first = hashlib.sha256(bytes(32) + b"m" * 32).digest()
    assert workload_pcr(b"m" * 32) == hashlib.sha256(first + CAP).digest()
    assert workload_pcr(b"m" * 32, b"b" * 32) != workload_pcr(b"m" * 32)


@pytest.mark.parametrize("name", list(MODELS))
def test_the_schemas_are_published(name: str) -> None:
    assert (PUBLISHED / f"{name}.schema.json").read_text() == json_schema(name), "run: make schema"


def test_an_appraisal_fits_its_schema() -> None:
    schema = json.loads(json_schema("appraisal"))
    for nonce in (bytes(32), bytes(31)):
        verdict = verify(nitro.evidence(), policy(Kind.NITRO), at=NOW, challenge=Challenge(nonce))
        content = json.loads(verdict.model_dump_json(by_alias=True))
        jsonschema.validate(content, schema)
        assert content["passed"] is (nonce == bytes(32))
        assert content["claims"]["eat_profile"] == "urn:eyelid:claims:1"
        assert content["claims"]["dbgstat"] == "disabled"
