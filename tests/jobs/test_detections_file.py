"""Detections go out as COCO or MOT and come back: the same area, with edits, or a clear sentence."""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import eyelid
from eyelid.errors import EyelidError, InputError, OutputError, UsageError
from eyelid.evidence.model import CoverReason
from eyelid.jobs.export import ExportFormat, export_detections
from eyelid.jobs.search import Searcher
from eyelid.jobs.settings import Settings
from eyelid.jobs.tasks import tasks_for
from eyelid.types import Quality, Target
from tests.canary import (
    HIDDEN,
    LOSSLESS,
    SHOWN,
    Scene,
    Truth,
    correlation,
    pictures,
    save_clip,
    save_scene,
    save_still,
)

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.detect.base import Detector
    from eyelid.jobs.export import Export

SCENE = Scene()
COUNT = 10


def export(source: Path, output: Path, detector: Detector, kind: ExportFormat = ExportFormat.COCO) -> Export:
    searcher = Searcher(Settings(targets=(Target.FACE,), quality=Quality.THOROUGH), [detector])
    return export_detections(searcher, tasks_for([source], None, force=False), output, kind, force=False)


def given_back(path: Path) -> Settings:
    return Settings(detections=path)


def write(path: Path) -> Path:
    return save_scene(path, SCENE, COUNT) if path.suffix == ".mp4" else save_still(path, SCENE, 3)


def edit(path: Path, target: Path, **changes: Any) -> Path:
    """Write an edited copy of a COCO file: each change is a function of its part."""
    content = json.loads(path.read_text())
    for part, change in changes.items():
        content[part] = change(content[part])
    target.write_text(json.dumps(content))
    return target


@pytest.mark.parametrize("file", ["a.png", "a.gif", "a.mp4"])
def test_what_goes_out_and_comes_back_covers_the_same(file: str, tmp_path: Path) -> None:
    source = write(tmp_path / file) if file != "a.png" else save_still(tmp_path / file, SCENE)
    listed = tmp_path / "a.coco.json"
    made = export(source, listed, SCENE.detector())
    direct = eyelid.anonymize(
        source,
        tmp_path / f"direct{source.suffix}",
        targets=["face"],
        settings=Settings(quality=Quality.THOROUGH),
        detectors=[SCENE.detector()],
    )
    back = eyelid.anonymize(
        source, tmp_path / f"back{source.suffix}", targets=["face"], settings=given_back(listed)
    )
    assert direct.output.read_bytes() == back.output.read_bytes()
    assert direct.evidence is not None
    assert back.evidence is not None
    assert back.evidence.counts[0].detections == direct.evidence.counts[0].detections
    assert back.evidence.models == ()
    assert back.evidence.settings.detections is not None
    assert made.counts[0].detections == direct.evidence.counts[0].detections
    assert made.frames == direct.evidence.frames.total


def test_the_file_is_coco_and_holds_no_pixels(tmp_path: Path) -> None:
    source = save_scene(tmp_path / "a.mp4", SCENE, COUNT, options=LOSSLESS)
    export(source, tmp_path / "a.coco.json", SCENE.detector())
    content = json.loads((tmp_path / "a.coco.json").read_text())
    assert set(content) == {"categories", "annotations", "images"}
    assert [category["name"] for category in content["categories"]] == list(Target)
    assert [image["frame_index"] for image in content["images"]] == list(range(COUNT))
    assert len({annotation["id"] for annotation in content["annotations"]}) == len(content["annotations"])
    by_image = {image["id"]: image["frame_index"] for image in content["images"]}
    for annotation in content["annotations"]:
        x, y, width, height = annotation["bbox"]
        truth = np.array(SCENE.boxes(by_image[annotation["image_id"]]), np.float64)
        assert np.abs(truth - (x, y, x + width, y + height)).max(axis=1).min() < 0.1
        assert annotation["area"] == pytest.approx(width * height, abs=0.1)
    assert {annotation["track_id"] for annotation in content["annotations"]} == {0, 1}
    assert (tmp_path / "a.coco.json").stat().st_size < 400 * len(content["annotations"])


