"""What the person, vehicle, screen and text detectors find in real photos.

python benchmarks/recall_objects.py --data DIR [--quality fast balanced thorough]

people: the judged faces of DIR/faces_wide (truth.csv) whose middle lies inside a covered person, and
pedestrians a frame of DIR/video/vtest.avi; vehicles: the photos of DIR/plates/* whose plate lies inside a
covered vehicle; text: the lines of DIR/receipts (box/*.csv) of which 80 % is covered, and the share of their
dark strokes. Faces and plates stand in for outlines of people and vehicles, for which there is no truth here.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import cv2
import numpy as np

from eyelid.detect.objects import ObjectDetector
from eyelid.detect.text import TextDetector
from eyelid.media.still import StillReader
from eyelid.media.video import VideoReader
from eyelid.models.session import Device
from eyelid.obfuscate.regions import Coverage, regions
from eyelid.types import Quality, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from eyelid.detect.base import Detector
    from eyelid.types import RawFrame


@dataclass(slots=True)
class Count:
    """How many of all were found, and for how much: mean part of a photo that is covered, and time."""

    found: int = 0
    all: int = 0
    area: float = 0.0
    photos: int = 0
    seconds: float = 0.0

    def line(self, what: str) -> str:
        """Say it in a line."""
        return (
            f"  {what}: {self.found}/{self.all} = {self.found / self.all:.3f}; covered "
            f"{self.area / self.photos:.1%} of a photo; {self.seconds / self.photos * 1000:.0f} ms a photo"
        )


def read(path: Path) -> RawFrame:
    """Read the first picture of a file."""
    with StillReader(path) as reader:
        return next(iter(reader))


def covered(detector: Detector, frame: RawFrame, target: Target, count: Count) -> NDArray[np.bool_]:
    """Return which pixels (height, width) an obfuscator destroys for one target at the default coverage."""
    start = perf_counter()
    (found,) = detector.detect([frame])
    count.seconds += perf_counter() - start
    count.photos += 1
    mask = np.zeros((frame.height, frame.width), np.bool_)
    mine = found.select(np.array([t is target for t in found.targets], np.bool_))
    for region in regions(mine, Coverage(), frame.width, frame.height):
        part = mask[region.y0 : region.y1, region.x0 : region.x1]
        part |= True if region.mask is None else region.mask
    count.area += float(mask.mean())
    return mask


def people(data: Path, detector: Detector) -> Count:
    """Count the judged faces whose middle lies inside a covered person."""
    faces = defaultdict(list)
    with (data / "faces_wide" / "truth.csv").open() as file:
        for row in csv.DictReader(file):
            if row["ignore"] == "0":
                faces[row["file"]].append([float(row[k]) for k in ("x0", "y0", "x1", "y1")])
    count = Count()
    for name, boxes in sorted(faces.items()):
        mask = covered(detector, read(data / "faces_wide" / name), Target.PERSON, count)
        count.all += len(boxes)
        count.found += sum(bool(mask[int((y0 + y1) / 2), int((x0 + x1) / 2)]) for x0, y0, x1, y1 in boxes)
    return count


def pedestrians(data: Path, detector: Detector, step: int = 100) -> list[int]:
    """Return how many people are found in every ``step``-th frame of the clip."""
    with VideoReader(data / "video" / "vtest.avi") as reader:
        return [
            sum(t is Target.PERSON for t in detector.detect([frame])[0].targets)
            for frame in reader
            if frame.index % step == 0
        ]


def vehicles(data: Path, detector: Detector) -> Count:
    """Count the photos whose plate lies inside a covered vehicle."""
    count = Count()
    for text in sorted((data / "plates").glob("*/*.txt")):
        x, y, width, height = (int(field) for field in text.read_text().split("\t")[1:5])
        mask = covered(detector, read(text.with_suffix(".jpg")), Target.VEHICLE, count)
        count.all += 1
        count.found += bool(mask[y : y + height, x : x + width].mean() >= 0.8)
    return count


def lines(path: Path) -> Iterator[NDArray[np.int32]]:
    """Yield the corners (4, 2) of each line of text of a receipt."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        fields = line.split(",")
        if len(fields) >= 8:
            yield np.array(fields[:8], np.int32).reshape(4, 2)


def text(data: Path, detector: Detector) -> tuple[Count, Count]:
    """Count the lines, and the dark strokes in them, that are covered."""
    count, strokes = Count(), Count()
    for path in sorted((data / "receipts" / "img").glob("*.jpg")):
        frame = read(path)
        mask = covered(detector, frame, Target.TEXT, count)
        grey = cv2.cvtColor(frame.bgr(), cv2.COLOR_BGR2GRAY)
        dark = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 31, 20) > 0
        truth = np.zeros(mask.shape, np.uint8)
        for corners in lines(data / "receipts" / "box" / f"{path.stem}.csv"):
            line = np.zeros(mask.shape, np.uint8)
            cv2.fillPoly(line, [corners], 1)
            truth |= line
            count.all += 1
            count.found += bool(mask[line > 0].mean() >= 0.8)
        strokes.all += int((dark & (truth > 0)).sum())
        strokes.found += int((dark & (truth > 0) & mask).sum())
    return count, strokes


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("EYELID_DATA"))
    parser.add_argument("--quality", type=Quality, nargs="+", default=[Quality.BALANCED])
    asked = parser.parse_args()
    if asked.data is None:
        parser.error("name the folder with the real media: --data DIR, or set EYELID_DATA")
    for quality in asked.quality:
        objects = ObjectDetector(quality, device=Device.CPU, threads=2, moving=False)
        clip = ObjectDetector(quality, device=Device.CPU, threads=2, moving=True)
        print(f"\nquality {quality}")
        print(people(asked.data, objects).line("faces inside a person"))
        print(f"  people in every 100th frame of vtest.avi: {pedestrians(asked.data, clip)}")
        print(vehicles(asked.data, objects).line("plates inside a vehicle"))
        found, strokes = text(asked.data, TextDetector(quality, device=Device.CPU, threads=2, moving=False))
        print(found.line("lines of text"))
        print(f"  dark strokes of text covered: {strokes.found / strokes.all:.4f}")


if __name__ == "__main__":
    main()
