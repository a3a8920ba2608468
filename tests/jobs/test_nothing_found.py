"""Nothing is found in a file: methods that need something write nothing, the others a copy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

import eyelid
from eyelid.detect.base import Detector
from eyelid.errors import InputError
from eyelid.evidence.model import CoverReason
from eyelid.jobs.anonymizer import Anonymizer
from eyelid.jobs.batch import in_turn
from eyelid.jobs.export import ExportFormat, export_detections
from eyelid.jobs.search import Searcher
from eyelid.jobs.settings import Settings
from eyelid.jobs.tasks import Outcome, tasks_for
from eyelid.obfuscate.keys import generate_key
from eyelid.obfuscate.registry import NAMES, parse
from eyelid.privacy.ledger import Ledger
from eyelid.types import Quality, Target
from tests.canary import LOSSLESS, Scene, Truth, pictures, save_clip, save_scene, save_still, texture

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eyelid.jobs.tasks import FileResult
    from eyelid.types import Detections, RawFrame

EMPTY = Scene(hidden=(), open=None)
BUSY = Scene(hidden=(1,), open=None)
FRAMES = 32
LATE = 28
"""So late that the first frames are not covered for it."""

CLOAK = "cloak:8,steps=1"
NOISY = ("dp-pixelate", "dp-blur", "metric", "svd")
NEEDY = (*NOISY, "remove", CLOAK)
COPYING = ("solid", "blur", "pixelate", "lock")
MEDIA = ("a.png", "a.tiff", "a.gif", "a.mp4")
CASES = [(m, f) for m in NEEDY for f in MEDIA if m != CLOAK or f in {"a.png", "a.tiff"}]

NOBODY = Truth(lambda _: [])


def save(path: Path, scene: Scene) -> Path:
    """Write a photo, pages, an animation or a film."""
    if path.suffix == ".mp4":
        return save_scene(path, scene, FRAMES)
    return save_still(path, scene, {".png": 1, ".tiff": 3}.get(path.suffix, FRAMES))


def hide(
    source: Path, method: str, detector: Detector = NOBODY, settings: Settings | None = None
) -> FileResult:
    return eyelid.anonymize(source, targets=["face"], method=method, settings=settings, detectors=[detector])


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_every_method_is_one_or_the_other() -> None:
    assert {name.partition(":")[0] for name in (*NEEDY, *COPYING)} == set(NAMES)


@pytest.mark.parametrize(("method", "file"), CASES)
def test_a_method_that_needs_a_face_writes_nothing(
    method: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    charged: list[object] = []
    monkeypatch.setattr(Ledger, "charge", lambda *given: charged.append(given))
    source = save(tmp_path / file, EMPTY)
    with pytest.raises(InputError) as refused:
        hide(source, method)
    assert str(refused.value) == (
        f"no face was found in {source}, so {method.partition(':')[0]} had nothing to work on and "
        "nothing was written; if you see one, try --quality thorough or --detections, or write the copy with "
        "--method solid"
    )
    assert refused.value.exit_code == 1
    assert names(tmp_path) == {file}
    assert not charged


@pytest.mark.parametrize("method", COPYING)
@pytest.mark.parametrize("file", ["a.png", "a.gif", "a.mp4"])
def test_the_others_write_the_copy(method: str, file: str, tmp_path: Path) -> None:
    if method == "lock":
        generate_key(tmp_path / "key")
        method = f"lock:key={tmp_path / 'key'}"
    result = hide(save(tmp_path / file, EMPTY), method)
    assert result.output.exists()
    assert result.evidence is not None
    assert result.evidence.counts[0].detections == 0


@pytest.mark.parametrize(
    ("method", "file"),
    [*((m, "a.mp4") for m in (*NOISY, "remove")), ("metric", "a.gif"), ("remove", "a.gif")],
)
def test_a_face_that_comes_late_is_enough(method: str, file: str, tmp_path: Path) -> None:
    drawn = [(EMPTY if moment < LATE else BUSY).picture(moment) for moment in range(FRAMES)]
    if file == "a.gif":
        source = save(tmp_path / file, BUSY)
    else:
        source = save_clip(tmp_path / file, drawn)
    result = hide(source, method, Truth(lambda f: BUSY.boxes(f.index) if f.index >= LATE else []))
    assert result.evidence is not None
    assert 0 < result.evidence.counts[0].frames < FRAMES


@pytest.mark.parametrize("method", NEEDY)
def test_a_face_on_a_later_page_is_enough(method: str, tmp_path: Path) -> None:
    source = save(tmp_path / "a.tiff", BUSY)
    result = hide(source, method, Truth(lambda frame: BUSY.boxes(2) if frame.index == 2 else []))
    assert result.evidence is not None
    assert (result.evidence.counts[0].detections, result.evidence.frames.total) == (1, 3)


class Breaks(Detector):
    """Fails from a frame on, and sees nothing before."""

    name = "breaks"
    targets = frozenset((Target.FACE,))

    def __init__(self, at: int) -> None:
        self._at = at

    def detect(self, frames: Sequence[RawFrame]) -> list[Detections]:
        if frames[0].index >= self._at:
            raise RuntimeError("broken")
        return NOBODY.detect(frames)


@pytest.mark.parametrize(("method", "file"), CASES)
def test_a_frame_in_doubt_is_covered_whole_and_that_is_something(
    method: str, file: str, tmp_path: Path
) -> None:
    last = {"a.tiff": 2, "a.png": 0}.get(file, FRAMES - 1)
    result = hide(save(tmp_path / file, EMPTY), method, Breaks(last))
    assert result.evidence is not None
    assert result.evidence.frames.covered[-1].reason is CoverReason.DETECTOR_FAILED
    assert result.output.exists()


@pytest.mark.parametrize(("method", "file"), [(m, f) for m, f in CASES if f in {"a.png", "a.mp4"}])
def test_a_file_of_detections_that_holds_nothing_is_named(method: str, file: str, tmp_path: Path) -> None:
    source, listing, out = save(tmp_path / file, BUSY), tmp_path / "a.json", tmp_path / "out"
    searcher = Searcher(Settings(targets=(Target.FACE,)), [NOBODY])
    tasks = tasks_for([source], None, force=False)
    export_detections(searcher, tasks, listing, ExportFormat.COCO, force=False)
    out.mkdir()
    with pytest.raises(InputError) as refused:
        eyelid.anonymize(source, out, targets=["face"], method=method, settings=Settings(detections=listing))
    assert str(refused.value) == (
        f"{listing} lists no face in {source}, so {method.partition(':')[0]} had nothing to work on and "
        "nothing was written; if you see one, add it there, or write the copy with --method solid"
    )
    assert names(out) == set()


def test_a_file_of_detections_that_leaves_a_frame_out_covers_it(tmp_path: Path) -> None:
    source, listing = save(tmp_path / "a.mp4", EMPTY), tmp_path / "a.json"
    searcher = Searcher(Settings(targets=(Target.FACE,)), [NOBODY])
    tasks = tasks_for([source], None, force=False)
    export_detections(searcher, tasks, listing, ExportFormat.COCO, force=False)
    content = json.loads(listing.read_text())
    content["images"] = content["images"][:LATE]
    listing.write_text(json.dumps(content))
    settings = Settings(detections=listing)
    result = eyelid.anonymize(source, targets=["face"], method="dp-pixelate", settings=settings)
    assert result.evidence is not None
    assert result.evidence.frames.covered_count == FRAMES - LATE


def test_what_was_there_under_the_name_of_the_output_stays(tmp_path: Path) -> None:
    source = save(tmp_path / "a.png", EMPTY)
    before = hide(source, "solid").output.read_bytes()
    with pytest.raises(InputError, match="nothing was written"):
        eyelid.anonymize(source, targets=["face"], method="metric", detectors=[NOBODY], force=True)
    assert (tmp_path / "a.anon.png").read_bytes() == before
    assert eyelid.verify(tmp_path / "a.anon.png").ok


def test_the_sentence_names_all_that_was_asked_for_and_no_quality_that_was_tried(tmp_path: Path) -> None:
    source = save(tmp_path / "a.png", EMPTY)
    nothing = [Truth(lambda _: [], target) for target in (Target.FACE, Target.PERSON, Target.PLATE)]
    with pytest.raises(InputError) as refused:
        eyelid.anonymize(
            source,
            targets=["face", "plate", "person"],
            method="svd",
            settings=Settings(quality=Quality.THOROUGH),
            detectors=nothing,
        )
    assert "no face, licence plate or person was found" in str(refused.value)
    assert "if you see one, say where with --detections, or" in str(refused.value)


def test_a_cloak_needs_a_face_and_no_plate(tmp_path: Path) -> None:
    source = save(tmp_path / "a.png", BUSY)
    plates = Truth(lambda frame: BUSY.boxes(frame.index), Target.PLATE)
    with pytest.raises(InputError, match="no face was found"):
        eyelid.anonymize(source, targets=["face", "plate"], method=CLOAK, detectors=[NOBODY, plates])
    done = eyelid.anonymize(source, targets=["face", "plate"], method="metric", detectors=[NOBODY, plates])
    assert done.evidence is not None
    assert done.evidence.counts[1].detections == 1


def test_what_moved_and_no_detector_knew_was_removed_and_is_something(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (EMPTY.height, EMPTY.width, 3), np.uint8)
    still = np.asarray(cv2.GaussianBlur(noise, (0, 0), 2), np.uint8)
    drawn = [still.copy() for _ in range(90)]
    for moment, picture in enumerate(drawn[30:45]):
        x = 10 + 8 * moment
        picture[60:100, x : x + 40] = texture(1)[:40, :40]
    source = save_clip(tmp_path / "a.mp4", drawn, options=LOSSLESS)
    result = hide(source, "remove")
    assert result.evidence is not None
    fill = result.evidence.fill
    assert fill is not None
    assert fill.pixels_from_views > 0
    assert not result.evidence.counts[0].detections


def test_who_is_kept_on_request_was_found(tmp_path: Path, portrait: Path) -> None:
    settings = Settings(keep=(portrait,))
    result = eyelid.anonymize(
        portrait, tmp_path / "a.jpg", targets=["face"], method="dp-pixelate", settings=settings
    )
    assert result.evidence is not None
    assert result.evidence.kept is not None
    assert result.evidence.kept.detections == 1
    assert np.abs(pictures(portrait)[0].astype(int) - pictures(result.output)[0]).max() < 60


@pytest.mark.parametrize("method", NEEDY)
def test_a_folder_stays_whole(method: str, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    save_still(folder / "crowd.png", BUSY)
    save_still(folder / "landscape.png", EMPTY)
    settings = Settings(targets=(Target.FACE,), detectors=("tests.canary:spot:face",), threads=1)
    results = eyelid.anonymize_folder(folder, tmp_path / "out", method=method, settings=settings)
    assert [result.outcome for result in results] == [Outcome.DONE] * 2
    assert names(tmp_path / "out") == {
        name + end for name in ("crowd.png", "landscape.png") for end in ("", ".evidence.json")
    }
    landscape = results[1].evidence
    assert landscape is not None
    assert landscape.counts[0].detections == 0
    assert landscape.privacy is None or landscape.privacy.releases == 0
    before, after = pictures(folder / "landscape.png")[0], pictures(tmp_path / "out" / "landscape.png")[0]
    assert np.array_equal(before, after)


def test_a_folder_of_one_file_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    save_still(folder / "landscape.png", EMPTY)
    settings = Settings(targets=(Target.FACE,), detectors=("tests.canary:spot:face",), threads=1)
    (result,) = eyelid.anonymize_folder(folder, method="dp-blur", settings=settings)
    assert result.outcome is Outcome.DONE


def test_several_files_of_one_command_stay_whole(tmp_path: Path) -> None:
    sources = [save_still(tmp_path / "a.png", EMPTY), save_still(tmp_path / "b.png", BUSY)]
    settings = Settings(
        targets=(Target.FACE,), method=parse("metric"), detectors=("tests.canary:spot:face",), threads=1
    )
    tasks = tasks_for(sources, None, force=False)
    assert [result.outcome for result in in_turn(Anonymizer(settings), tasks)] == [Outcome.DONE] * 2
