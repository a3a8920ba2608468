"""Whole audits of a real portrait: covered, not covered, and files that do not belong together."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

import eyelid
from eyelid.attack.base import Knowledge
from eyelid.audit import run, stages
from eyelid.audit.file import read, report_paths, write
from eyelid.audit.model import Standing, Verdict
from eyelid.audit.report import render
from eyelid.audit.run import AuditSettings, audit
from eyelid.audit.verdict import RETRAINED, judge
from eyelid.errors import EvidenceError, InputError, UsageError
from eyelid.evidence.signing import generate_signing_key, load_signing_key
from eyelid.media.kinds import MediaKind
from eyelid.models import extras
from eyelid.types import Target
from tests.attack.faces import invented
from tests.audit.people import black, tracks_of

if TYPE_CHECKING:
    from eyelid.jobs.progress import Progress

PORTRAIT = Path(__file__).parents[2] / "docs" / "images" / "astronaut.jpg"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audit")
    shutil.copy(PORTRAIT, folder / "a.jpg")
    eyelid.anonymize(folder / "a.jpg", targets=["face"])
    faces = invented(people=12, each=3)
    for number, (picture, person) in enumerate(zip(faces.pictures, faces.people.tolist(), strict=True)):
        (folder / "others" / str(person)).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / "others" / str(person) / f"{number}.png"), picture)
    return folder


def test_a_covered_portrait_among_others_is_nobody(folder: Path) -> None:
    settings = AuditSettings(gallery=folder / "others", threads=1)
    audited = audit(folder / "a.anon.jpg", folder / "a.jpg", settings)
    record = audited.audit
    assert record.tracks == 1
    assert record.distractors == 12
    assert record.visible == ()
    assert record.method is not None
    assert record.method.name == "solid"
    assert record.verdict.standing in {Standing.AT_CHANCE, Standing.IN_DOUBT}
    assert {skipped.attack for skipped in record.skipped} >= {"voice", "restoration", RETRAINED}
    assert "one treated picture" in render(audited, "a.audit.html", show_original=False)
    assert record.utility.fidelity > 35
    (portrait,) = audited.portraits
    assert portrait.anonymised.max() < 40
    assert portrait.original.max() > 200


def test_a_cloak_is_tried_on_recognisers_that_it_never_saw(folder: Path) -> None:
    pytest.importorskip("torch")
    eyelid.anonymize(folder / "a.jpg", folder / "cloaked.jpg", method="cloak:8,steps=1", targets=["face"])
    settings = AuditSettings(gallery=folder / "others", threads=1)
    counted: list[tuple[int, int | None]] = []

    def listen(progress: Progress) -> None:
        if progress.unit == "pages" and progress.total == 13:
            counted.append((progress.done, progress.total))

    record = audit(folder / "cloaked.jpg", folder / "a.jpg", settings, listen).audit
    rows = {
        (row.threat.capability.rpartition(": ")[2], row.note.partition(";")[0]): row
        for row in record.attacks
        if row.attack == "cloak-transfer"
    }
    assert {name for name, _ in rows} == {"faceres", "dlibface", "pixels"}
    assert {how for _, how in rows} == {"as it is", "half size, JPEG 85"}
    unseen = rows["pixels", "as it is"]
    assert "another recogniser" in unseen.threat.capability
    assert (unseen.success, unseen.chance, unseen.n) == (1.0, 1 / 13, 1)
    learnt = [row for row in record.attacks if row.attack == "cloak-retrained"]
    assert [row.threat.knowledge for row in learnt] == [Knowledge.RETRAINED] * 2
    assert [row.success for row in learnt] == [1.0, 1.0]
    assert counted == [(n, 13) for n in range(1, 14)]
    assert RETRAINED not in {skipped.attack for skipped in record.skipped}
    assert record.verdict.standing is Standing.EXPOSED


def test_without_pytorch_the_audit_of_a_cloak_says_who_is_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    eyelid.anonymize(folder / "a.jpg", folder / "bare.jpg", method="cloak:8,steps=1", targets=["face"])
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "onnx" else object())
    judged: list[str | None] = []

    def noted(*given: Any, untaught: str | None = None, **rest: Any) -> Verdict:
        judged.append(untaught)
        return judge(*given, untaught=untaught, **rest)

    monkeypatch.setattr(run, "judge", noted)
    record = audit(folder / "bare.jpg", folder / "a.jpg", AuditSettings(gallery=folder / "others")).audit
    (reason,) = [skipped.reason for skipped in record.skipped if skipped.attack == "cloak-retrained"]
    assert reason.startswith(
        "the attacker who learns from cloaked pictures needs eyelid[cloak] (onnx missing)"
    )
    assert judged == [reason]
    assert "cloak-retrained" not in {row.attack for row in record.attacks}
    assert "cloak-transfer" in {row.attack for row in record.attacks}


def test_the_audit_of_a_cloak_alone_says_that_nobody_can_be_told_apart(folder: Path) -> None:
    pytest.importorskip("torch")
    eyelid.anonymize(folder / "a.jpg", folder / "alone.jpg", method="cloak:8,steps=1", targets=["face"])
    record = audit(folder / "alone.jpg", folder / "a.jpg").audit
    assert "cloak-transfer" in {skipped.attack for skipped in record.skipped}


def test_an_uncovered_portrait_is_exposed(folder: Path) -> None:
    shutil.copy(folder / "a.jpg", folder / "b.jpg")
    record = audit(folder / "b.jpg", folder / "a.jpg").audit
    assert record.verdict.standing is Standing.EXPOSED
    assert record.visible
    assert record.evidence is None
    assert any("no evidence" in warning for warning in record.warnings)


@pytest.mark.parametrize(
    ("repeat", "standing"), [(False, Standing.AT_CHANCE), (True, Standing.BY_CONTEXT)], ids=str
)
def test_who_is_black_and_wears_the_same_clothes_is_named_by_them(repeat: bool, standing: Standing) -> None:
    """A solid fill hides every face; the bodies stay in view, in clothes of their own or in a uniform."""
    tracks = tracks_of(black, people=12, each=4)
    random = np.random.default_rng(0)
    for track in tracks:
        colour = random.integers(20, 235, 3)
        for sighting in track.sightings:
            if repeat:
                sighting.body[:] = np.clip(colour + random.normal(0, 6, sighting.body.shape), 0, 255)
            sighting.hidden[:30] = True
    findings = stages.Findings()
    stages.reidentify(
        findings, tracks, None, (Target.FACE,), np.zeros((0, 112, 92), np.uint8), MediaKind.VIDEO
    )
    stages.context(findings, tracks)
    verdict = judge(findings.attacks, (), None, None, len(tracks), len(tracks))
    assert verdict.standing is standing
    assert ("clothes" in verdict.reason) == repeat


def test_an_audit_comes_back_from_its_file_and_not_from_an_edited_one(folder: Path) -> None:
    record = audit(folder / "a.anon.jpg", folder / "a.jpg").audit
    path, page = report_paths(folder / "a.anon.jpg")
    assert (path.name, page.name) == ("a.audit.json", "a.audit.html")
    key = generate_signing_key(folder / "sign.pem")
    write(record, path, key=load_signing_key(key.private))
    assert read(path).verdict == record.verdict
    assert read(path).signature is not None
    for name in (str(folder), "astronaut"):
        assert name not in path.read_text()
    path.write_text(path.read_text().replace("in doubt", "at chance"))
    path.write_text(path.read_text() + " ")
    with pytest.raises(EvidenceError, match="edited"):
        read(path)


def test_files_that_do_not_belong_together_are_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jpg"
    picture = cv2.imread(str(PORTRAIT))
    assert picture is not None
    cv2.imwrite(str(other), picture[:200])
    with pytest.raises(UsageError, match="is not the file"):
        audit(folder / "a.anon.jpg", other)
    lonely = tmp_path / "lonely.jpg"
    shutil.copy(folder / "a.anon.jpg", lonely)
    with pytest.raises(UsageError, match="size"):
        audit(lonely, other)
    with pytest.raises(InputError, match="does not exist"):
        audit(folder / "a.anon.jpg", tmp_path / "missing.jpg")
    short = tmp_path / "short.jpg"
    short.write_bytes(other.read_bytes()[:-2000])
    with pytest.raises(InputError, match="cut short"):
        audit(lonely, short)
    changed = tmp_path / "a.anon.jpg"
    changed.write_bytes((folder / "a.anon.jpg").read_bytes() + b" ")
    shutil.copy(folder / "a.anon.evidence.json", tmp_path)
    with pytest.raises(EvidenceError, match="NOT the file"):
        audit(changed, folder / "a.jpg")
