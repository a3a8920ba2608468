"""Who is kept stays visible, everybody else is covered, and in doubt everybody is."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import create_autospec

import cv2
import numpy as np
import pytest

import eyelid
from eyelid.detect.identity import KeepList
from eyelid.errors import InputError
from eyelid.jobs.keep import Keeper
from eyelid.jobs.settings import Settings
from eyelid.types import Detections, Quality, Target
from tests.canary import Scene, pictures, save_clip, save_still
from tests.detect.pictures import frame_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.canary import Rgb

EYES = (slice(52, 80), slice(100, 124))
"""Where eyes, nose and mouth of the portrait are."""


def stranger(face: Rgb) -> Rgb:
    """Return another face: narrower, upside of its tones, with other proportions."""
    height, width = face.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    bent_y = y + 9 * np.sin(y / 17)
    bent_x = x + 11 * np.sin((y - 30) / 21) + 7 * np.sin(x / 13)
    bent = cv2.remap(face, bent_x, bent_y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(cv2.resize(bent, (int(width * 1.3), height))[:, :width], np.uint8)


def rgb(path: Path) -> Rgb:
    picture: Rgb = np.ascontiguousarray(pictures(path)[0][..., ::-1])
    return picture


def changed(before: Rgb, after: Rgb) -> float:
    """Return the mean difference in the middle of the face."""
    return float(np.abs(before[EYES].astype(int) - after[EYES]).mean())


def test_a_kept_face_stays_in_a_photo(portrait: Path, tmp_path: Path) -> None:
    result = eyelid.anonymize(
        portrait, tmp_path / "a.jpg", targets=["face"], settings=Settings(keep=(portrait,))
    )
    assert changed(rgb(portrait), rgb(result.output)) < 4
    assert result.evidence is not None
    assert result.evidence.kept is not None
    assert result.evidence.kept.detections == 1
    assert result.evidence.counts[0].detections == 0
    assert len(result.evidence.settings.keep) == 1
    assert any("kept" in limit or "keep" in limit for limit in result.evidence.guarantee.not_covered)
    without = eyelid.anonymize(portrait, tmp_path / "b.jpg", targets=["face"])
    assert changed(rgb(portrait), rgb(without.output)) > 40


def test_a_kept_face_stays_in_a_clip_after_some_frames(portrait: Path, tmp_path: Path) -> None:
    drawn = [np.roll(rgb(portrait), moment, axis=1) for moment in range(14)]
    source = save_clip(tmp_path / "a.mp4", drawn)
    result = eyelid.anonymize(
        source,
        targets=["face"],
        settings=Settings(keep=(portrait,), quality=Quality.THOROUGH),
    )
    differences = []
    for moment, picture in enumerate(pictures(result.output)):
        back = np.roll(picture[..., ::-1], -moment, axis=1)
        differences.append(changed(rgb(portrait), np.ascontiguousarray(back)))
    assert differences[0] > 40, "one frame is no proof of who it is"
    assert differences[-1] < 10
    assert result.evidence is not None
    assert result.evidence.kept is not None
    assert result.evidence.kept.tracks == 1


def test_a_picture_without_a_face_names_nobody(tmp_path: Path, portrait: Path) -> None:
    nobody = save_still(tmp_path / "nobody.png", Scene(hidden=()))
    with pytest.raises(InputError, match=r"nobody\.png"):
        eyelid.anonymize(portrait, tmp_path / "a.jpg", targets=["face"], settings=Settings(keep=(nobody,)))
    with pytest.raises(InputError, match=r"none\.png"):
        eyelid.anonymize(
            portrait, tmp_path / "a.jpg", targets=["face"], settings=Settings(keep=(tmp_path / "none.png",))
        )
    assert {path.name for path in tmp_path.iterdir()} == {"nobody.png"}


def test_another_face_is_covered(portrait: Path, tmp_path: Path) -> None:
    both = np.concatenate([rgb(portrait), stranger(rgb(portrait))], axis=1)
    source = tmp_path / "both.png"
    cv2.imwrite(str(source), both[..., ::-1])
    everybody = eyelid.anonymize(source, tmp_path / "all.png", targets=["face"])
    assert everybody.evidence is not None
    assert everybody.evidence.counts[0].detections == 2, "the second face is one for the detector"
    result = eyelid.anonymize(
        source, tmp_path / "one.png", targets=["face"], settings=Settings(keep=(portrait,))
    )
    assert result.evidence is not None
    assert result.evidence.kept is not None
    assert result.evidence.kept.detections == 1
    assert result.evidence.counts[0].detections == 1
    made = rgb(result.output)
    assert changed(both, made) < 4
    assert np.abs(both[:, 256:].astype(int) - made[:, 256:]).mean() > 5


def test_matches_around_a_frame_covered_whole_are_not_in_a_row() -> None:
    people = create_autospec(KeepList, instance=True)
    people.matches.side_effect = lambda _frame, faces: np.ones(len(faces), np.bool_)
    keeper = Keeper(people)
    frame = frame_of(np.zeros((8, 8, 3), np.uint8))
    boxes, scores = np.array([[0, 0, 4, 4]], np.float32), np.ones(1, np.float32)
    face = Detections(boxes, scores, (Target.FACE,), np.array([7], np.int64), (None,))
    left = []
    for moment in range(8):
        if moment == 4:
            keeper.skip()
        else:
            left.append(len(keeper.uncover_tracked(frame, face)))
    assert left == [1, 1, 0, 0, 1, 1, 0]
