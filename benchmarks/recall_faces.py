"""How many faces are covered, and how many photos without faces are touched?

    python benchmarks/recall_faces.py [--data DATA] [--qualities fast balanced thorough]
        [--precisions f32 bf16] [--curve] [--show-misses] [--json OUT.json]
        [--deface VENV/bin/python]

DATA, by default $EYELID_DATA, holds faces_detect (dlib's XML) and faces_wide (truth.csv). A face counts when
80 % of its box is covered by the regions of the default coverage, which every method destroys alike.
A false alarm is a photo
tagged noface with any region. --curve prints recall and false alarms around the operating point, and the
recall of halves of the photos drawn at random. --deface times and scores the peer
(pip install deface onnx onnxruntime) at its default size, on the same photos, runs interleaved.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

import numpy as np

from eyelid.detect import faces as faces_module
from eyelid.detect.faces import FaceDetector
from eyelid.media.still import StillReader
from eyelid.models.cpu import has_bf16
from eyelid.models.session import Precision
from eyelid.obfuscate.regions import Coverage, regions
from eyelid.types import Detections, Quality, RawFrame, Target

if TYPE_CHECKING:
    from numpy.typing import NDArray

DESTROYED: Final = 0.8
SMALL: Final = 20
HALVES: Final = 200


@dataclass(frozen=True)
class Face:
    """A true face: box in pixels, tags."""

    box: tuple[float, float, float, float]
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Photo:
    """A photo and what is true of it."""

    path: Path
    faces: tuple[Face, ...]
    empty: bool


@dataclass
class Result:
    """Counts of one run: found and all by tag, misses, photos with false alarms, median ms a photo."""

    name: str
    found: dict[str, int] = field(default_factory=dict)
    total: dict[str, int] = field(default_factory=dict)
    misses: list[str] = field(default_factory=list)
    alarms: dict[str, int] = field(default_factory=dict)
    milliseconds: float = 0.0

    def recall(self, tag: str) -> float:
        """Return the recall for a tag."""
        return self.found.get(tag, 0) / max(1, self.total.get(tag, 0))


def wide(folder: Path) -> list[Photo]:
    """Read faces_wide."""
    rows = list(csv.DictReader((folder / "truth.csv").open(newline="")))
    photos = []
    for name in dict.fromkeys(row["file"] for row in rows):
        mine = [row for row in rows if row["file"] == name]
        judged = [row for row in mine if row["ignore"] == "0"]
        faces = []
        for row in judged:
            x0, y0, x1, y1 = (float(row[key]) for key in ("x0", "y0", "x1", "y1"))
            small = ("under 20 px",) if x1 - x0 < SMALL else ()
            faces.append(Face((x0, y0, x1, y1), ("faces_wide", *small, *row["tags"].split(";"))))
        empty = any("noface" in row["tags"].split(";") for row in mine)
        photos.append(Photo(folder / name, tuple(faces), empty))
    return photos


def detect_set(folder: Path) -> list[Photo]:
    """Read faces_detect: those of its photos that are there."""
    photos = []
    for sheet in ("testing.xml", "training.xml"):
        for image in ET.parse(folder / sheet).getroot().iter("image"):
            path = folder / image.attrib["file"]
            faces = []
            for box in image.iter("box"):
                left, top, width, height = (float(box.attrib[k]) for k in ("left", "top", "width", "height"))
                if box.attrib.get("ignore") != "1":
                    faces.append(Face((left, top, left + width, top + height), ("faces_detect",)))
            if path.exists():
                photos.append(Photo(path, tuple(faces), empty=False))
    return photos


def open_photo(path: Path) -> RawFrame:
    """Return the first page of a photo."""
    with StillReader(path) as reader:
        return next(iter(reader))


def covered(found: Detections, frame: RawFrame) -> NDArray[np.bool_]:
    """Return the mask (height, width) of the union of the regions of the default coverage."""
    mask = np.zeros((frame.height, frame.width), np.bool_)
    for region in regions(found, Coverage(), frame.width, frame.height):
        mask[region.y0 : region.y1, region.x0 : region.x1] |= True if region.mask is None else region.mask
    return mask


def destroyed(mask: NDArray[np.bool_], face: Face) -> float:
    """Return the share of a face's box that a mask holds."""
    x0, y0, x1, y1 = (round(value) for value in face.box)
    return float(mask[max(y0, 0) : y1, max(x0, 0) : x1].mean())


