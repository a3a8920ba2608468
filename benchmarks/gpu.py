"""What does a GPU bring? Frames a second of whole runs and of detection alone, and whether it sees the same.

    python benchmarks/gpu.py [--clip CLIP] [--data DATA] [--runs 3] [--repeat 3]
        [--only same networks detection stills video]

Needs eyelid[cuda] and an NVIDIA GPU. Without --clip a clip of 600 frames at 1920x1080 is made as speed.py
makes its own. "same" holds networks and face detection on the GPU against the CPU in float32, on the photos
in DATA/faces_wide (by default in $EYELID_DATA). "networks" and "detection" time single calls on frames of
the clip, one after another, after a warm-up. "video" times whole processes, start-up included, interleaved,
the median of --runs, beside decoding and encoding alone (PyAV, same encoder settings); the rate without
start-up is taken from the clip and from one --repeat times as long.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final

import numpy as np

from eyelid.detect.base import fit, iou
from eyelid.detect.faces import FaceDetector
from eyelid.detect.plates import PlateDetector
from eyelid.media.still import StillReader
from eyelid.media.video import VideoReader
from eyelid.models.cards import cards
from eyelid.models.session import Device, Precision, Session
from eyelid.types import Quality
from speed import CRF, PRESET, Arm, compare, eyelid, frames, make_clip, processor, repeat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from eyelid.detect.base import Detector
    from eyelid.types import RawFrame

SIDE: Final = 640
FRAMES: Final = 100
CALLS: Final = 200
TRANSCODE: Final = f"""
import av, sys
with av.open(sys.argv[1]) as source, av.open(sys.argv[2], "w") as target:
    video = source.streams.video[0]
    video.thread_type = "AUTO"
    stream = target.add_stream("libx264", rate=video.average_rate)
    stream.codec_context.time_base = video.time_base
    stream.width, stream.height, stream.pix_fmt = video.width, video.height, video.pix_fmt
    stream.options = {{"crf": "{CRF}", "preset": "{PRESET}"}}
    for frame in source.decode(video):
        target.mux(stream.encode(frame))
    target.mux(stream.encode(None))
