"""What remove leaves of people, and how true its fill is?

    python benchmarks/removal.py [--data DATA] [--pictures FOLDER] [known] [photos] [film]

``known``: scenes whose background is known, because a person-sized object was drawn into them: a fixed camera
(vtest.avi), a photo panned, turned and zoomed with changing exposure and noise, a real hand-moved camera
with parallax (dlib_frames), and a real wide-angle drive past cars. For each: PSNR and L1 of what was put in
the object's place against the picture before it was drawn, beside plain inpainting of the same holes (the
better of OpenCV's two methods), and the share of the pixels that came from other views. As an anchor:
Uittenbogaard et al. (CVPR 2019) print 27.2 dB and 2.5 % on 1,000 street images of their own.

``photos`` and ``film``: the photos of two places (quality thorough) and vtest.avi (quality balanced)
through ``eyelid.anonymize``, targets person and face; then NanoDet at quality thorough, as for stills, looks
for people in the output, in every tenth frame of the film. Where it also finds a "person" in the film's empty
place (the median of 60 of its frames, no product of ours), the find is its own error: those are counted
apart. ``--pictures`` keeps pictures to look at.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from eyelid.detect.base import iou
from eyelid.detect.objects import ObjectDetector
from eyelid.jobs.api import anonymize
from eyelid.jobs.settings import Settings
from eyelid.media.still import StillReader
from eyelid.media.video import VideoReader
from eyelid.models.session import Device
from eyelid.obfuscate.remove.obfuscator import RemoveObfuscator
from eyelid.obfuscate.remove.parameters import Remove
from eyelid.types import Detections, Plane, Quality, RawFrame, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from eyelid.types import Bgr

SURE: Final = 0.3
NOBODY: Final = np.zeros((0, 4), np.float32)


@dataclass(frozen=True)
class Scene:
    """Frames with a known background, and the boxes (x0, y0, x1, y1) of the object to draw into each."""

    name: str
    frames: list[Bgr]
    boxes: list[tuple[int, int, int, int]]
    others: list[Detections]
    samples: bool
    rate: int = 10


def main() -> None:
    """Print both tables, or the one asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["known", "photos", "film"])
    parser.add_argument("--data", type=Path, default=os.environ.get("EYELID_DATA"))
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    if arguments.data is None:
        raise SystemExit("give --data or set EYELID_DATA to the folder with the media")
    if "known" in arguments.parts:
        known(arguments.data, arguments.pictures)
    places = [
        n
        for part, n in (("photos", "berlin"), ("photos", "lund"), ("film", "vtest"))
        if part in arguments.parts
    ]
    if places:
        people(arguments.data, places, arguments.pictures)


def known(data: Path, pictures: Path | None) -> None:
    """Print how true the fill of scenes with a known background is."""
    print(
        f"{'known background':<34}{'frames':>7}{'PSNR':>7}{'L1 %':>7}{'seen %':>8}"
        f"{'inpainted':>11}{'gain dB':>9}{'L1 inp.':>9}{'CPU s/frame':>13}"
    )
    for scene in (fixed(data), panned(data), desk(data), drive(data)):
        print(measure(scene, pictures), flush=True)


