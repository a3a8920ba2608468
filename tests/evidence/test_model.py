import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from eyelid.evidence.file import output_file, write
from eyelid.evidence.model import (
    CoveredFrames,
    CoverReason,
    Evidence,
    Frames,
    OutputFile,
    Step,
    TargetCount,
    json_schema,
)
from eyelid.evidence.signing import generate_signing_key, load_signing_key
from eyelid.types import Target
from tests.evidence.samples import clip_evidence, still_evidence

PUBLISHED = Path(__file__).parents[2] / "docs" / "schema" / "evidence.schema.json"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    path = tmp_path / "street.anon.mp4"
    path.write_bytes(b"anonymised" * 100)
    return path


def changed(evidence: Evidence, **parts: Any) -> Evidence:
    return Evidence.model_validate(evidence.model_dump(by_alias=True) | parts)


def test_the_published_schema_is_that_of_the_model() -> None:
    assert PUBLISHED.read_text() == json_schema(), (
        "run: python -m eyelid.evidence.model > docs/schema/evidence.schema.json"
    )


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("still", [False, True])
def test_what_is_written_fits_the_published_schema(output: Path, signed: bool, still: bool) -> None:
    key = load_signing_key(generate_signing_key(output.with_name("k")).private) if signed else None
    evidence = still_evidence(output, faces=2) if still else clip_evidence(output)
    path = output.with_name("x.evidence.json")
    write(evidence, path, key=key)
    document = json.loads(path.read_text())
    validator = jsonschema.Draft202012Validator(json.loads(PUBLISHED.read_text()))
    validator.validate(document)
    document["crop"] = "iVBORw0KGgo"
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(document)


def test_a_run_never_names_its_input(tmp_path: Path) -> None:
    photo = tmp_path / "Jane_Doe.jpg"
    photo.write_bytes(b"raw")
    output = tmp_path / "safe.jpg"
    output.write_bytes(b"safe")
    evidence = changed(still_evidence(photo, faces=1), output=output_file(output, output.name))
    path = tmp_path / "safe.evidence.json"
    write(evidence, path)
    assert b"Jane" not in path.read_bytes()
    assert str(tmp_path).encode() not in path.read_bytes()


@pytest.mark.parametrize("name", ["key", "lock_key", "API_TOKEN", "Password"])
def test_a_secret_parameter_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="secret"):
        Step(name="lock", parameters={name: "0123"})


def test_a_crop_does_not_fit_into_a_sentence(output: Path) -> None:
    with pytest.raises(ValidationError):
        changed(clip_evidence(output), warnings=("A" * 1001,))
    with pytest.raises(ValidationError):
        changed(clip_evidence(output), warnings=("two\nlines",))


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\b", "..", ".", "", "a\nb", "a\0b"])
def test_the_output_is_named_without_a_folder(name: str) -> None:
    with pytest.raises(ValidationError):
        OutputFile(name=name, sha256="0" * 64, size=0)


@pytest.mark.parametrize("name", ["a\udcff.mp4", "a\nb.mp4", "a\\b.mp4"])
def test_a_strange_name_on_disk_does_not_end_the_run(output: Path, name: str) -> None:
    assert "�" in output_file(output, name).name or "?" in output_file(output, name).name


def test_time_is_utc(output: Path) -> None:
    evidence = clip_evidence(output)
    for wrong in (datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))):
        with pytest.raises(ValidationError):
            changed(evidence, created=wrong)


def test_frames_are_counted_within_the_film() -> None:
    def run(first: int, last: int) -> CoveredFrames:
        return CoveredFrames(first=first, last=last, reason=CoverReason.TRACK_LOST)

    assert Frames(total=10, covered=(run(0, 3), run(9, 9))).covered_count == 5
    for wrong in [(run(0, 10),), (run(0, 3), run(3, 4)), (run(5, 6), run(0, 1))]:
        with pytest.raises(ValidationError):
            Frames(total=10, covered=wrong)
    with pytest.raises(ValidationError):
        run(4, 3)
    with pytest.raises(ValidationError):
        Frames(total=10, held=11)
    with pytest.raises(ValidationError):
        Frames(total=0)


def test_every_target_is_counted_once(output: Path) -> None:
    evidence = clip_evidence(output)
    face = evidence.counts[0]
    for wrong in [(), (face,), (face, face), (*evidence.counts, face)]:
        with pytest.raises(ValidationError, match="one count"):
            changed(evidence, counts=wrong)
    too_many = TargetCount(target=Target.FACE, detections=1, tracks=1, frames=97)
    with pytest.raises(ValidationError, match="more frames"):
        changed(evidence, counts=(too_many, evidence.counts[1]))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_number_is_nan(value: float) -> None:
    with pytest.raises(ValidationError):
        Step(name="blur", parameters={"strength": value})
