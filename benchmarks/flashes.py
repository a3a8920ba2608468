"""How many frames show a face for a moment that is covered before and after?

    python benchmarks/flashes.py [--data DATA] [CLIP ...]

The default run of eyelid is held against a stronger look at every single frame of the original: the face
detector at quality thorough, of which faces of score .5 and more count; once all, once those that are at
least 10 pixels wide. A frame flashes where such a face is destroyed by less than 80 % although the same face
(IoU above .3 with it) is destroyed in a frame within half a second before and in one within half a second
after. "Shown" counts all faces that are not destroyed, covered before or not. The reference is a detector,
not ground truth.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

import av
import numpy as np

from eyelid.detect.base import iou
from eyelid.detect.faces import FaceDetector
from eyelid.jobs.search import Searcher
from eyelid.jobs.settings import Settings
from eyelid.media.video import VideoReader
from eyelid.models.session import Device
from eyelid.obfuscate.regions import Coverage, regions
from eyelid.types import Quality, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SURE: Final = 0.5
WIDTHS: Final = (0.0, 10.0)
DESTROYED: Final = 0.8
SAME: Final = 0.3
NEAR_S: Final = 0.5


def main() -> None:
    """Print a line for each clip and least width of a face."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--data", type=Path, default=os.environ.get("EYELID_DATA"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clips = arguments.clips or _clips(arguments.data, Path(folder))
        print(f"{'clip':<44}{'frames':>8}{'width':>8}{'faces':>8}{'shown':>8}{'flashes':>8}")
        for clip in clips:
            for least, result in zip(WIDTHS, measure(clip), strict=True):
                frames, faces, shown, flashes = result
                row = f"{frames:>8}{f'>= {least:.0f}':>8}{faces:>8}{shown:>8}{flashes:>8}"
                print(f"{clip.name:<44}{row}", flush=True)


def _clips(data: Path | None, folder: Path) -> list[Path]:
    if data is None:
        raise SystemExit("give --data or set EYELID_DATA to the folder with the real media")
    video = Path(data) / "video"
    clips = sorted(path for path in video.iterdir() if path.suffix in {".mp4", ".avi"})
    stills = sorted((video / "dlib_frames").glob("*.jpg"))
    return [*clips, _film(stills, folder / "dlib_frames.mp4")] if stills else clips


def _film(stills: list[Path], path: Path) -> Path:
    """Join numbered stills to a film of 25 frames a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.options = {"crf": "12"}
        stream.pix_fmt = "yuv420p"
        for number, still in enumerate(stills):
            with av.open(str(still)) as picture:
                frame = next(picture.decode(video=0))
            if number == 0:
                stream.width, stream.height = frame.width // 2 * 2, frame.height // 2 * 2
            frame = frame.reformat(stream.width, stream.height, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def measure(clip: Path) -> list[tuple[int, int, int, int]]:
    """Return frames, reference faces, faces that show, and faces that flash; once a least width."""
    reference = FaceDetector(Quality.THOROUGH, device=Device.CPU, threads=None, moving=False)
    faces: list[tuple[float, NDArray[np.float32]]] = []
    with VideoReader(clip) as reader:
        for frame in reader:
            (found,) = reference.detect([frame])
            faces.append((float(frame.time or 0), found.boxes[found.scores >= SURE]))
    destroyed: list[NDArray[np.bool_]] = []
    with Searcher(Settings(targets=(Target.FACE,))).search(clip, clip.name) as search:
        for item, (_, boxes) in zip(search.planned, faces, strict=True):
            width, height = item.frame.width, item.frame.height
            covered = np.zeros((height, width), np.bool_)
            for region in regions(item.found, Coverage(), width, height):
                mask = True if region.mask is None else region.mask
                covered[region.y0 : region.y1, region.x0 : region.x1] |= mask
            shares = [_share(covered, box) if item.whole is None else 1.0 for box in boxes]
            destroyed.append(np.array(shares) >= DESTROYED)
    return [_count(faces, destroyed, least) for least in WIDTHS]


def _count(
    faces: Sequence[tuple[float, NDArray[np.float32]]], destroyed: Sequence[NDArray[np.bool_]], least: float
) -> tuple[int, int, int, int]:
    wide = [boxes[:, 2] - boxes[:, 0] >= least for _, boxes in faces]
    faces = [(time, boxes[chosen]) for (time, boxes), chosen in zip(faces, wide, strict=True)]
    destroyed = [each[chosen] for each, chosen in zip(destroyed, wide, strict=True)]
    shown = sum(int((~each).sum()) for each in destroyed)
    flashes = sum(
        _flashes(faces, destroyed, number, entry)
        for number, each in enumerate(destroyed)
        for entry in np.flatnonzero(~each)
    )
    return len(faces), sum(len(boxes) for _, boxes in faces), shown, flashes


def _share(covered: NDArray[np.bool_], box: NDArray[np.float32]) -> float:
    x0, y0, x1, y1 = (max(0, round(float(side))) for side in box)
    part = covered[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
    return float(part.mean()) if part.size else 1.0


def _flashes(
    faces: Sequence[tuple[float, NDArray[np.float32]]],
    destroyed: Sequence[NDArray[np.bool_]],
    number: int,
    entry: int,
) -> bool:
    """Return whether the face is covered shortly before and shortly after."""
    time, boxes = faces[number]
    box = boxes[entry][None]

    def covered(frames: range) -> bool:
        for other in frames:
            if abs(faces[other][0] - time) > NEAR_S:
                return False
            same = iou(box, faces[other][1])[0] > SAME
            if (same & destroyed[other]).any():
                return True
        return False

    return covered(range(number - 1, -1, -1)) and covered(range(number + 1, len(faces)))


if __name__ == "__main__":
    main()
