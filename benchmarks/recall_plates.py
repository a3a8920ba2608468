"""Recall of licence plates, and how much is covered that is no plate.

python benchmarks/recall_plates.py --data DIR [--quality fast balanced thorough] [--precision f32 bf16]

DIR/plates/{eu,us,br} holds photos, each with a text file that names one plate (file, x, y, width, height,
text, separated by tabs). A plate counts when 80 % of its box is covered at the default margin. A photo may
show more plates than the named one, so "alarms" counts covered places that miss it, right or wrong, and
"outside" is an upper bound. DIR/faces_wide are photos with few plates: every one with a detection is listed.
"""

from __future__ import annotations

import argparse
import os
import statistics
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from eyelid.detect.plates import PlateDetector
from eyelid.media.still import StillReader
from eyelid.models.session import Device, Precision, Session
from eyelid.obfuscate.regions import Coverage, regions
from eyelid.types import Quality

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from eyelid.types import Detections, RawFrame

SETS = ("eu", "us", "br")
COVERED = 0.8


@dataclass(frozen=True, slots=True)
class Result:
    """What one photo showed: the part of the plate that is covered, of the photo outside it, and ms."""

    name: str
    covered: float
    outside: float
    alarms: int
    milliseconds: float


def photos(folder: Path) -> Iterator[tuple[Path, tuple[int, int, int, int]]]:
    """Yield each photo of a set with the box of its plate, x0 y0 x1 y1 in pixels."""
    for text in sorted(folder.glob("*.txt")):
        x, y, width, height = (int(field) for field in text.read_text().split("\t")[1:5])
        yield text.with_suffix(".jpg"), (x, y, x + width, y + height)


def read(path: Path) -> RawFrame:
    """Read the first picture of a file."""
    with StillReader(path) as reader:
        return next(iter(reader))


def covered(found: Detections, width: int, height: int) -> NDArray[np.bool_]:
    """Return which pixels (height, width) an obfuscator destroys at the default coverage."""
    mask = np.zeros((height, width), np.bool_)
    for region in regions(found, Coverage(), width, height):
        part = mask[region.y0 : region.y1, region.x0 : region.x1]
        part |= True if region.mask is None else region.mask
    return mask


def measure(folder: Path, detector: PlateDetector) -> list[Result]:
    """Run a detector over a set of photos."""
    results = []
    for path, (x0, y0, x1, y1) in photos(folder):
        frame = read(path)
        detector.detect([frame])  # the first look at a new size also prepares the network
        start = perf_counter()
        (found,) = detector.detect([frame])
        spent = (perf_counter() - start) * 1000
        mask = covered(found, frame.width, frame.height)
        hit = float(mask[y0:y1, x0:x1].mean())
        mask[y0:y1, x0:x1] = False
        apart = sum(
            min(b[2], x1) <= max(b[0], x0) or min(b[3], y1) <= max(b[1], y0) for b in found.boxes.tolist()
        )
        results.append(Result(path.name, hit, float(mask.mean()), apart, spent))
    return results


def detector_for(quality: Quality, precision: Precision, *, moving: bool = False) -> PlateDetector:
    """Return the detector with its network in one precision."""
    detector = PlateDetector(quality, device=Device.CPU, threads=2, moving=moving)
    detector._session = Session(
        "plate", precision=precision, threads=2, steady=moving and quality is not Quality.THOROUGH
    )
    return detector


def report(data: Path, quality: Quality, precision: Precision, moving: bool) -> None:
    """Print a line for each set, and what is alarmed at in photos without plates."""
    detector = detector_for(quality, precision, moving=moving)
    print(f"\n{'video' if moving else 'still'} settings, quality {quality}, {precision}")
    every = []
    for name in SETS:
        results = measure(data / "plates" / name, detector)
        every += results
        hits = sum(r.covered >= COVERED for r in results)
        lost = ", ".join(f"{r.name} {r.covered:.2f}" for r in results if r.covered < COVERED) or "none"
        print(
            f"  {name}: recall {hits}/{len(results)} = {hits / len(results):.3f}, missed: {lost}; "
            f"outside mean {statistics.mean(r.outside for r in results):.2%} "
            f"max {max(r.outside for r in results):.1%}; alarms {sum(r.alarms for r in results)}; "
            f"median {statistics.median(r.milliseconds for r in results):.0f} ms"
        )
    print(
        f"  all: recall {sum(r.covered >= COVERED for r in every)}/{len(every)}, least cover "
        f"{min(r.covered for r in every):.2f}, outside mean {statistics.mean(r.outside for r in every):.2%} "
        f"max {max(r.outside for r in every):.1%}"
    )
    others = sorted((data / "faces_wide").glob("*.jpg"))
    alarmed = [(path.name, len(detector.detect([read(path)])[0])) for path in others]
    alarmed = [(name, count) for name, count in alarmed if count]
    print(f"  faces_wide: {len(alarmed)} of {len(others)} photos with a detection: {alarmed}")


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("EYELID_DATA"))
    parser.add_argument("--quality", type=Quality, nargs="+", default=[Quality.BALANCED])
    parser.add_argument("--precision", type=Precision, nargs="+", default=[Precision.F32, Precision.BF16])
    parser.add_argument("--moving", action="store_true", help="measure the settings for video frames")
    asked = parser.parse_args()
    if asked.data is None:
        parser.error("name the folder with the real media: --data DIR, or set EYELID_DATA")
    for quality in asked.quality:
        for precision in asked.precision:
            report(asked.data, quality, precision, asked.moving)


if __name__ == "__main__":
    main()