def measure(scene: Scene, pictures: Path | None) -> str:
    """Return the line of one scene."""
    drawn = [
        draw(frame, box, i) for i, (frame, box) in enumerate(zip(scene.frames, scene.boxes, strict=True))
    ]
    found = [
        Detections.concatenate([boxes_of([box]), other])
        for box, other in zip(scene.boxes, scene.others, strict=True)
    ]
    obfuscator = RemoveObfuscator()
    if scene.samples:
        every = max(1, len(drawn) // 40)
        obfuscator.prepare(
            [(ycc(f, i, scene.rate), d) for i, (f, d) in enumerate(zip(drawn, found, strict=True))][::every]
        )
    started = time.process_time()
    stream = [(ycc(f, i, scene.rate), d) for i, (f, d) in enumerate(zip(drawn, found, strict=True))]
    safe = list(obfuscator.stream(stream))
    seconds = (time.process_time() - started) / len(safe)
    ours, plain = [], []
    for i, (frame, truth, box, other) in enumerate(
        zip(safe, scene.frames, scene.boxes, scene.others, strict=True)
    ):
        image = bgr_of(frame.planes)
        where = inside(box, truth.shape) & ~near(other, truth.shape)
        # what RGB loses on the way to 4:2:0 and back is no fault of the fill
        reference = bgr_of(ycc(truth, i, scene.rate).planes)
        ours.append((image.astype(float) - reference)[where])
        plain.append((best_inpainting(reference, box, where) - reference)[where])
        if pictures and i % max(1, len(safe) // 3) == 0:
            pictures.mkdir(parents=True, exist_ok=True)
            name = f"{scene.name.replace(' ', '-').replace(',', '')}-{i:03}.png"
            cv2.imwrite(str(pictures / name), np.hstack([drawn[i], image, truth]))
    fill = obfuscator.fill
    seen = fill.pixels_from_views / max(1, fill.pixels_from_views + fill.pixels_invented)
    inpainted, gain = psnr(plain), psnr(ours) - psnr(plain)
    return (
        f"{scene.name:<34}{len(safe):>7}{psnr(ours):>7.1f}{l1(ours):>7.2f}{100 * seen:>8.1f}"
        f"{inpainted:>11.1f}{gain:>9.1f}{l1(plain):>9.2f}{seconds:>13.2f}"
    )


def fixed(data: Path) -> Scene:
    """A fixed camera: an object walks through vtest.avi; its real people are removed too, and not judged."""
    detector = objects(Quality.BALANCED, moving=True)
    frames, boxes, others = [], [], []
    for frame in VideoReader(data / "video" / "vtest.avi"):
        if frame.index >= 360:
            break
        if frame.index % 3:
            continue
        others.append(detector.detect([frame])[0])
        frames.append(frame.bgr())
        x = 20 + frame.index * 2 % 680
        boxes.append((x, 250, x + 60, 410))
    return Scene("fixed camera, vtest", frames, boxes, others, samples=True)


def panned(data: Path) -> Scene:
    """A camera that pans, turns and zooms over a photo without parallax; exposure and noise change."""
    photo = cv2.imread(str(data / "multiview" / "berlin" / "03.jpg"))
    photo = cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    random = np.random.default_rng(1)
    frames, boxes = [], []
    for i in range(48):
        angle, zoom = 2 * np.sin(i / 9), 1 + 0.08 * np.sin(i / 13)
        turn = cv2.getRotationMatrix2D((500 + 11 * i, 560 + 40 * np.sin(i / 11)), angle, zoom)
        turn[:, 2] += np.array([320, 240]) - (500 + 11 * i, 560 + 40 * np.sin(i / 11))
        view = cv2.warpAffine(photo, turn, (640, 480), flags=cv2.INTER_AREA).astype(np.float64)
        view = view * (1 + 0.06 * np.sin(i / 5)) + random.normal(0, 1.5, view.shape)
        frames.append(np.clip(np.rint(view), 0, 255).astype(np.uint8))
        x = 460 - 7 * i
        boxes.append((x, 170, x + 70, 350))
    return Scene("panned photo", frames, boxes, [Detections.none()] * len(frames), samples=False)


def desk(data: Path) -> Scene:
    """A real camera moved by hand over a desk, with parallax."""
    paths = sorted((data / "video" / "dlib_frames").glob("*.jpg"))[:60]
    frames = [cv2.imread(str(path)) for path in paths]
    boxes = [(int(20 + 3.5 * i), 70, int(20 + 3.5 * i) + 36, 165) for i in range(len(frames))]
    return Scene(
        "hand-moved camera, desk", frames, boxes, [Detections.none()] * len(frames), samples=False, rate=25
    )


def drive(data: Path) -> Scene:
    """A real wide-angle camera in motion; cars are left in, an object crosses."""
    clip = data / "video" / "egoblur_gen2_demo_assets_test_lp_video.mp4"
    frames = [frame.bgr(1280, 960) for frame in VideoReader(clip)]
    boxes = [(500 + 24 * i, 420, 590 + 24 * i, 660) for i in range(len(frames))]
    return Scene(
        "wide-angle camera, car park", frames, boxes, [Detections.none()] * len(frames), samples=False
    )


def draw(frame: Bgr, box: tuple[int, int, int, int], seed: int) -> Bgr:
    """Draw a walking thing of stripes and noise, with a soft shadow, into a copy of a frame."""
    out = frame.copy()
    x0, y0, x1, y1 = box
    h, w = y1 - y0, x1 - x0
    random = np.random.default_rng(seed)
    thing = random.integers(0, 256, (h, w, 3)).astype(np.uint8)
    thing[:, :, 2] = (np.arange(h)[:, None] * 16 + seed * 8) % 256
    y, x = np.mgrid[:h, :w]
    shape = ((x - w / 2) / (w / 2)) ** 2 + ((y - h / 2) / (h / 2)) ** 2 <= 1
    target = out[y0:y1, max(x0, 0) : x1]
    cut = target.shape[1]
    target[shape[:, :cut]] = thing[:, :cut][shape[:, :cut]]
    return out


def ycc(image: Bgr, index: int, rate: int) -> RawFrame:
    """Return a frame of a 4:2:0 video."""
    height, width = image.shape[:2]
    planar = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
    size = height * width
    flat = planar.reshape(-1).copy()
    luma = flat[:size].reshape(height, width)
    quarter = size // 4
    blue = flat[size : size + quarter].reshape(height // 2, width // 2)
    red = flat[size + quarter :].reshape(height // 2, width // 2)
    planes = (Plane("Y", luma, 16), Plane("Cb", blue, 128, 255, 2, 2), Plane("Cr", red, 128, 255, 2, 2))
    return RawFrame(
        width, height, planes, lambda w, h: cv2.resize(bgr_of(planes), (w, h)), index, Fraction(index, rate)
    )


def bgr_of(planes: Sequence[Plane]) -> Bgr:
    """Draw 4:2:0 planes."""
    flat = np.concatenate([plane.samples.reshape(-1) for plane in planes])
    height, width = planes[0].samples.shape
    return cv2.cvtColor(flat.reshape(height * 3 // 2, width), cv2.COLOR_YUV2BGR_I420)  # type: ignore[return-value]


def boxes_of(boxes: Sequence[tuple[int, int, int, int]]) -> Detections:
    """Return people."""
    n = len(boxes)
    return Detections(np.array(boxes, np.float32), np.ones(n, np.float32), (Target.PERSON,) * n)


def inside(box: tuple[int, int, int, int], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the pixels of a box."""
    mask = np.zeros(shape[:2], np.bool_)
    mask[max(box[1], 0) : box[3], max(box[0], 0) : box[2]] = True
    return mask


def near(found: Detections, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the pixels of real people and cars, and what lies around them."""
    mask = np.zeros(shape[:2], np.bool_)
    for x0, y0, x1, y1 in found.boxes:
        grow = 0.25 * max(x1 - x0, y1 - y0) + 6
        mask |= inside((int(x0 - grow), int(y0 - grow), int(x1 + grow), int(y1 + grow)), shape)
    return mask


def best_inpainting(
    image: Bgr, box: tuple[int, int, int, int], where: NDArray[np.bool_]
) -> NDArray[np.float64]:
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


def objects(quality: Quality, *, moving: bool) -> ObjectDetector:
    """Return NanoDet for people and vehicles."""
    targets = (Target.PERSON, Target.VEHICLE)
    return ObjectDetector(quality, device=Device.CPU, threads=1, moving=moving, targets=targets)


def people(data: Path, places: Sequence[str], pictures: Path | None) -> None:
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
                sources = sorted((data / "multiview" / name).glob("*.jpg"))
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