def count(name: str, photos: list[Photo], masks: list[NDArray[np.bool_]], found: list[Detections]) -> Result:
    """Count recall and false alarms."""
    result = Result(name)
    for photo, mask, boxes in zip(photos, masks, found, strict=True):
        if photo.empty and len(boxes):
            result.alarms[photo.path.name] = len(boxes)
        for face in photo.faces:
            share = destroyed(mask, face)
            if share < DESTROYED:
                result.misses.append(f"{photo.path.name} {face.box} {';'.join(face.tags)}: {share:.2f}")
            for tag in face.tags:
                result.total[tag] = result.total.get(tag, 0) + 1
                result.found[tag] = result.found.get(tag, 0) + (share >= DESTROYED)
    return result


def run(detector: FaceDetector, name: str, photos: list[Photo], frames: list[RawFrame]) -> Result:
    """Run a detector over the photos and count."""
    detector.detect(frames[:1])
    found, times = [], []
    for frame in frames:
        start = perf_counter()
        found += detector.detect([frame])
        times.append(perf_counter() - start)
    masks = [covered(boxes, frame) for boxes, frame in zip(found, frames, strict=True)]
    result = count(name, photos, masks, found)
    result.milliseconds = statistics.median(times) * 1000
    return result


def show(result: Result, misses: bool) -> None:
    """Print one result."""
    tags = sorted(result.total, key=lambda tag: -result.total[tag])
    print(f"\n{result.name}: {result.milliseconds:.0f} ms a photo (median), false alarms on", end=" ")
    print(f"{len(result.alarms)} photos {sorted(result.alarms)}")
    for tag in tags:
        print(f"  {tag:14s} {result.recall(tag):.4f}  ({result.found[tag]} of {result.total[tag]})")
    if misses:
        print("\n".join(f"  missed {line}" for line in result.misses))