def test_mot(tmp_path: Path) -> None:
    source = save_scene(tmp_path / "a.mp4", SCENE, COUNT)
    export(source, tmp_path / "a.mot.csv", SCENE.detector(), ExportFormat.MOT)
    rows = list(csv.reader((tmp_path / "a.mot.csv").read_text().splitlines()))
    assert len(rows) == COUNT * len(SCENE.hidden)
    for row in rows:
        assert len(row) == 9
        left, top, width, height = map(float, row[2:6])
        truth = np.array(SCENE.boxes(int(row[0]) - 1), np.float64)
        assert np.abs(truth - (left, top, left + width, top + height)).max(axis=1).min() < 0.1
        assert row[7] == "1"
    other = save_still(tmp_path / "b.png", SCENE)
    searcher = Searcher(Settings(targets=(Target.FACE,)), [SCENE.detector()])
    with pytest.raises(UsageError, match="one video"):
        export_detections(
            searcher,
            tasks_for([source, other], None, force=False),
            tmp_path / "c.csv",
            ExportFormat.MOT,
            force=False,
        )


def test_edited_boxes_are_honoured(tmp_path: Path) -> None:
    """A box that a person takes out shows its canary, a box that a person draws hides one."""
    source = save_still(tmp_path / "a.png", SCENE)
    export(source, tmp_path / "a.coco.json", SCENE.detector())

    def move(annotations: list[dict[str, Any]]) -> list[dict[str, Any]]:
        first = annotations[0] | {"bbox": [SCENE.width - 50, 0, 50, 50], "note": "drawn by hand"}
        first.pop("score"), first.pop("track_id"), first.pop("area")
        return [first, annotations[1]]

    edited = edit(tmp_path / "a.coco.json", tmp_path / "edited.json", annotations=move)
    result = eyelid.anonymize(source, targets=["face"], settings=given_back(edited))
    (picture,) = pictures(result.output)
    removed, kept = SCENE.hidden
    assert SCENE.open is not None
    assert correlation(picture, removed) > SHOWN
    assert correlation(picture, kept) < HIDDEN
    assert correlation(picture, SCENE.open) < HIDDEN


