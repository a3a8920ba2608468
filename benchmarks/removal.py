"""What remove leaves of people, and how true its fill is?

    python benchmarks/removal.py [--data DATA] [--pictures FOLDER] [--every N] [--most N]
                                 [known] [photos] [film]

``known``: scenes whose background is known, because a person-sized object was drawn into them: a fixed camera
(vtest.avi), a photo panned, turned and zoomed with changing exposure and noise, a real hand-moved camera
with parallax (dlib_frames), and a real wide-angle drive past cars. For each: PSNR and L1 of what was put in
the object's place against the picture before it was drawn, beside plain inpainting of the same holes (the
better of OpenCV's two methods), and the share of the pixels that came from other views, and their PSNR alone.
The oracle bounds what other views can give: each is aligned by dense flow to the frame *before* the object
was drawn, and each pixel comes from that of the 14 nearest views which is nearest to the truth, in about ten
frames. No method has that truth; the mean of several views, less noisy than one, may still come near.
``--every N`` fills and judges each N-th frame
only. As an anchor: Uittenbogaard et al. (CVPR 2019) print 27.2 dB and 2.5 % on 1,000 street images of their
own.

``photos`` and ``film``: the photos of two places (quality thorough) and vtest.avi (quality balanced)
through ``eyelid.anonymize``, targets person and face; ``--most N``: the first N photos of each place, each
filled from all of them. Then NanoDet at quality thorough, as for stills, looks for people in the output, in
every tenth frame of the film. Where it also finds a "person" in the film's empty place (the median of 60 of
its frames, no product of ours), the find is its own error: those are counted apart.
``--pictures`` keeps pictures to look at.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from _removal_oracle import oracle
from _removal_scenes import (
    Scene,
    bgr_of,
    boxes_of,
    desk,
    draw,
    drive,
    fixed,
    inside,
    near,
    objects,
    panned,
    ycc,
)
from eyelid.detect.base import iou
from eyelid.jobs.api import anonymize
from eyelid.jobs.settings import Settings
from eyelid.media.still import StillReader
from eyelid.media.video import VideoReader
from eyelid.obfuscate.remove.obfuscator import RemoveObfuscator
from eyelid.obfuscate.remove.parameters import Remove
from eyelid.types import Detections, Quality, RawFrame, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from eyelid.detect.objects import ObjectDetector
    from eyelid.obfuscate.remove.picture import Mask
    from eyelid.obfuscate.remove.shots import Shot
    from eyelid.types import Bgr

SURE: Final = 0.3
NOBODY: Final = np.zeros((0, 4), np.float32)


class Watched(RemoveObfuscator):
    """Remove in each ``every``-th frame only; keeps which pixels of it came from views, by its index."""

    def __init__(self, every: int) -> None:
        super().__init__()
        self._every = every
        self.holes: dict[int, Mask] = {}
        self.seen: dict[int, Mask] = {}

    def _fill(self, shot: Shot, others: Sequence[Shot]) -> Mask:
        assert shot.picture is not None
        index = shot.frame.index
        if len(self.holes) * self._every > index:
            return shot.picture.hole
        invented = super()._fill(shot, others)
        self.holes[index] = shot.picture.hole.copy()
        self.seen[index] = self.holes[index] & ~invented
        return invented


def main() -> None:
    """Print both tables, or the one asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["known", "photos", "film"])
    parser.add_argument("--data", type=Path, default=os.environ.get("EYELID_DATA"))
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--most", type=int, default=100)
    arguments = parser.parse_args()
    if arguments.data is None:
        raise SystemExit("give --data or set EYELID_DATA to the folder with the media")
    if "known" in arguments.parts:
        known(arguments.data, arguments.pictures, arguments.every)
    places = [
        n
        for part, n in (("photos", "berlin"), ("photos", "lund"), ("film", "vtest"))
        if part in arguments.parts
    ]
    if places:
        people(arguments.data, places, arguments.pictures, arguments.most)