def curve(precision: Precision, photos: list[Photo], frames: list[RawFrame]) -> None:
    """Print recall and false alarms at thresholds around the operating point, and its stability."""
    print(f"\nbalanced, {precision}, threshold: missed of faces_wide and faces_detect, photos with alarms")
    operating = faces_module.STILL_SCORE
    by_photo: list[tuple[int, int]] = []
    for threshold in (0.15, 0.2, operating, 0.3, 0.35, 0.4, 0.5):
        faces_module.STILL_SCORE = threshold  # type: ignore[misc]
        detector = FaceDetector(Quality.BALANCED, precision=precision)
        found = detector.detect(frames)
        masks = [covered(boxes, frame) for boxes, frame in zip(found, frames, strict=True)]
        result = count("", photos, masks, found)
        missed = {tag: result.total[tag] - result.found[tag] for tag in ("faces_wide", "faces_detect")}
        print(f"  {threshold:.2f}: {missed}, alarms on {sorted(result.alarms)}")
        if threshold == operating:
            for photo, mask in zip(photos, masks, strict=True):
                mine = [face for face in photo.faces if "faces_wide" in face.tags]
                by_photo.append((sum(destroyed(mask, face) >= DESTROYED for face in mine), len(mine)))
    faces_module.STILL_SCORE = operating  # type: ignore[misc]
    counts = np.array([pair for pair in by_photo if pair[1]])
    rng = np.random.default_rng(0)
    halves = [counts[rng.permutation(len(counts))[: len(counts) // 2]].sum(axis=0) for _ in range(HALVES)]
    recalls = np.array([found / total for found, total in halves])
    low, high = np.percentile(recalls, (2.5, 97.5))
    print(f"  random halves of the photos: recall {low:.4f} to {high:.4f} (95 % of {HALVES})")


PEER: Final = """
import sys, time, cv2, json
from deface.centerface import CenterFace
net = CenterFace()
for line in sys.stdin:
    path, threshold = json.loads(line)
    picture = cv2.imread(path)[:, :, ::-1]
    start = time.perf_counter()
    boxes, _ = net(picture, threshold=threshold)
    print(json.dumps([time.perf_counter() - start, boxes.tolist()]), flush=True)
"""


def against_deface(python: Path, photos: list[Photo], frames: list[RawFrame]) -> None:
    """Print recall, alarms and time of the peer, and the ratio of times, photo by photo."""
    peer = subprocess.Popen(
        [python, "-c", PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert peer.stdin is not None
    assert peer.stdout is not None
    detector = FaceDetector()
    ours, theirs, boxes = [], [], []
    for photo, frame in zip(photos, frames, strict=True):
        mine, yours = [], []
        for _ in range(5):
            start = perf_counter()
            detector.detect([frame])
            mine.append(perf_counter() - start)
            peer.stdin.write(json.dumps([str(photo.path), 0.2]) + "\n")
            line = peer.stdout.readline()
            while not line.startswith("["):
                line = peer.stdout.readline()
            seconds, found = json.loads(line)
            yours.append(seconds)
        ours.append(statistics.median(mine))
        theirs.append(statistics.median(yours))
        boxes.append(np.array(found, np.float32).reshape(-1, 5))
    peer.stdin.close()
    peer.wait()
    for threshold in (0.2, 0.5):
        found = [
            Detections(b[:, :4], b[:, 4], (Target.FACE,) * len(b))
            for b in (rows[rows[:, 4] >= threshold] for rows in boxes)
        ]
        masks = [covered(one, frame) for one, frame in zip(found, frames, strict=True)]
        result = count(f"deface's boxes at {threshold}, our coverage", photos, masks, found)
        result.milliseconds = statistics.median(theirs) * 1000
        show(result, misses=False)
    ratios = np.array(theirs) / np.array(ours)
    print(f"\ndetection, deface / eyelid: {sum(theirs) / sum(ours):.2f} over all photos; by photo", end=" ")
    print(f"median {np.median(ratios):.2f}, least {ratios.min():.2f}, most {ratios.max():.2f}")
    for low, high in ((0, 0.25), (0.25, 0.5), (0.5, 1), (1, 100)):
        pixels = np.array([frame.width * frame.height / 1e6 for frame in frames])
        mine_too = (pixels >= low) & (pixels < high)
        if mine_too.any():
            print(
                f"  {low} to {high} megapixels: {np.median(ratios[mine_too]):.2f} ({mine_too.sum()} photos)"
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("EYELID_DATA"))
    parser.add_argument("--qualities", nargs="+", type=Quality, default=list(Quality))
    parser.add_argument("--precisions", nargs="+", type=Precision)
    parser.add_argument("--curve", action="store_true")
    parser.add_argument("--show-misses", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--deface", type=Path)
    options = parser.parse_args()
    if options.data is None:
        sys.exit("name the folder of the real media: --data DATA, or EYELID_DATA")
    precisions = options.precisions or [Precision.F32, *([Precision.BF16] if has_bf16() else [])]
    photos = wide(options.data / "faces_wide") + detect_set(options.data / "faces_detect")
    frames = [open_photo(photo.path) for photo in photos]
    results = []
    for quality in options.qualities:
        for precision in precisions:
            detector = FaceDetector(quality, precision=precision)
            results.append(run(detector, f"{quality} {precision}", photos, frames))
            show(results[-1], options.show_misses)
    if options.curve:
        for precision in precisions:
            curve(precision, photos, frames)
    if options.deface:
        against_deface(options.deface, photos, frames)
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=1))


if __name__ == "__main__":
    main()
