"""The record of an audit: it fits its published schema, and an edited or foreign one is noticed."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from eyelid.audit.file import read, write
from eyelid.audit.model import Audit, Standing, json_schema
from eyelid.audit.verify import verify_audit
from eyelid.errors import EvidenceError
from eyelid.evidence.file import canonical, output_file
from eyelid.evidence.signing import SigningKeyFiles, generate_signing_key, load_signing_key
from eyelid.evidence.verify import SignatureState
from tests.audit.samples import audited

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
