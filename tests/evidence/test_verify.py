import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyelid.errors import EvidenceError, OutputError
from eyelid.evidence.file import evidence_path, write
from eyelid.evidence.records import canonical
from eyelid.evidence.signing import (
    SigningKeyFiles,
    generate_signing_key,
    key_id,
    load_public_key,
    load_signing_key,
)
from eyelid.evidence.verify import SignatureState, Verification, verify
from tests.evidence.samples import MASKS, clip_evidence, flipped
from tests.full_disk import full_disk


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("verify")


@pytest.fixture(scope="module")
def key(folder: Path) -> SigningKeyFiles:
    return generate_signing_key(folder / "me.pem")


@pytest.fixture(scope="module")
def signed(folder: Path, key: SigningKeyFiles) -> Path:
    output = folder / "street.anon.mp4"
    output.write_bytes(bytes(range(256)) * 4)
    write(clip_evidence(output), evidence_path(output), key=load_signing_key(key.private))
    return output


def copy(output: Path, to: Path) -> Path:
    shutil.copy(evidence_path(output), to)
    return Path(shutil.copy(output, to))


def verified(path: Path) -> bool:
    try:
        return verify(path).ok
    except EvidenceError:
        return False


def test_output_and_evidence_are_both_a_way_in(signed: Path, key: SigningKeyFiles) -> None:
    for path in (signed, evidence_path(signed)):
        found = verify(path)
        assert found.ok
        assert found.intact
        assert not found.trusted
        assert (found.signature, found.key_id) == (SignatureState.VALID, key.key_id)
        assert verify(path, trusted_key=key.public).trusted


def test_the_output_may_lie_elsewhere(signed: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copy(signed, tmp_path / "renamed.mp4"))
    assert verify(evidence_path(signed), moved).ok
    alone = Path(shutil.copy(evidence_path(signed), tmp_path))
    with pytest.raises(EvidenceError, match="not there"):
        verify(alone)
    with pytest.raises(EvidenceError, match="no evidence beside"):
        verify(moved)


def test_full_names_keep_apart_what_differs_by_suffix(tmp_path: Path) -> None:
    outputs = [tmp_path / "a.jpg", tmp_path / "a.png"]
    for output in outputs:
        output.write_bytes(output.name.encode())
        write(clip_evidence(output), evidence_path(output, full_name=True))
    assert all(verify(output).ok for output in outputs)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), mask=MASKS)
def test_any_changed_byte_of_signed_evidence_is_noticed(
    signed: Path, tmp_path: Path, data: st.DataObject, mask: int
) -> None:
    output = copy(signed, tmp_path)
    path = evidence_path(output)
    raw = path.read_bytes()
    path.write_bytes(flipped(raw, data.draw(st.integers(0, len(raw) - 1)), mask))
    assert not verified(output)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), mask=MASKS)
def test_any_changed_byte_of_the_output_is_noticed(
    signed: Path, tmp_path: Path, data: st.DataObject, mask: int
) -> None:
    output = copy(signed, tmp_path)
    raw = output.read_bytes()
    output.write_bytes(flipped(raw, data.draw(st.integers(0, len(raw) - 1)), mask))
    found = verify(output)
    assert not found.ok
    assert found.signature is SignatureState.VALID
    assert "NOT the file" in found.sentence()


def test_a_longer_or_shorter_output_is_noticed(signed: Path, tmp_path: Path) -> None:
    output = copy(signed, tmp_path)
    raw = output.read_bytes()
    for other in (raw[:-1], raw + b"\0", b""):
        output.write_bytes(other)
        assert not verify(output).ok


