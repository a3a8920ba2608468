"""How long do the methods with noise take, beside solid?

    python benchmarks/dp_speed.py [--clip CLIP] [--runs 5]

Stills: one 1920x1080 picture (4:2:0, as a video frame or a JPEG has it, and RGB) that is one region, nothing
but the covering. Video: whole runs from file to file, detection and encoding included, of --clip, by default
the clip of the demo, interleaved. All figures are medians; CPU seconds are those of all threads.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from eyelid.jobs.anonymizer import Anonymizer
from eyelid.jobs.settings import Settings
from eyelid.jobs.tasks import tasks_for
from eyelid.obfuscate.regions import Coverage
from eyelid.obfuscate.registry import parse
from eyelid.types import Bgr, Detections, Plane, RawFrame, Shape, Target

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.append(str(Path(__file__).parents[1] / "tools"))
from demo_clip import write_clip

METHODS: Final = ("solid", "pixelate", "dp-pixelate", "dp-pixelate:smooth=true", "dp-blur", "metric", "svd")
WIDTH: Final = 1920
HEIGHT: Final = 1080


def main() -> None:
    """Print seconds and ratios to solid."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    still(METHODS[1:2], 1)  # loads what is loaded once
    still(("dp-pixelate",), 1)
    for kind in ("4:2:0", "RGB"):
        print(f"\none {WIDTH}x{HEIGHT} still, {kind}, all of it one region")
        table(still(METHODS, given.runs, rgb=kind == "RGB"))
    with tempfile.TemporaryDirectory() as folder:
        clip = given.clip or Path(folder) / "demo.mp4"
        if given.clip is None:
            write_clip(clip, 6.0)
        print(f"\n{clip.name}, from file to file")
        table(video(METHODS, clip, Path(folder), given.runs))


def table(times: dict[str, tuple[float, float]]) -> None:
    """Print wall and CPU seconds with the ratio of their speed to solid."""
    print(f"{'':<28}{'wall s':>9}{'cpu s':>9}{'speed / solid, wall':>22}{'cpu':>8}")
    wall, cpu = times["solid"]
    for name, one in times.items():
        print(f"{name:<28}{one[0]:>9.3f}{one[1]:>9.3f}{wall / one[0]:>22.2f}{cpu / one[1]:>8.2f}", flush=True)


def still(methods: tuple[str, ...], runs: int, *, rgb: bool = False) -> dict[str, tuple[float, float]]:
    """Return seconds to cover a whole picture."""
    whole = Detections(
        np.array([[0, 0, WIDTH, HEIGHT]], np.float32), np.ones(1, np.float32), (Target.SCREEN,)
    )
    coverage = Coverage(shape=Shape.BOX, margin=0)
    jobs: dict[str, Callable[[], None]] = {
        name: lambda name=name: parse(name).build(coverage, None).apply(picture(rgb=rgb), whole)
        for name in methods
    }
    return timed(jobs, runs)


def picture(*, rgb: bool) -> RawFrame:
    """Return a frame of noise."""
    samples = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    if rgb:
        planes = tuple(Plane(name, samples[..., i], 0) for i, name in enumerate("RGB"))
    else:
        half = np.ascontiguousarray(samples[::2, ::2, 0])
        planes = (
            Plane("Y", np.ascontiguousarray(samples[..., 0]), 16),
            Plane("Cb", half, 128, step_x=2, step_y=2),
            Plane("Cr", half.copy(), 128, step_x=2, step_y=2),
        )
    return RawFrame(WIDTH, HEIGHT, planes, _no_render)


def _no_render(_width: int, _height: int) -> Bgr:
    raise AssertionError("an obfuscator works on the planes alone")


def video(methods: tuple[str, ...], clip: Path, folder: Path, runs: int) -> dict[str, tuple[float, float]]:
    """Return seconds to anonymise a clip."""
    jobs: dict[str, Callable[[], None]] = {}
    for number, name in enumerate(methods):
        anonymizer = Anonymizer(Settings(method=parse(name)))
        (task,) = tasks_for([clip], folder / f"{number}.mp4", force=True)
        jobs[name] = lambda anonymizer=anonymizer, task=task: anonymizer.run(task)
    return timed(jobs, runs)


def timed(jobs: dict[str, Callable[[], None]], runs: int) -> dict[str, tuple[float, float]]:
    """Run the jobs in turn and return the median wall and CPU seconds of each."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in jobs}
    for _ in range(runs):
        for name, job in jobs.items():
            wall, cpu = time.perf_counter(), time.process_time()
            job()
            seconds[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: (statistics.median(w for w, _ in all_runs), statistics.median(c for _, c in all_runs))
        for name, all_runs in seconds.items()
    }


if __name__ == "__main__":
    main()
