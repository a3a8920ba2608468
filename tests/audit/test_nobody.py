"""An audit of files in which nothing is found writes nothing; whatever is in doubt is audited as ever."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pytest

import eyelid
from eyelid.audit.model import Standing
from eyelid.audit.nobody import check_anybody
from eyelid.audit.watch import Watched
from eyelid.detect.base import Detector, detections
from eyelid.errors import InputError
from eyelid.evidence.model import CoveredFrames, CoverReason, Frames, Kept, TargetCount
from eyelid.types import Fill, Quality, Target
from tests.canary import LOSSLESS, Scene, Truth, save_clip, save_still, spot
from tests.evidence.samples import still_evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from eyelid.types import Detections, RawFrame

    Sees: TypeAlias = Callable[[RawFrame], "Detections"]

EMPTY = Scene(hidden=(), open=None)
BUSY = Scene(hidden=(1,), open=None)
FRAMES, PAGES = 50, 10
BOX = (20, 20, 90, 100)


def nothing(_: RawFrame) -> Detections:
    return detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), Target.FACE)


def canaries(frame: RawFrame) -> Detections:
    boxes = spot(frame.bgr()).xyxy
    return detections(boxes, np.full(len(boxes), 0.9, np.float32), Target.FACE)


def body(_: RawFrame) -> Detections:
    return detections(np.array([BOX], np.float32), np.full(1, 0.9, np.float32), Target.PERSON)


def broken(_: RawFrame) -> Detections:
    raise RuntimeError


@dataclass
class Eyes:
    """What stands in for the networks: of the search, at their most thorough, for bodies."""

    search: Sees = nothing
    thorough: Sees = nothing
    bodies: Sees = nothing
    looks: list[str] = field(default_factory=list)

    def build(self, targets: Sequence[Target], quality: Quality, **_: object) -> list[Detector]:
        part = {Quality.BALANCED: "search", Quality.THOROUGH: "thorough", Quality.FAST: "bodies"}[quality]
        return [Eye(frozenset(targets), lambda frame: self._look(part, frame))]

    def _look(self, part: str, frame: RawFrame) -> Detections:
        self.looks.append(part)
        seen: Sees = getattr(self, part)
        return seen(frame)


class Eye(Detector):
    """Sees what it is told to."""

    name = "eye"

    def __init__(self, targets: frozenset[Target], sees: Sees) -> None:
        self.targets, self._sees = targets, sees

    def detect(self, frames: Sequence[RawFrame]) -> list[Detections]:
        return [self._sees(frame) for frame in frames]


@pytest.fixture
def eyes(monkeypatch: pytest.MonkeyPatch) -> Eyes:
    """Stand-ins for all networks; they see nothing unless a test says so."""
    made = Eyes()
    monkeypatch.setattr("eyelid.audit.run.build_all", made.build)
    monkeypatch.setattr("eyelid.jobs.finder.build_all", made.build)
    return made


def save(path: Path, *drawn: Scene) -> Path:
    """Write scenes one after another: a photo of the last, an animation or a film of all."""
    pictures = [drawn[min(i * len(drawn) // FRAMES, len(drawn) - 1)].picture(i) for i in range(FRAMES)]
    if path.suffix == ".mp4":
        return save_clip(path, pictures, options=LOSSLESS)
    return save_still(path, drawn[-1], PAGES if path.suffix == ".gif" else 1)


def pair(folder: Path, suffix: str, output: Scene, *original: Scene) -> tuple[Path, Path]:
    return save(folder / f"a.anon{suffix}", output), save(folder / f"a{suffix}", *original)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("suffix", [".png", ".gif", ".mp4"])
def test_nobody_is_one_sentence_and_nothing_is_written(suffix: str, eyes: Eyes, tmp_path: Path) -> None:
    output, original = pair(tmp_path, suffix, EMPTY, EMPTY)
    with pytest.raises(InputError) as refused:
        eyelid.audit(output, original)
    assert str(refused.value) == (
        f"no face, licence plate, person or vehicle was found in {original} or {output}, so there was "
        "nothing to attack and nothing was written; if you see one, cover it with "
        "'eyelid anonymize --detections' and audit that output"
    )
    assert refused.value.exit_code == 1
    assert names(tmp_path) == {output.name, original.name}
    assert set(eyes.looks) == {"search", "thorough", "bodies"}


def test_nor_where_signed_evidence_says_the_same(eyes: Eyes, tmp_path: Path) -> None:
    original = save(tmp_path / "a.png", EMPTY)
    eyelid.anonymize(original, targets=["face"], detectors=[Truth(lambda _: [])])
    before = names(tmp_path)
    with pytest.raises(InputError, match="no face, person or vehicle was found"):
        eyelid.audit(tmp_path / "a.anon.png", original)
    assert names(tmp_path) == before


@pytest.mark.parametrize("part", ["search", "thorough", "bodies"])
@pytest.mark.parametrize("suffix", [".png", ".mp4"])
def test_a_detector_that_fails_leaves_it_in_doubt(part: str, suffix: str, eyes: Eyes, tmp_path: Path) -> None:
    setattr(eyes, part, broken)
    result = eyelid.audit(*pair(tmp_path, suffix, EMPTY, EMPTY))
    if suffix == ".png":  # the encoder of the film left its name in it, which exposes
        assert result.audit.verdict.standing is Standing.IN_DOUBT
    assert result.json.exists()


def test_a_detector_that_fails_on_the_original_alone_leaves_it_in_doubt(eyes: Eyes, tmp_path: Path) -> None:
    eyes.thorough = lambda frame: broken(frame) if len(spot(frame.bgr()).xyxy) else nothing(frame)
    assert eyelid.audit(*pair(tmp_path, ".png", EMPTY, BUSY)).json.exists()


@pytest.mark.parametrize("part", ["thorough", "bodies"])
def test_what_only_the_output_shows_is_audited(part: str, eyes: Eyes, tmp_path: Path) -> None:
    setattr(eyes, part, canaries)
    result = eyelid.audit(*pair(tmp_path, ".png", BUSY, EMPTY))
    assert result.html.exists()


@pytest.mark.parametrize("part", ["search", "thorough", "bodies"])
def test_what_only_one_look_at_the_original_shows_is_audited(part: str, eyes: Eyes, tmp_path: Path) -> None:
    setattr(eyes, part, canaries)
    assert eyelid.audit(*pair(tmp_path, ".png", EMPTY, BUSY)).html.exists()


def test_a_face_that_comes_late_in_the_film_is_audited(eyes: Eyes, tmp_path: Path) -> None:
    eyes.search = canaries
    result = eyelid.audit(*pair(tmp_path, ".mp4", EMPTY, *[EMPTY] * 9, BUSY))
    assert result.audit.frames == 4


def test_what_the_evidence_records_is_audited(eyes: Eyes, tmp_path: Path) -> None:
    original = save(tmp_path / "a.png", BUSY)
    eyelid.anonymize(original, targets=["face"], detectors=[BUSY.detector()])
    assert eyelid.audit(tmp_path / "a.anon.png", original).json.exists()
    doubtful = tmp_path / "b.png"
    shutil.copy(original, doubtful)
    eyelid.anonymize(doubtful, targets=["face"], detectors=[Eye(frozenset({Target.FACE}), broken)])
    assert eyelid.audit(tmp_path / "b.anon.png", doubtful).json.exists()


RECORDED: dict[str, dict[str, object]] = {
    "found": {"counts": (TargetCount(target=Target.PLATE, detections=1, tracks=None, frames=1),)},
    "in doubt": {
        "frames": Frames(total=1, covered=(CoveredFrames(first=0, last=0, reason=CoverReason.NOT_LISTED),))
    },
    "kept": {"kept": Kept(references=1, detections=1, tracks=None)},
    "moved": {"fill": Fill(pixels_from_views=1, pixels_invented=0)},
    "nothing": {
        "kept": Kept(references=1, detections=0, tracks=None),
        "fill": Fill(pixels_from_views=0, pixels_invented=0),
    },
}


@pytest.mark.parametrize("recorded", RECORDED)
def test_what_evidence_records(recorded: str, tmp_path: Path) -> None:
    photo = save(tmp_path / "a.png", EMPTY)
    evidence = still_evidence(photo, faces=0).model_copy(update=RECORDED[recorded])
    if recorded != "nothing":
        check_anybody(Watched(), evidence, photo, photo, (Target.FACE,))
        return
    with pytest.raises(InputError, match="no face, person or vehicle"):
        check_anybody(Watched(), evidence, photo, photo, (Target.FACE,))