def every_value(document: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the place of each value in a JSON document."""
    if isinstance(document, dict):
        return [p for name, value in document.items() for p in every_value(value, (*path, name))]
    if isinstance(document, list):
        return [p for i, value in enumerate(document) for p in every_value(value, (*path, i))]
    return [path]


def test_a_wellformed_change_of_any_value_is_noticed(signed: Path, tmp_path: Path) -> None:
    output = copy(signed, tmp_path)
    path = evidence_path(output)
    original = path.read_bytes()
    places = every_value(json.loads(original))
    assert len(places) > 50
    for place in places:
        document = json.loads(original)
        holder = document
        for step in place[:-1]:
            holder = holder[step]
        value = holder[place[-1]]
        if isinstance(value, bool) or value is None:
            holder[place[-1]] = not value
        elif isinstance(value, str):
            holder[place[-1]] = ("0" if value[0] != "0" else "1") + value[1:]
        else:
            holder[place[-1]] = value + 1
        path.write_bytes(canonical(document))
        assert not verified(output), place


def test_evidence_signed_anew_by_someone_else_is_not_trusted(
    signed: Path, key: SigningKeyFiles, tmp_path: Path
) -> None:
    output = copy(signed, tmp_path)
    forger = generate_signing_key(tmp_path / "forger")
    write(clip_evidence(output), evidence_path(output), key=load_signing_key(forger.private), force=True)
    assert verify(output).key_id == forger.key_id != key.key_id
    found = verify(output, trusted_key=key.public)
    assert not found.ok
    assert found.signature is SignatureState.OTHER_KEY
    assert "do not trust" in found.sentence()


def test_unsigned_evidence_says_so(signed: Path, key: SigningKeyFiles, tmp_path: Path) -> None:
    output = copy(signed, tmp_path)
    write(clip_evidence(output), evidence_path(output), force=True)
    found = verify(output)
    assert found.ok
    assert (found.signature, found.key_id) == (SignatureState.ABSENT, None)
    assert "not signed" in found.sentence()
    assert not verify(output, trusted_key=key.public).ok


def test_a_signature_of_other_evidence_does_not_fit(
    signed: Path, key: SigningKeyFiles, tmp_path: Path
) -> None:
    output = copy(signed, tmp_path)
    path = evidence_path(output)
    document = json.loads(path.read_bytes())
    document["dropped"] = []
    path.write_bytes(canonical(document))
    found = verify(output, trusted_key=key.public)
    assert (found.ok, found.signature, found.key_id) == (False, SignatureState.INVALID, None)
    assert "changed after it was signed" in found.sentence()


def test_sentences_are_one_line(signed: Path, key: SigningKeyFiles) -> None:
    found: list[Verification] = [verify(signed), verify(signed, trusted_key=key.public)]
    for verification in found:
        assert key.key_id in verification.sentence()
        assert "\n" not in verification.sentence()


def test_keys_are_private_and_never_lost(tmp_path: Path) -> None:
    files = generate_signing_key(tmp_path / "k.pem")
    assert files.private.stat().st_mode & 0o777 == 0o600
    assert files.public.name == "k.pem.pub"
    assert key_id(load_public_key(files.public)) == files.key_id
    assert key_id(load_signing_key(files.private).public_key()) == files.key_id
    before = files.private.read_bytes()
    with pytest.raises(OutputError, match="exists"):
        generate_signing_key(files.private)
    files.public.unlink()
    with pytest.raises(OutputError, match="exists"):
        generate_signing_key(files.private)
    (tmp_path / "other.pem.pub").touch()
    with pytest.raises(OutputError, match=r"other\.pem\.pub exists"):
        generate_signing_key(tmp_path / "other.pem")
    assert not (tmp_path / "other.pem").exists()
    assert files.private.read_bytes() == before
    with pytest.raises(OutputError, match="cannot be written"):
        generate_signing_key(tmp_path / "none" / "k.pem")


def test_a_full_disk_leaves_no_part_of_a_key(tmp_path: Path) -> None:
    with full_disk(20), pytest.raises(OutputError, match="cannot be written"):
        generate_signing_key(tmp_path / "k.pem")
    assert list(tmp_path.iterdir()) == []


def test_wrong_keys_are_refused_without_showing_them(tmp_path: Path) -> None:
    files = generate_signing_key(tmp_path / "k.pem")
    text = tmp_path / "text.pem"
    text.write_text("hunter2")
    for wrong in (files.public, text, tmp_path / "none"):
        with pytest.raises(EvidenceError) as caught:
            load_signing_key(wrong)
        assert "hunter2" not in str(caught.value)
    for wrong in (files.private, text, tmp_path / "none"):
        with pytest.raises(EvidenceError):
            load_public_key(wrong)