"""


def same(photos: Iterable[Path]) -> None:
    """Print how far networks and face detection on the GPU are from the CPU in float32."""
    pages = [page for path in photos for page in StillReader(path)]
    for card in cards():
        there, here = (
            Session(card.name, device=d, precision=Precision.F32) for d in (Device.CUDA, Device.CPU)
        )
        worst, scale = 0.0, 0.0
        for page in pages:
            batch = _picture(page, card.name)
            for a, b in zip(there.run(batch), here.run(batch), strict=True):
                worst, scale = max(worst, float(np.abs(a - b).max())), max(scale, float(np.abs(b).max()))
        print(f"{card.name:<12}largest difference {worst:.2g} in values up to {scale:.3g}", flush=True)
    for moving in (False, True):
        there, here = (
            FaceDetector(Quality.BALANCED, device=d, precision=Precision.F32, moving=moving)
            for d in (Device.CUDA, Device.CPU)
        )
        counts, unmatched, overlap, score = [0, 0], 0, 1.0, 0.0
        for page in pages:
            (a,), (b,) = there.detect([page]), here.detect([page])
            counts = [counts[0] + len(a), counts[1] + len(b)]
            shared = iou(a.boxes, b.boxes)
            pairs = [
                (i, int(shared[i].argmax())) for i in range(len(a)) if shared.size and shared[i].max() > 0.5
            ]
            unmatched += len(a) + len(b) - 2 * len(pairs)
            overlap = min([overlap, *(float(shared[pair]) for pair in pairs)])
            score = max([score, *(abs(float(a.scores[i] - b.scores[j])) for i, j in pairs)])
        kind = "video" if moving else "stills"
        print(f"faces, {kind}, {len(pages)} photos: {counts[0]} on the GPU, {counts[1]} on the CPU, ", end="")
        print(
            f"{unmatched} alone; least IoU {overlap:.5f}, largest difference of a score {score:.2g}",
            flush=True,
        )


def stills(photos: Iterable[Path]) -> None:
    """Print the milliseconds of a photo at its first and at its second look: each new size costs set-up."""
    pages = [page for path in photos for page in StillReader(path)]
    for device in (Device.CUDA, Device.CPU):
        detector = FaceDetector(device=device)
        for look in ("first", "second"):
            began = perf_counter()
            for page in pages:
                detector.detect([page])
            time = (perf_counter() - began) * 1000 / len(pages)
            print(f"{len(pages)} photos, {device}, {look} look{time:>10.1f} ms a photo", flush=True)


def networks(clip: Path) -> None:
    """Print the milliseconds of one picture through each network, host work included."""
    page = next(iter(VideoReader(clip)))
    for card in cards():
        batch = _picture(page, card.name)
        for device in (Device.CUDA, Device.CPU):
            session = Session(card.name, device=device, steady=True)
            time = _milliseconds(partial(session.run, batch))
            size = f"{batch.shape[2]}x{batch.shape[1]}"
            print(f"{card.name:<12}{size:<10}{device:<6}{session.precision:<6}{time:>8.2f} ms", flush=True)


def detection(clip: Path) -> None:
    """Print the frames a second of detection on every frame, and of shrinking the frames alone."""
    pages = list(islice(VideoReader(clip), FRAMES))
    size = fit(pages[0].width, pages[0].height, SIDE, 32)
    _rate(f"shrinking to {size[0]}x{size[1]} alone", pages, lambda page: page.bgr(*size))
    for device in (Device.CUDA, Device.CPU):
        face: Detector = FaceDetector(device=device, moving=True)
        plate: Detector = PlateDetector(Quality.BALANCED, device=device, threads=None, moving=True)
        for name, detectors in (("face", [face]), ("face,plate", [face, plate])):
            _rate(
                f"detection, {name}, {device}",
                pages,
                lambda page, detectors=detectors: [detector.detect([page]) for detector in detectors],
            )


def video(clip: Path, folder: Path, runs: int, times: int) -> None:
    """Print whole runs beside decoding and encoding alone, and the rates without start-up."""
    long = folder / f"long{clip.suffix}"
    repeat(clip, long, times)
    walls = []
    for path in (clip, long):
        arms = [_transcode(path, folder)]
        for device in ("cuda", "cpu"):
            for targets in ("face", "face,plate"):
                arm = eyelid(path, folder, targets, device)
                arms.append(Arm(f"{arm.name}, {device}", arm.command, arm.clean))
        print(f"{frames(path)} frames")
        medians = compare(arms, runs, arms[0].name, frames(path), "frames")
        walls.append({name: median.wall for name, median in medians.items()})
    more = frames(long) - frames(clip)
    for name, wall in walls[0].items():
        print(f"{name:<44}{more / (walls[1][name] - wall):>8.1f} frames/s without start-up")


def _transcode(clip: Path, folder: Path) -> Arm:
    output = folder / "transcode.mp4"
    command = [sys.executable, "-c", TRANSCODE, str(clip), str(output)]
    return Arm("decode and encode alone", command, lambda: output.unlink(missing_ok=True))


def _picture(page: RawFrame, name: str) -> np.ndarray:
    entry = next(card.input for card in cards() if card.name == name)
    width, height = fit(page.width, page.height, SIDE, 32)
    return page.bgr(entry.width or width, entry.height or height)[None]


def _rate(name: str, pages: list[RawFrame], work: Callable[[RawFrame], object]) -> None:
    frame = cycle(pages)
    time = _milliseconds(lambda: work(next(frame)))
    print(f"{name:<44}{time:>8.2f} ms{1000 / time:>10.1f} frames/s", flush=True)


def _milliseconds(work: Callable[[], object], calls: int = CALLS) -> float:
    """Return the median time of a call after ten that do not count."""
    times = []
    for _ in range(10 + calls):
        began = perf_counter()
        work()
        times.append(perf_counter() - began)
    return statistics.median(times[10:]) * 1000


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--data", type=Path, default=os.environ.get("EYELID_DATA"))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=["same", "networks", "detection", "stills", "video"])
    arguments = parser.parse_args()
    if arguments.data is None:
        raise SystemExit("give --data or set EYELID_DATA to the folder with the real media")
    gpu = subprocess.run(
        ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    print(f"{gpu}; onnxruntime-gpu {version('onnxruntime-gpu')}")
    print(f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = arguments.clip or folder / "clip.mp4"
        if arguments.clip is None:
            make_clip(arguments.data, clip, 1920, 1080)
        photos = sorted((arguments.data / "faces_wide").glob("*.jpg"))
        if "same" in arguments.only:
            same(photos)
        if "networks" in arguments.only:
            networks(clip)
        if "detection" in arguments.only:
            detection(clip)
        if "stills" in arguments.only:
            stills(photos)
        if "video" in arguments.only:
            video(clip, folder, arguments.runs, arguments.repeat)


if __name__ == "__main__":
    main()
