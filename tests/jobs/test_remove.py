"""Remove through the whole job: nothing detected comes out, and the evidence counts what was filled how."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

import eyelid
from eyelid.detect.base import Detector, detections
from eyelid.errors import InputError
from eyelid.jobs.anonymizer import Anonymizer
from eyelid.jobs.batch import in_turn
from eyelid.jobs.search import Searcher
from eyelid.jobs.settings import Settings
from eyelid.jobs.tasks import Outcome, tasks_for
from eyelid.jobs.views import photos_in, views_of
from eyelid.obfuscate.remove.parameters import Remove
from eyelid.obfuscate.solid import Solid
from eyelid.track.tracker import LOST
from eyelid.types import Detections, Quality, Target
from tests.canary import HIDDEN, LOSSLESS, Scene, correlation, pictures, save_scene, save_still, spot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eyelid.jobs.finder import Finder
    from eyelid.jobs.tasks import FileResult
    from eyelid.obfuscate.registry import Method
    from eyelid.types import RawFrame

SCENE = Scene(hidden=(1,), open=None)
SPOTTED = Settings(method=Remove(), targets=(Target.FACE,), detectors=("tests.canary:spot:face",), threads=1)


class _Says:
    """Answers every look alike."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def find(self, frame: object) -> object:
        return self._answer


def says(answer: object) -> Finder:
    return _Says(answer)  # type: ignore[return-value]  # views ask for nothing but find()


def check(result: FileResult) -> None:
    """Check that no canary is left and that the fill is counted."""
    for picture in pictures(result.output):
        assert correlation(picture, 1) < HIDDEN
    assert result.evidence is not None
    assert result.evidence.fill is not None
    assert result.evidence.settings.method.name == "remove"


@pytest.mark.parametrize("file", ["a.mp4", "a.gif", "a.jpg", "a.png", "a.tiff"])
def test_a_canary_is_removed(file: str, tmp_path: Path) -> None:
    source = tmp_path / file
    if source.suffix == ".mp4":
        save_scene(source, SCENE, 30, options=LOSSLESS)
    else:
        save_still(source, SCENE, 8 if source.suffix == ".gif" else 1)
    result = eyelid.anonymize(source, settings=SPOTTED)
    check(result)
    assert result.evidence is not None
    fill = result.evidence.fill
    assert fill is not None
    assert fill.pixels_from_views + fill.pixels_invented > 0
    if source.suffix in {".jpg", ".png", ".tiff"}:
        assert fill.pixels_from_views == 0


class _OneAtATime(Detector):
    """Finds one canary at a look, as a crowd hides all but the nearest; ``fails`` from that look on."""

    name = "one at a time"
    targets = frozenset((Target.FACE,))

    def __init__(self, fails: int = 99) -> None:
        self.looks, self._fails = 0, fails

    def detect(self, frames: Sequence[RawFrame]) -> list[Detections]:
        self.looks += len(frames)
        if self.looks >= self._fails:
            raise RuntimeError("broken")
        boxes = np.array([spot(frame.bgr()).xyxy[:1] for frame in frames], np.float32).reshape(-1, 4)
        return [detections(boxes, np.full(len(boxes), 0.9, np.float32), Target.FACE)]


CROWD = Scene(width=420, hidden=(1, 2, 3, 4), open=None)
PLAIN = Settings(method=Remove(), targets=(Target.FACE,), threads=1)


@pytest.mark.parametrize(("people", "left"), [(1, 0), (2, 0), (3, 0), (4, 1)])
def test_who_is_found_in_the_filled_photo_is_removed_too_or_told(
    people: int, left: int, tmp_path: Path
) -> None:
    source = save_still(tmp_path / "a.png", replace(CROWD, hidden=CROWD.hidden[:people]))
    result = eyelid.anonymize(source, settings=PLAIN, detectors=[_OneAtATime()])
    (picture,) = pictures(result.output)
    seen = [seed for seed in CROWD.hidden if correlation(picture, seed) >= HIDDEN]
    assert len(seen) == left
    assert result.evidence is not None
    told = [line for line in result.evidence.warnings if "more, which were removed too" in line]
    assert bool(told) == (people > 1)
    if told:
        assert f"found {min(people - 1, 2)} more" in told[0]
        assert told[0].endswith(f"still found there: {left}.")


def test_a_photo_whose_second_look_fails_is_covered_whole(tmp_path: Path) -> None:
    source = save_still(tmp_path / "a.png", CROWD)
    result = eyelid.anonymize(source, settings=PLAIN, detectors=[_OneAtATime(fails=2)])
    assert pictures(result.output)[0].max() == 0
    assert result.evidence is not None
    assert any("failed" in line for line in result.evidence.warnings)