def test_frames_that_are_not_listed_are_covered_whole(tmp_path: Path) -> None:
    source = save_scene(tmp_path / "a.mp4", SCENE, COUNT)
    export(source, tmp_path / "a.coco.json", SCENE.detector())
    missing = {3, 4, 9}

    def drop(images: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [image for image in images if image["frame_index"] not in missing]

    content = json.loads((tmp_path / "a.coco.json").read_text())
    gone = {image["id"] for image in content["images"] if image["frame_index"] in missing}
    edited = edit(
        tmp_path / "a.coco.json",
        tmp_path / "edited.json",
        images=drop,
        annotations=lambda entries: [entry for entry in entries if entry["image_id"] not in gone],
    )
    result = eyelid.anonymize(source, targets=["face"], settings=given_back(edited))
    assert result.evidence is not None
    covered = result.evidence.frames.covered
    assert [(run.first, run.last, run.reason) for run in covered] == [
        (3, 4, CoverReason.NOT_LISTED),
        (9, 9, CoverReason.NOT_LISTED),
    ]
    for index, picture in enumerate(pictures(result.output)):
        assert (int(picture.max()) < 12) == (index in missing)


def test_the_detections_of_another_file_are_refused(tmp_path: Path) -> None:
    first, second = save_still(tmp_path / "a.png", SCENE), save_still(tmp_path / "b.png", SCENE)
    export(first, tmp_path / "a.coco.json", SCENE.detector())
    with pytest.raises(InputError, match=r"lists no frame of b\.png"):
        eyelid.anonymize(second, targets=["face"], settings=given_back(tmp_path / "a.coco.json"))
    assert not (tmp_path / "b.anon.png").exists()


def test_a_frame_beyond_the_last_is_refused(tmp_path: Path) -> None:
    source = save_still(tmp_path / "a.png", SCENE)
    export(source, tmp_path / "a.coco.json", SCENE.detector())
    content = json.loads((tmp_path / "a.coco.json").read_text())
    content["images"][0]["frame_index"] = 1
    (tmp_path / "a.coco.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="frame 1"):
        eyelid.anonymize(source, targets=["face"], settings=given_back(tmp_path / "a.coco.json"))
    assert not (tmp_path / "a.anon.png").exists()


def test_a_frame_that_stands_twice_is_covered_for_both(tmp_path: Path) -> None:
    """As where the work of two people on the same picture was joined."""
    source = save_still(tmp_path / "a.png", SCENE)
    export(source, tmp_path / "a.coco.json", SCENE.detector())
    content = json.loads((tmp_path / "a.coco.json").read_text())
    twin = content["images"][0] | {"id": 2}
    last = content["annotations"].pop()
    content["annotations"].insert(0, last | {"image_id": 2})
    content["images"].append(twin)
    (tmp_path / "a.coco.json").write_text(json.dumps(content))
    result = eyelid.anonymize(source, targets=["face"], settings=given_back(tmp_path / "a.coco.json"))
    assert result.evidence is not None
    assert result.evidence.counts[0].detections == len(content["annotations"])
    assert result.evidence.guarantee.assumption == "The file of detections lists every target."


def test_a_failed_detector_comes_back_as_a_covered_frame(tmp_path: Path) -> None:
    def boxes(_: object) -> list[tuple[int, int, int, int]]:
        raise RuntimeError

    source = save_still(tmp_path / "a.png", SCENE)
    export(source, tmp_path / "a.coco.json", Truth(boxes))
    result = eyelid.anonymize(source, targets=["face"], settings=given_back(tmp_path / "a.coco.json"))
    assert int(pictures(result.output)[0].max()) == 0


POLYGONS: dict[str, tuple[list[int], Any]] = {
    "a polygon as its box": ([0, 1], lambda box, _: {"bbox": box, "segmentation": [square(box)]}),
    "a larger polygon": ([0, 1], lambda box, _: {"bbox": [0, 0, 1, 1], "segmentation": [square(box)]}),
    "a larger box": ([0, 1], lambda box, _: {"bbox": box, "segmentation": [[9, 9, 12, 9, 9, 12]]}),
    "two polygons": ([0, 0], lambda a, b: {"bbox": a, "segmentation": [square(a), square(b)]}),
    "a line": ([0, 1], lambda box, _: {"bbox": box, "segmentation": [[9, 9, 12, 9]]}),
    "a box turned inside out": ([0, 1], lambda b, _: {"bbox": [b[0] + b[2], b[1] + b[3], -b[2], -b[3]]}),
}


def square(bbox: list[int]) -> list[int]:
    x, y, width, height = bbox
    return [x, y, x + width, y, x + width, y + height, x, y + height]


@pytest.mark.parametrize("name", POLYGONS)
def test_outlines_of_any_kind_are_covered(name: str, tmp_path: Path) -> None:
    (first, second), change = POLYGONS[name]
    source = save_still(tmp_path / "a.png", SCENE)
    export(source, tmp_path / "a.coco.json", SCENE.detector())
    boxes = [[x0, y0, x1 - x0, y1 - y0] for x0, y0, x1, y1 in SCENE.boxes(0)]
    edited = edit(
        tmp_path / "a.coco.json",
        tmp_path / "edited.json",
        annotations=lambda entries: [entries[0] | change(*boxes)],
    )
    result = eyelid.anonymize(source, targets=["face"], settings=given_back(edited))
    (picture,) = pictures(result.output)
    for seed, shown in zip(SCENE.hidden, (first, second), strict=True):
        assert (correlation(picture, seed) > HIDDEN) == bool(shown)


def every(field: str, value: object) -> Any:
    return lambda entries: [entry | {field: value} for entry in entries]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another size": ({"images": every("width", 99)}, "run 'eyelid detect' on this file again"),
    "an unknown category": ({"categories": every("name", "nose")}, "rename the category"),
    "a category that is not there": ({"categories": lambda _: []}, "no category with id 1"),
    "an unknown image": ({"annotations": every("image_id", 77)}, "correct the image_id"),
    "three numbers": ({"annotations": every("bbox", [1, 2, 3])}, "bbox"),
    "a word for a number": ({"annotations": every("bbox", [1, 2, 3, "x"])}, "bbox"),
    "NaN": ({"annotations": every("bbox", [1, 2, 3, float("nan")])}, "bbox"),
    "infinity": ({"annotations": every("bbox", [1, 2, 3, 1e999])}, "bbox"),
    "a box far away": ({"annotations": every("bbox", [1e20, 1e20, 9, 9])}, "far outside of its frame"),
    "a box beyond float32": ({"annotations": every("bbox", [1e39, 1, 2, 3])}, "far outside of its frame"),
    "a polygon far away": (
        {"annotations": every("segmentation", [[1e20, 1, 2e20, 1, 1, 2]])},
        "far outside of its frame",
    ),
    "a track beyond int64": ({"annotations": every("track_id", 10**30)}, "track_id"),
    "a score beyond float32": ({"annotations": every("score", 1e60)}, "score"),
    "an odd polygon": ({"annotations": every("segmentation", [[1, 2, 3]])}, "segmentation"),
    "run-length masks": (
        {"annotations": every("segmentation", {"counts": [1], "size": [1, 1]})},
        "segmentation",
    ),
    "no images": ({"images": lambda _: None}, "images"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_one_sentence(name: str, tmp_path: Path) -> None:
    changes, words = WRONG[name]
    source = save_still(tmp_path / "a.png", SCENE)
    export(source, tmp_path / "a.coco.json", SCENE.detector())
    edited = edit(tmp_path / "a.coco.json", tmp_path / "edited.json", **changes)
    with pytest.raises(EyelidError, match=re.escape(words)) as raised:
        eyelid.anonymize(source, targets=["face"], settings=given_back(edited))
    assert "edited.json" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "a.coco.json", "edited.json"}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"images": 3}', b"7"])
def test_garbage_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    source = save_still(tmp_path / "a.png", SCENE)
    (tmp_path / "bad.json").write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.json"):
        eyelid.anonymize(source, targets=["face"], settings=given_back(tmp_path / "bad.json"))
    with pytest.raises(InputError, match=r"none\.json.*; name a file that 'eyelid detect"):
        eyelid.anonymize(source, targets=["face"], settings=given_back(tmp_path / "none.json"))
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "bad.json"}


