"""Which picture of a track is best at the same total epsilon: one still, or several averages over frames?

    python benchmarks/dp_video.py [--clip CLIP] [--frames 96] [--pixels 16] [--plot FILE.png]

Without --clip the clip of the demo is drawn: one face that walks by. The faces are found once, then
dp-pixelate covers copies of the same frames with different parameters. Every row of the table spends the same
epsilon on each track: ``releases`` times epsilon / releases. Error and likeness (PSNR in dB and SSIM, luma)
are those of the covered boxes against the original, the mean over boxes and over --runs draws of noise.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from eyelid.jobs.search import Searcher
from eyelid.jobs.settings import Settings
from eyelid.obfuscate.dp_pixelate import DpPixelate
from eyelid.obfuscate.regions import Coverage
from eyelid.types import Shape, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from eyelid.types import Detections, RawFrame

sys.path.append(str(Path(__file__).parents[1] / "tools"))
from demo_clip import write_clip

EPSILONS: Final = (0.5, 2.0, 8.0, 32.0)
RELEASES: Final = (1, 2, 4, 8)
FRAMES: Final = (1, 4, 8, 16, 32)
CELLS: Final = (8, 16, 24)
COVERAGE: Final = Coverage(shape=Shape.BOX, margin=0)


@dataclass(frozen=True)
class Row:
    """One way of spending epsilon, and how like the original the covered boxes are."""

    epsilon: float
    method: DpPixelate
    releases: int
    psnr: float
    ssim: float


def main() -> None:
    """Print one table for each total epsilon, and the best rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--pixels", type=int, default=16)
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = given.clip or Path(folder) / "demo.mp4"
        if given.clip is None:
            write_clip(clip, given.frames / 24)
        planned = found_in(clip, given.frames)
    boxes = sum(len(found) for _, found in planned)
    tracks = {int(track) for _, found in planned for track in found.tracks}
    print(f"{clip.name}: {len(planned)} frames, {len(tracks)} tracks, {boxes} boxes, m = {given.pixels}")
    rows = []
    for epsilon in EPSILONS:
        some = [measure(planned, epsilon, *one, given) for one in ways()]
        rows += some
        some.sort(key=lambda row: -row.psnr)
        print(f"\nepsilon {epsilon:g} a track; the best of {len(some)}, and single stills")
        print(f"{'cell':>6}{'releases':>10}{'frames':>8}{'smooth':>8}{'PSNR':>8}{'SSIM':>8}")
        stills = [row for row in some[6:] if row.releases == 1 and row.method.frames == 1]
        for row in [*some[:6], *stills]:
            method = row.method
            print(
                f"{method.cell:>6}{row.releases:>10}{method.frames:>8}{'yes' if method.smooth else 'no':>8}"
                f"{row.psnr:>8.2f}{row.ssim:>8.3f}"
            )
    curve(rows)
    if given.plot:
        plot(rows, given.plot)


def ways() -> Iterator[tuple[int, int, int, bool]]:
    """Yield cell, releases, frames and smooth."""
    return itertools.product(CELLS, RELEASES, FRAMES, (False, True))


def found_in(clip: Path, count: int) -> list[tuple[RawFrame, Detections]]:
    """Return the first frames, with memory of their own, and the faces in them."""
    searcher = Searcher(Settings(targets=(Target.FACE,)))
    with searcher.search(clip, clip.name) as search:
        return [(copy(item.frame), item.found) for item in itertools.islice(search.planned, count)]


def copy(frame: RawFrame) -> RawFrame:
    """Return a frame whose samples nobody else holds."""
    planes = tuple(replace(plane, samples=plane.samples.copy()) for plane in frame.planes)
    return replace(frame, planes=planes, carrier=None)


def measure(
    planned: list[tuple[RawFrame, Detections]],
    epsilon: float,
    cell: int,
    releases: int,
    frames: int,
    smooth: bool,
    given: argparse.Namespace,
) -> Row:
    """Cover copies of the frames and compare the boxes."""
    method = DpPixelate(
        epsilon=epsilon / releases,
        budget=epsilon,
        pixels=given.pixels,
        cell=cell,
        frames=frames,
        smooth=smooth,
    )
    errors, alike = [], []
    for _ in range(given.runs):
        obfuscator = method.build(COVERAGE)
        fed = ((copy(frame), found) for frame, found in planned)
        for (frame, found), safe in zip(planned, obfuscator.stream(fed), strict=True):
            for x0, y0, x1, y1 in found.boxes.tolist():
                part = np.s_[max(0, int(y0)) : int(y1) + 1, max(0, int(x0)) : int(x1) + 1]
                before, after = (p[0].samples[part].astype(np.float64) for p in (frame.planes, safe.planes))
                if min(before.shape) >= 8:
                    errors.append(((before - after) ** 2).mean())
                    alike.append(ssim(before, after))
    psnr = 10 * np.log10(255**2 / np.mean(errors))
    return Row(epsilon, method, releases, float(psnr), float(np.mean(alike)))


def ssim(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the structural similarity (Wang et al., 2004) with its Gaussian window of sigma 1.5."""

    def mean(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(x, (11, 11), 1.5), np.float64)

    one, two = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_a, mean_b = mean(a), mean(b)
    spread_a, spread_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    shared = mean(a * b) - mean_a * mean_b
    top = (2 * mean_a * mean_b + one) * (2 * shared + two)
    return float((top / ((mean_a**2 + mean_b**2 + one) * (spread_a + spread_b + two))).mean())


def best(rows: list[Row], epsilon: float, releases: int, frames: int) -> Row:
    """Return the best row over cells and filters."""
    fitting = (r for r in rows if (r.epsilon, r.releases, r.method.frames) == (epsilon, releases, frames))
    return max(fitting, key=lambda row: row.psnr)


def curve(rows: list[Row]) -> None:
    """Print PSNR over total epsilon for every number of releases and frames, best cell and filter each."""
    print("\nPSNR of the best cell and filter, over the epsilon of a track")
    print(f"{'releases':>8}{'frames':>8}" + "".join(f"{epsilon:>8g}" for epsilon in EPSILONS))
    for releases, frames in itertools.product(RELEASES, FRAMES):
        values = [best(rows, epsilon, releases, frames).psnr for epsilon in EPSILONS]
        print(f"{releases:>8}{frames:>8}" + "".join(f"{value:>8.2f}" for value in values))


def plot(rows: list[Row], path: Path) -> None:
    """Draw the curve; needs matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for releases, frames in ((1, 1), (1, 8), (1, 32), (2, 16), (4, 8), (8, 4)):
        values = [best(rows, epsilon, releases, frames).psnr for epsilon in EPSILONS]
        axes.plot(EPSILONS, values, marker="o", label=f"{releases} x {frames} frames")
    axes.set_xscale("log")
    axes.set_xlabel("epsilon of a track, for m pixels of each frame")
    axes.set_ylabel("PSNR of the covered boxes in dB")
    axes.legend(title="releases")
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