def test_an_animation_is_looked_at_again_twice_a_second(tmp_path: Path) -> None:
    source = save_still(tmp_path / "a.gif", replace(CROWD, hidden=CROWD.hidden[:2]), 4)
    detector = _OneAtATime()
    result = eyelid.anonymize(source, settings=PLAIN, detectors=[detector])
    assert detector.looks == 4 + 2  # at its first frame and its last
    shown = pictures(result.output)
    assert all(correlation(picture, seed) < HIDDEN for picture in shown for seed in CROWD.hidden[:2])
    assert result.evidence is not None
    assert any("found 2 more, which were covered" in line for line in result.evidence.warnings)


def test_the_photos_of_a_folder_are_named_in_the_evidence_and_never_pasted(tmp_path: Path) -> None:
    views = tmp_path / "views"
    views.mkdir()
    source = save_still(tmp_path / "a.jpg", SCENE)
    without = eyelid.anonymize(source, tmp_path / "b.jpg", settings=SPOTTED)
    save_still(views / "other.png", Scene(hidden=(4,), open=None))
    (views / "notes.txt").write_text("no photo")
    asked = SPOTTED.model_copy(update={"views": views})
    result = eyelid.anonymize(source, tmp_path / "c.jpg", settings=asked)
    check(result)
    assert correlation(pictures(result.output)[0], 4) < HIDDEN
    assert result.evidence is not None
    assert without.evidence is not None
    assert "views" in result.evidence.settings.method.parameters
    assert "views" not in without.evidence.settings.method.parameters


def test_a_view_whose_detector_fails_is_left_out(tmp_path: Path) -> None:
    source, other = (save_still(tmp_path / name, SCENE) for name in ("a.jpg", "b.jpg"))
    assert list(views_of(source, [other], says(LOST))) == []
    assert len(list(views_of(source, [other], says(Detections.none())))) == 1


def test_a_damaged_photo_among_others_stops_none_of_them(tmp_path: Path) -> None:
    photos = [save_still(tmp_path / name, SCENE) for name in ("a.jpg", "b.jpg", "c.jpg")]
    photos[1].write_bytes(photos[1].read_bytes()[:-2000])
    tasks = tasks_for(photos, None, force=False)
    found = list(in_turn(Anonymizer(SPOTTED), tasks))
    assert [result.outcome for result in found] == [Outcome.DONE, Outcome.FAILED, Outcome.DONE]
    check(found[0])


def test_moments_of_a_film_are_spread_over_it(tmp_path: Path) -> None:
    clip = save_scene(tmp_path / "a.mp4", SCENE, 60)
    times = [float(frame.time or 0) for frame, _ in views_of(clip, (), says(Detections.none()))]
    assert len(times) >= 5
    assert times == sorted(times)
    assert times[-1] > 1.5


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no photo"):
        photos_in(tmp_path)
    with pytest.raises(InputError, match="no folder"):
        photos_in(tmp_path / "missing")


def test_without_targets_a_method_hides_its_own() -> None:
    from eyelid.jobs.api import _settings

    assert _settings(None, None, "remove").targets == Remove().targets
    assert _settings(None, None, None).targets == (Target.FACE, Target.PLATE)
    assert _settings(None, ["person"], "remove").targets == (Target.PERSON,)


@pytest.mark.parametrize(("method", "told"), [(Remove(), "vehicle"), (Solid(), "none")])
def test_the_evidence_says_which_tracks_were_kept_brief(method: Method, told: str, tmp_path: Path) -> None:
    source = save_scene(tmp_path / "a.mp4", SCENE, 4, options=LOSSLESS)
    evidence = eyelid.anonymize(source, settings=SPOTTED.model_copy(update={"method": method})).evidence
    assert evidence is not None
    assert evidence.settings.tracking is not None
    assert evidence.settings.tracking.parameters["brief"] == told


class _Flashing(Detector):
    """Sees a still box, as a person and as a car, in every frame but a second of them."""

    name = "flashing"
    targets = frozenset({Target.PERSON, Target.VEHICLE})

    def __init__(self) -> None:
        self.looks = 0

    def detect(self, frames: Sequence[RawFrame]) -> list[Detections]:
        self.looks += 1
        if 10 <= self.looks < 35:
            return [Detections.none()]
        boxes = np.array([[4, 4, 24, 24]] * 2, np.float32)
        return [Detections(boxes, np.full(2, 0.9, np.float32), (Target.PERSON, Target.VEHICLE))]


@pytest.mark.parametrize("method", [Remove(), Solid()])
def test_only_remove_is_brief_about_cars_and_never_about_people(method: Method, tmp_path: Path) -> None:
    source = save_scene(tmp_path / "a.mp4", SCENE, 44, options=LOSSLESS)
    targets = (Target.PERSON, Target.VEHICLE)
    settings = Settings(method=method, targets=targets, quality=Quality.THOROUGH, threads=1)
    with Searcher(settings, [_Flashing()]).search(source, "a.mp4") as search:
        planned = [frame.found.targets for frame in search.planned]
    assert all(Target.PERSON in found for found in planned)
    without = [i for i, found in enumerate(planned) if Target.VEHICLE not in found]
    assert bool(without) == isinstance(method, Remove)
    assert all(10 < i < 33 for i in without)
