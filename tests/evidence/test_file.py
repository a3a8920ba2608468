import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyelid.errors import EvidenceError, InputError, OutputError
from eyelid.evidence.file import EVIDENCE, evidence_path, input_file, read, write
from eyelid.evidence.model import Evidence
from eyelid.evidence.records import canonical
from tests.evidence.samples import clip_evidence

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    path = tmp_path / "strasse ü.anon.mp4"
    path.write_bytes(b"anonymised" * 100)
    return path


def test_it_reads_what_it_wrote(output: Path) -> None:
    evidence = clip_evidence(output)
    path = evidence_path(output)
    write(evidence, path)
    found = read(path)
    assert Evidence.model_validate(found.model_dump(by_alias=True, exclude={"signature"})) == evidence
    assert found.signature is None
    assert "strasse ü.anon.mp4" in path.read_text("utf-8")


def test_the_same_evidence_is_the_same_bytes(output: Path) -> None:
    first, second = output.with_name("1.evidence.json"), output.with_name("2.evidence.json")
    write(clip_evidence(output), first)
    write(clip_evidence(output), second)
    assert first.read_bytes() == second.read_bytes()


def test_evidence_is_not_overwritten_without_force(output: Path) -> None:
    path = evidence_path(output)
    path.write_text("mine")
    with pytest.raises(OutputError):
        write(clip_evidence(output), path)
    assert path.read_text() == "mine"
    write(clip_evidence(output), path, force=True)
    assert read(path)
    assert sorted(p.name for p in output.parent.iterdir()) == sorted([output.name, path.name])


def test_the_path_of_evidence() -> None:
    assert evidence_path(Path("a/street.anon.mp4")) == Path("a/street.anon.evidence.json")
    assert evidence_path(Path("a/x.jpg"), full_name=True) == Path("a/x.jpg.evidence.json")


@given(JSON)
def test_canonical_json_is_a_fixed_point(document: object) -> None:
    try:
        text = canonical(document)  # type: ignore[arg-type]
    except UnicodeEncodeError:  # a lone surrogate is no text
        return
    assert canonical(json.loads(text)) == text


def test_other_spellings_are_refused(output: Path) -> None:
    path = evidence_path(output)
    write(clip_evidence(output), path)
    raw = path.read_bytes()
    document = json.loads(raw)
    twice = raw.replace(b'  "schema"', b'  "dropped": [],\n  "schema"', 1)
    for other in [raw + b"\n", raw[:-1], json.dumps(document).encode(), b"\xef\xbb\xbf" + raw, twice]:
        with pytest.raises(EvidenceError):
            EVIDENCE.parse(other, path)


def test_a_number_in_quotes_is_no_number(output: Path) -> None:
    path = evidence_path(output)
    write(clip_evidence(output), path)
    document = json.loads(path.read_bytes())
    document["frames"]["held"] = "12"
    with pytest.raises(EvidenceError, match=r"frames\.held"):
        EVIDENCE.parse(canonical(document), path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[" + b"9" * 5000 + b"]", "not JSON"),
        (b'{"schema": NaN}', "not JSON"),
        (b"[]\n", "no evidence"),
        (b"{}\n", "no evidence"),
        (b'{"schema": "eyelid-evidence/2"}', "another version"),
        (b'{\n  "schema": "eyelid-evidence/1"\n}\n', "not valid at"),
        (b'{"schema": "eyelid-evidence/1"}', "edited"),
        (b'{"schema": "eyelid-evidence/1", "x": "\\ud800"}', "not JSON"),
    ],
)
def test_damaged_evidence_is_named_in_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.evidence.json"
    path.write_bytes(content)
    with pytest.raises(EvidenceError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="can't be read"):
        read(tmp_path / "none.evidence.json")
    with pytest.raises(InputError, match="cannot be read"):
        input_file(tmp_path / "none.jpg")
