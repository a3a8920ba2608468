"""A broken detector never shows what was visible as a track; one that is not there ends the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import eyelid
from eyelid.errors import EyelidError, ModelError
from eyelid.evidence.model import CoverReason
from eyelid.jobs.anonymizer import Anonymizer
from eyelid.jobs.settings import Settings
from eyelid.jobs.tasks import tasks_for
from eyelid.models import cards
from eyelid.track.settings import OnLost
from eyelid.types import Detections, Quality, Target
from tests.canary import HIDDEN, SHOWN, Scene, Truth, correlation, pictures, save_clip, save_scene, save_still

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from eyelid.evidence.model import Evidence
    from eyelid.types import RawFrame

COUNT = 30
BROKEN = range(12, 15)
SCENE = Scene()
EVERY_FRAME = Settings(quality=Quality.THOROUGH)


class Breaking(Truth):
    """Knows the truth, and breaks on some frames."""

    def __init__(self, how: Callable[[Detections], object], when: Sequence[int] = BROKEN) -> None:
        super().__init__(lambda frame: SCENE.boxes(frame.index))
        self._how, self._when = how, when

    def heal(self) -> None:
        """Break no more."""
        self._when = ()

    def detect(self, frames: Sequence[RawFrame]) -> list[Detections]:
        found = super().detect(frames)
        if frames[0].index in self._when:
            return self._how(found[0])  # type: ignore[return-value]  # a broken detector keeps no promise
        return found


def stops(_: Detections) -> object:
    raise RuntimeError("SECRET")


def runs_out_of_memory(_: Detections) -> object:
    raise MemoryError


def with_box(found: Detections, value: float) -> list[Detections]:
    boxes = found.boxes.copy()
    boxes[0, 2] = value
    return [Detections(boxes, found.scores, found.targets)]


FAILURES: dict[str, Callable[[Detections], object]] = {
    "raises": stops,
    "out of memory": runs_out_of_memory,
    "NaN": lambda found: with_box(found, np.nan),
    "infinity": lambda found: with_box(found, np.inf),
    "far away": lambda found: with_box(found, 1e9),
    "inside out": lambda found: with_box(found, -50),
    "NaN score": lambda found: [Detections(found.boxes, found.scores * np.nan, found.targets)],
    "NaN polygon": lambda found: [
        Detections(
            found.boxes,
            found.scores,
            found.targets,
            polygons=(np.full((4, 2), np.nan, np.float32),) * len(found),
        )
    ],
    "None": lambda _: None,
    "a list of None": lambda _: [None],
    "wrong shape": lambda _: [np.zeros((3, 5), np.float32)],
    "no entry": lambda _: [],
    "two entries": lambda found: [found, found],
}


def shown_in(path: Path) -> list[int]:
    """Return the frames in which a hidden canary can be seen."""
    return [
        index
        for index, picture in enumerate(pictures(path))
        if max(correlation(picture, seed) for seed in SCENE.hidden) > HIDDEN
    ]


def covered(evidence: Evidence) -> set[int]:
    return {index for run in evidence.frames.covered for index in range(run.first, run.last + 1)}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = save_scene(tmp_path_factory.mktemp("clip") / "a.mp4", SCENE, COUNT)
    assert shown_in(path) == list(range(COUNT))
    return path


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_covers_the_frame_and_is_told(name: str, clip: Path, tmp_path: Path) -> None:
    result = eyelid.anonymize(
        clip,
        tmp_path / "out.mp4",
        targets=["face"],
        settings=EVERY_FRAME,
        detectors=[Breaking(FAILURES[name])],
    )
    assert shown_in(result.output) == []
    assert result.evidence is not None
    assert covered(result.evidence) == set(BROKEN)
    assert {run.reason for run in result.evidence.frames.covered} == {CoverReason.DETECTOR_FAILED}
    assert any("3 times" in warning for warning in result.evidence.warnings)
    assert "SECRET" not in result.task.evidence.read_text()
    for index, picture in enumerate(pictures(result.output)):
        assert SCENE.open is not None
        black = correlation(picture, SCENE.open) < HIDDEN
        assert black == (index in BROKEN)


def test_the_evidence_of_a_file_tells_of_no_failure_at_another(clip: Path, tmp_path: Path) -> None:
    breaking = Breaking(stops)
    anonymizer = Anonymizer(EVERY_FRAME.model_copy(update={"targets": (Target.FACE,)}), [breaking])
    (first,) = tasks_for([clip], tmp_path / "first.mp4", force=False)
    (second,) = tasks_for([clip], tmp_path / "second.mp4", force=False)
    broken = anonymizer.run(first)
    breaking.heal()
    sound = anonymizer.run(second)
    assert broken.evidence is not None
    assert sound.evidence is not None
    assert broken.evidence.warnings
    assert not sound.evidence.warnings


@pytest.mark.parametrize("quality", Quality)
@pytest.mark.parametrize("name", ["raises", "NaN"])
def test_frames_between_looks_are_covered_too(
    name: str, quality: Quality, clip: Path, tmp_path: Path
) -> None:
    """At lower quality a detector looks at some frames alone; those around its failure are unknown."""
    when = range(8, 20)
    result = eyelid.anonymize(
        clip,
        tmp_path / "out.mp4",
        targets=["face"],
        settings=Settings(quality=quality),
        detectors=[Breaking(FAILURES[name], when)],
    )
    assert shown_in(result.output) == []
    assert result.evidence is not None
    assert covered(result.evidence) >= set(when)


@pytest.mark.parametrize("quality", Quality)
@pytest.mark.parametrize("when", [range(12, 15), range(3), range(27, 30), [5, 6, 7, 17, 18, 19]])
def test_a_detector_that_misses_three_frames_shows_nothing(
    when: Sequence[int], quality: Quality, clip: Path, tmp_path: Path
) -> None:
    result = eyelid.anonymize(
        clip,
        tmp_path / "out.mp4",
        targets=["face"],
        settings=Settings(quality=quality),
        detectors=[Breaking(lambda _: [Detections.none()], when)],
    )
    assert shown_in(result.output) == []
    assert result.evidence is not None
    assert covered(result.evidence) == set()
    assert result.evidence.frames.held >= 3 if quality is Quality.THOROUGH else True


@pytest.mark.parametrize("quality", Quality)
def test_a_third_of_a_second_before_and_after_a_track_is_covered(quality: Quality, tmp_path: Path) -> None:
    """A detector finds a face late and loses it early, in the middle of a long shot."""
    seen, found = range(44, 72), range(52, 64)
    still, empty = Scene(step=0, open=None), Scene(hidden=(), open=None)
    drawn = [(still if index in seen else empty).picture() for index in range(110)]
    source = save_clip(tmp_path / "a.mp4", drawn)
    assert shown_in(source) == list(seen)
    detector = Truth(lambda frame: still.boxes(0) if frame.index in found else [])
    result = eyelid.anonymize(
        source, targets=["face"], settings=Settings(quality=quality), detectors=[detector]
    )
    assert shown_in(result.output) == []
    (first, *_), (last, *_) = pictures(result.output), pictures(result.output)[::-1]
    assert int(first.min()) > 20, "far away from the track nothing is covered"
    assert int(last.min()) > 20


def test_without_any_detection_the_search_sees_the_canary(clip: Path, tmp_path: Path) -> None:
    result = eyelid.anonymize(clip, tmp_path / "out.mp4", targets=["face"], detectors=[Truth(lambda _: [])])
    assert shown_in(result.output) == list(range(COUNT))


def test_a_lost_track_covers_the_frame_where_that_is_asked(clip: Path, tmp_path: Path) -> None:
    result = eyelid.anonymize(
        clip,
        tmp_path / "out.mp4",
        targets=["face"],
        settings=Settings(quality=Quality.THOROUGH, on_lost=OnLost.COVER_FRAME),
        detectors=[Breaking(lambda _: [Detections.none()], range(20, COUNT))],
    )
    assert shown_in(result.output) == []
    assert result.evidence is not None
    assert {run.reason for run in result.evidence.frames.covered} == {CoverReason.TRACK_LOST}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("file", ["a.png", "a.jpg", "a.gif"])
def test_a_failure_on_a_still_covers_all_of_it(name: str, file: str, tmp_path: Path) -> None:
    pages = 3 if file == "a.gif" else 1
    source = save_still(tmp_path / file, SCENE, pages)
    result = eyelid.anonymize(source, targets=["face"], detectors=[Breaking(FAILURES[name], range(pages))])
    assert result.evidence is not None
    assert covered(result.evidence) == set(range(pages))
    for picture in pictures(result.output):
        assert int(picture.max()) < 12


def test_of_two_detectors_one_failure_is_enough(clip: Path, tmp_path: Path) -> None:
    blind = Truth(lambda _: [], Target.PLATE)
    result = eyelid.anonymize(
        clip,
        tmp_path / "out.mp4",
        targets=["face", "plate"],
        settings=EVERY_FRAME,
        detectors=[blind, Breaking(stops, range(COUNT))],
    )
    assert result.evidence is not None
    assert covered(result.evidence) == set(range(COUNT))
    assert all(int(picture.max()) < 12 for picture in pictures(result.output))


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ("missing.onnx:face", "does not exist"),
        ("garbage.onnx:face", "garbage.onnx"),
        ("no_such_module:find:face", "cannot be imported"),
        ("tests.canary:no_such_name:face", "cannot be imported"),
        ("tests.canary:SIDE:face", "not callable"),
        ("garbage.onnx:nose", "must end in a target"),
        ("just-a-word:face", "is neither"),
    ],
)
def test_a_detector_that_cannot_be_loaded_ends_the_run_before_it_begins(
    spec: str, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "garbage.onnx").write_bytes(b"no network" * 100)
    source = save_still(tmp_path / "a.png", SCENE)
    with pytest.raises(EyelidError, match=error):
        eyelid.anonymize(source, targets=["face"], settings=Settings(detectors=(spec,)))
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "garbage.onnx"}


@pytest.mark.parametrize("target", ["face", "plate", "text", "person"])
def test_altered_weights_end_the_run_before_it_begins(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = save_still(tmp_path / "a.png", SCENE)
    altered = tmp_path / "weights"
    altered.mkdir()
    for path in cards.WEIGHTS.iterdir():
        content = path.read_bytes()
        if path.suffix == ".onnx":
            content = content[:-1] + bytes([content[-1] ^ 1])
        (altered / path.name).write_bytes(content)
    monkeypatch.setattr(cards, "WEIGHTS", altered)
    with pytest.raises(ModelError, match="reinstall"):
        eyelid.anonymize(source, targets=[target])
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "weights"}


def test_correlation_tells_hidden_from_shown() -> None:
    scene = Scene(open=None)
    picture = np.ascontiguousarray(scene.picture()[..., ::-1])
    assert correlation(picture, 1) > SHOWN
    assert correlation(picture, 3) < HIDDEN