def known(data: Path, pictures: Path | None, every: int) -> None:
    """Print how true the fill of scenes with a known background is."""
    print(
        f"{'known background':<28}{'frames':>7}{'PSNR':>7}{'L1 %':>7}{'seen %':>8}{'of seen':>9}{'oracle':>8}"
        f"{'inpainted':>11}{'gain dB':>9}{'L1 inp.':>9}{'CPU s/frame':>13}"
    )
    for scene in (fixed(data), panned(data), desk(data), drive(data)):
        print(measure(scene, pictures, every), flush=True)


def measure(scene: Scene, pictures: Path | None, every: int = 1) -> str:
    """Return the line of one scene."""
    drawn = [
        draw(frame, box, i) for i, (frame, box) in enumerate(zip(scene.frames, scene.boxes, strict=True))
    ]
    found = [
        Detections.concatenate([boxes_of([box]), other])
        for box, other in zip(scene.boxes, scene.others, strict=True)
    ]
    obfuscator = Watched(every)
    if scene.samples:
        step = max(1, len(drawn) // 40)
        obfuscator.prepare(
            [(ycc(f, i, scene.rate), d) for i, (f, d) in enumerate(zip(drawn, found, strict=True))][::step]
        )
    started = time.process_time()
    stream = [(ycc(f, i, scene.rate), d) for i, (f, d) in enumerate(zip(drawn, found, strict=True))]
    safe = list(obfuscator.stream(stream))
    seconds = (time.process_time() - started) / len(obfuscator.holes)
    ours: list[NDArray[np.float64]] = []
    plain: list[NDArray[np.float64]] = []
    seen: list[NDArray[np.float64]] = []
    for i in obfuscator.holes:
        image, truth = bgr_of(safe[i].planes), scene.frames[i]
        where = inside(scene.boxes[i], truth.shape) & ~near(scene.others[i], truth.shape)
        # what RGB loses on the way to 4:2:0 and back is no fault of the fill
        reference = bgr_of(ycc(truth, i, scene.rate).planes)
        off: NDArray[np.float64] = image.astype(np.float64) - reference.astype(np.float64)
        ours.append(off[where])
        seen.append(off[where & obfuscator.seen[i]])
        plain.append((best_inpainting(reference, scene.boxes[i], where) - reference)[where])
        if pictures and i % max(1, len(safe) // 3) < every:
            pictures.mkdir(parents=True, exist_ok=True)
            name = f"{scene.name.replace(' ', '-').replace(',', '')}-{i:03}.png"
            cv2.imwrite(str(pictures / name), np.hstack([drawn[i], image, truth]))
    share = sum(int(m.sum()) for m in obfuscator.seen.values()) / sum(
        int(m.sum()) for m in obfuscator.holes.values()
    )
    inpainted, gain = psnr(plain), psnr(ours) - psnr(plain)
    return (
        f"{scene.name:<28}{len(ours):>7}{psnr(ours):>7.1f}{l1(ours):>7.2f}{100 * share:>8.1f}"
        f"{psnr(seen):>9.1f}{psnr(oracle(scene)):>8.1f}{inpainted:>11.1f}{gain:>9.1f}{l1(plain):>9.2f}{seconds:>13.2f}"
    )


def best_inpainting(image: Bgr, box: tuple[int, int, int, int], where: Mask) -> NDArray[np.float64]:
    """Return the picture with the box inpainted by the OpenCV method that comes nearer to the truth."""
    x0, y0, x1, y1 = box
    part = np.s_[max(y0 - 40, 0) : y1 + 40, max(x0 - 40, 0) : x1 + 40]
    hole = inside((x0 - 3, y0 - 3, x1 + 3, y1 + 3), image.shape)[part].astype(np.uint8)
    best, error = image.astype(float), np.inf
    for method in (cv2.INPAINT_TELEA, cv2.INPAINT_NS):
        filled = image.astype(float)
        filled[part] = cv2.inpaint(np.ascontiguousarray(image[part]), hole, 5, method)
        off = float(((filled - image)[where] ** 2).mean()) if where.any() else 0.0
        if off < error:
            best, error = filled, off
    return best


def psnr(errors: Sequence[NDArray[np.float64]]) -> float:
    """Return the peak signal-to-noise ratio over all pixels, in dB."""
    return float(10 * np.log10(255**2 / np.mean(np.concatenate(errors) ** 2)))


def l1(errors: Sequence[NDArray[np.float64]]) -> float:
    """Return the mean absolute error in percent of the range."""
    return float(100 * np.abs(np.concatenate(errors)).mean() / 255)


def people(data: Path, places: Sequence[str], pictures: Path | None, most: int) -> None:
    """Print how many people are still found in what ``eyelid.anonymize`` wrote, and how it was filled."""
    print(
        f"\n{'people':<20}{'pictures':>9}{'people before':>15}{'still found':>13}{'where':>8}"
        f"{'in empty':>10}{'seen %':>8}"
        f"{'CPU s/picture':>15}"
    )
    detector = objects(Quality.THOROUGH, moving=False)
    settings = Settings(method=Remove(), targets=(Target.PERSON, Target.FACE), threads=1)
    for name in places:
        with tempfile.TemporaryDirectory() as folder:
            if name == "vtest":
                sources = [data / "video" / "vtest.avi"]
                views = None
            else:
                sources = sorted((data / "multiview" / name).glob("*.jpg"))[:most]
                views = data / "multiview" / name
            quality = Quality.THOROUGH if views else Quality.BALANCED
            asked = settings.model_copy(update={"views": views, "quality": quality})
            started = time.process_time()
            results = [anonymize(path, folder, settings=asked) for path in sources]
            seconds = time.process_time() - started
            empty = sure_people(detector, empty_place(sources[0])) if name == "vtest" else NOBODY
            before = after = removed = count = false = 0
            seen = invented = 0
            for path, result in zip(sources, results, strict=True):
                fill = result.evidence.fill if result.evidence else None
                seen += fill.pixels_from_views if fill else 0
                invented += fill.pixels_invented if fill else 0
                for old, new in zip(looked(path), looked(result.output), strict=True):
                    count += 1
                    if name == "vtest" and old.index % 10:
                        continue
                    had, left = (sure_people(detector, f) for f in (old, new))
                    before, after = before + len(had), after + len(left)
                    # a find where nobody was seen before is a lamp or a bush, or was made by the fill
                    removed += int((iou(had, left) > 0.3).any(axis=0).sum()) if len(had) and len(left) else 0
                    false += (
                        int((iou(empty, left) > 0.3).any(axis=0).sum()) if len(empty) and len(left) else 0
                    )
                    if pictures and (name != "vtest" or old.index % 200 == 0):
                        pictures.mkdir(parents=True, exist_ok=True)
                        both = np.hstack([f.bgr(960, 960 * f.height // f.width) for f in (old, new)])
                        cv2.imwrite(str(pictures / f"{name}-{path.stem}-{old.index:03}.png"), both)
        share = 100 * seen / max(1, seen + invented)
        print(
            f"{name:<20}{count:>9}{before:>15}{after:>13}{removed:>8}{false:>10}{share:>8.1f}"
            f"{seconds / count:>15.2f}",
            flush=True,
        )
    print(
        "still found: all finds of at least .3; where: those at a place where somebody was found before;"
        "\nin empty: those that the detector also makes in the empty place (films of a fixed camera only)"
    )


def empty_place(film: Path) -> RawFrame:
    """Return the median of 60 frames of a film of a fixed camera."""
    frames = [frame.bgr() for frame in looked(film) if frame.index % 13 == 0][:60]
    return ycc(np.median(frames, axis=0).astype(np.uint8), 0, 10)


def looked(path: Path) -> Iterator[RawFrame]:
    """Yield the frames of a video or the page of a photo."""
    if path.suffix == ".jpg":
        with StillReader(path) as still:
            yield from still
    else:
        with VideoReader(path) as video:
            yield from video


def sure_people(detector: ObjectDetector, frame: RawFrame) -> NDArray[np.float32]:
    """Return the boxes of people found with a score of at least .3."""
    found = detector.detect([frame])[0]
    sure = (found.scores >= SURE) & np.array([t is Target.PERSON for t in found.targets], np.bool_)
    return found.boxes[sure]


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