def test_fields_of_other_tools_are_read_over(tmp_path: Path) -> None:
    source = save_still(tmp_path / "a.png", SCENE)
    export(source, tmp_path / "a.coco.json", SCENE.detector())
    edited = edit(
        tmp_path / "a.coco.json",
        tmp_path / "edited.json",
        images=every("license", 3),
        annotations=every("attributes", {"occluded": False}),
        categories=every("supercategory", "thing"),
    )
    content = json.loads(edited.read_text()) | {"info": {"year": 2026}, "licenses": []}
    edited.write_text(json.dumps(content))
    result = eyelid.anonymize(source, targets=["face"], settings=given_back(edited))
    (picture,) = pictures(result.output)
    assert all(correlation(picture, seed) < HIDDEN for seed in SCENE.hidden)


def test_one_bad_file_of_a_folder_is_told_and_an_output_is_not_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    save_still(folder / "a.png", SCENE)
    (folder / "bad.png").write_bytes(b"\x89PNG")
    tasks = tasks_for([folder], None, force=False)
    searcher = Searcher(Settings(targets=(Target.FACE,)), [SCENE.detector()])
    out = tmp_path / "out.json"
    made = export_detections(searcher, tasks, out, ExportFormat.COCO, force=False)
    assert len(made.failures) == 1
    assert "bad.png" in made.failures[0]
    with pytest.raises(OutputError, match="--force"):
        export_detections(searcher, tasks, out, ExportFormat.COCO, force=False)


def test_a_cut_needs_no_second_detection(tmp_path: Path) -> None:
    """Listed boxes are exact: nothing is held over a cut."""
    drawn = [SCENE.picture(0)] * 4 + [255 - SCENE.picture(0)] * 4
    source = save_clip(tmp_path / "a.mp4", drawn)
    detector = Truth(lambda frame: SCENE.boxes(0) if frame.index < 4 else [])
    export(source, tmp_path / "a.coco.json", detector)
    result = eyelid.anonymize(source, targets=["face"], settings=given_back(tmp_path / "a.coco.json"))
    shown = [correlation(picture, SCENE.hidden[0]) > HIDDEN for picture in pictures(result.output)]
    assert shown == [False] * 4 + [True] * 4
