"""The record of an audit: it fits its published schema, and an edited or foreign one is noticed."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

import eyelid
from eyelid.audit.file import read, write
from eyelid.audit.model import Audit, Standing, json_schema
from eyelid.audit.verify import AuditVerification, verify_audit
from eyelid.errors import EvidenceError
from eyelid.evidence.file import evidence_path, output_file
from eyelid.evidence.file import write as write_evidence
from eyelid.evidence.records import canonical
from eyelid.evidence.signing import SigningKeyFiles, generate_signing_key, load_signing_key
from eyelid.evidence.verify import SignatureState, Verification
from tests.audit.samples import audited
from tests.evidence.samples import clip_evidence

PUBLISHED = Path(__file__).parents[2] / "docs" / "schema" / "audit.schema.json"


def test_the_published_schema_is_that_of_the_model() -> None:
    assert PUBLISHED.read_text() == json_schema(), "run: make schema"


@pytest.fixture
def key(tmp_path: Path) -> SigningKeyFiles:
    return generate_signing_key(tmp_path / "officer.pem")


def written(folder: Path, key: SigningKeyFiles | None, standing: Standing = Standing.EXPOSED) -> Path:
    """Write an output and an audit of it."""
    output = folder / "street.anon.mp4"
    output.write_bytes(b"anonymised")
    document = audited(standing).audit.model_dump(by_alias=True)
    made = Audit.model_validate(document | {"output": output_file(output, output.name)})
    path = folder / "street.audit.json"
    write(made, path, key=load_signing_key(key.private) if key else None, force=True)
    return path


@pytest.mark.parametrize("standing", Standing)
def test_what_is_written_fits_the_schema_and_reads_back(tmp_path: Path, standing: Standing) -> None:
    path = written(tmp_path, None, standing)
    schema = json.loads(PUBLISHED.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(json.loads(path.read_text()))
    assert read(path).verdict == audited(standing).audit.verdict
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(json.loads(path.read_text()) | {"verdict": "fine"})


def test_a_signed_audit_is_verified_by_its_key(tmp_path: Path, key: SigningKeyFiles) -> None:
    path = written(tmp_path, key)
    found = verify_audit(path, trusted_key=key.public)
    assert (found.ok, found.trusted, found.key_id) == (True, True, key.key_id)
    assert "fits its audit, signed by key" in found.sentence()
    other = generate_signing_key(tmp_path / "other.pem")
    assert verify_audit(path, trusted_key=other.public).signature is SignatureState.OTHER_KEY


def test_without_a_signature_it_says_so(tmp_path: Path, key: SigningKeyFiles) -> None:
    path = written(tmp_path, None)
    assert verify_audit(path).ok
    assert "is not signed" in verify_audit(path).sentence()
    assert not verify_audit(path, trusted_key=key.public).ok


def test_a_kinder_verdict_breaks_the_signature(tmp_path: Path, key: SigningKeyFiles) -> None:
    path = written(tmp_path, key)
    document = json.loads(path.read_text())
    document["verdict"]["standing"] = "at chance"
    path.write_bytes(canonical(document))
    found = verify_audit(path)
    assert (found.ok, found.signature) == (False, SignatureState.INVALID)
    assert "was changed after it was signed" in found.sentence()


def test_an_audit_of_another_file_is_noticed(tmp_path: Path, key: SigningKeyFiles) -> None:
    path = written(tmp_path, key)
    (tmp_path / "street.anon.mp4").write_bytes(b"another")
    assert not verify_audit(path).ok
    assert "is NOT the file" in verify_audit(path).sentence()
    (tmp_path / "street.anon.mp4").unlink()
    with pytest.raises(EvidenceError, match="is not there"):
        verify_audit(path)


def test_python_verifies_an_output_its_evidence_and_its_audit_alike(
    tmp_path: Path, key: SigningKeyFiles
) -> None:
    path = written(tmp_path, key)
    output = tmp_path / "street.anon.mp4"
    write_evidence(clip_evidence(output), evidence_path(output))
    of_audit = eyelid.verify(path, trusted_key=str(key.public))
    assert isinstance(of_audit, AuditVerification)
    assert (of_audit.ok, of_audit.trusted, of_audit.audit_path) == (True, True, path)
    assert of_audit.audit.verdict == audited().audit.verdict
    for given in (output, str(output), evidence_path(output)):
        of_evidence = eyelid.verify(given)
        assert isinstance(of_evidence, Verification)
        assert of_evidence.ok
        assert of_evidence.evidence.output.name == output.name
    output.write_bytes(b"another")
    assert not eyelid.verify(path).ok
    assert not eyelid.verify(output).ok


def test_an_output_that_lies_elsewhere_can_be_named(tmp_path: Path, key: SigningKeyFiles) -> None:
    path = written(tmp_path, key)
    moved = (tmp_path / "street.anon.mp4").rename(tmp_path / "moved.mp4")
    with pytest.raises(EvidenceError, match="put the two side by side"):
        eyelid.verify(path)
    assert eyelid.verify(path, moved).ok


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON; it was damaged, or is no audit of eyelid"),
        (b"{}\n", "is no audit of eyelid; name the .audit.json file"),
        (b'{"schema": "eyelid-audit/2"}', "another version"),
        (b'{"schema": "eyelid-audit/1"}', "was edited"),
        (b'{\n  "schema": "eyelid-audit/1"\n}\n', "is not valid at"),
    ],
)
def test_a_damaged_audit_is_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "street.audit.json"
    path.write_bytes(content)
    with pytest.raises(EvidenceError, match=message) as caught:
        eyelid.verify(path)
    assert "\n" not in str(caught.value)


def test_a_number_in_quotes_is_no_number(tmp_path: Path) -> None:
    path = written(tmp_path, None)
    document = json.loads(path.read_text())
    document["frames"] = "123"
    path.write_bytes(canonical(document))
    with pytest.raises(EvidenceError, match="not valid at 'frames'"):
        read(path)


def test_an_audit_of_before_places_were_named_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, None)
    document = json.loads(path.read_text())
    for span in document["visible"]:
        del span["place"]
    path.write_bytes(canonical(document))
    assert [span.place for span in read(path).visible] == [None] * len(document["visible"])
