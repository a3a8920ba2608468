"""The whole job on real photos and a real clip, as a user runs it: nothing chosen, nothing replaced."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import eyelid
from eyelid.jobs.settings import Settings
from eyelid.jobs.tasks import FileResult, Outcome
from tests.canary import pictures
from tests.media.clips import times

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.realdata

DESTROYED = 0.8
"""The part of a face's box that must be black for it to count as covered."""


def truth(folder: Path, photo: str) -> list[tuple[int, int, int, int]]:
    with (folder / "truth.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["file"] == photo and row["ignore"] == "0"]
    return [(int(row["x0"]), int(row["y0"]), int(row["x1"]), int(row["y1"])) for row in rows]


@pytest.mark.parametrize("photo", ["children.jpg", "dance_hall.jpg"])
def test_faces_of_a_photo_are_gone(photo: str, data_dir: Path, tmp_path: Path) -> None:
    source = data_dir / "faces_wide" / photo
    result = eyelid.anonymize(source, tmp_path / photo)
    (before,), (after,) = pictures(source), pictures(result.output)
    assert before.shape == after.shape
    boxes = truth(source.parent, photo)
    covered = [float((after[y0:y1, x0:x1].max(axis=-1) < 24).mean()) for x0, y0, x1, y1 in boxes]
    assert len(boxes) > 3
    assert np.mean([part >= DESTROYED for part in covered]) >= 0.95, covered
    same = np.abs(before.astype(int) - after).max(axis=-1) < 24
    assert same.mean() > 0.5
    assert eyelid.verify(result.output).ok


def test_a_clip_keeps_its_times_and_hides_its_face(data_dir: Path, tmp_path: Path) -> None:
    source = data_dir / "video" / "egoblur_gen2_demo_assets_test_face_video.mp4"
    result = eyelid.anonymize(source, tmp_path / "a.mp4", targets=["face"])
    assert times(result.output) == times(source)
    assert result.evidence is not None
    assert result.evidence.counts[0].frames > 0.9 * result.evidence.frames.total
    assert eyelid.verify(result.output).ok


def test_a_second_look_finds_next_to_nothing(data_dir: Path, tmp_path: Path) -> None:
    """What is covered cannot be found again by the very detectors that found it."""
    folder = data_dir / "faces_detect"
    first = eyelid.anonymize_folder(folder, tmp_path / "once", targets=["face"], workers=1)
    second = eyelid.anonymize_folder(tmp_path / "once", tmp_path / "twice", targets=["face"], workers=1)

    def faces(results: list[FileResult]) -> int:
        return sum(r.evidence.counts[0].detections for r in results if r.evidence is not None)

    assert {result.outcome for result in first} == {Outcome.DONE, Outcome.UNSUPPORTED}
    assert faces(first) > 30
    assert faces(second) <= 0.1 * faces(first)


@pytest.mark.parametrize("photo", ["bald_guys.jpg", "2007_007763.jpg"])
def test_strangers_are_covered_where_somebody_else_is_kept(
    photo: str, data_dir: Path, tmp_path: Path
) -> None:
    keep = ROOT / "docs" / "images" / "astronaut.jpg"
    source = data_dir / "faces_detect" / photo
    plain = eyelid.anonymize(source, tmp_path / "plain.jpg")
    kept = eyelid.anonymize(source, tmp_path / "kept.jpg", settings=Settings(keep=(keep,)))
    assert plain.evidence is not None
    assert kept.evidence is not None
    assert kept.evidence.kept is not None
    assert kept.evidence.kept.detections == 0
    assert kept.evidence.counts == plain.evidence.counts
    assert kept.output.read_bytes() == plain.output.read_bytes()
