"""Scenes with a known background for removal.py, and frames made of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import cv2
import numpy as np

from eyelid.detect.objects import ObjectDetector
from eyelid.media.video import VideoReader
from eyelid.models.session import Device
from eyelid.types import Detections, Plane, Quality, RawFrame, Target

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eyelid.obfuscate.remove.picture import Mask
    from eyelid.types import Bgr


@dataclass(frozen=True)
class Scene:
    """Frames with a known background, and the boxes (x0, y0, x1, y1) of the object to draw into each."""

    name: str
    frames: list[Bgr]
    boxes: list[tuple[int, int, int, int]]
    others: list[Detections]
    samples: bool
    rate: int = 10


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
    photo = read(data / "multiview" / "berlin" / "03.jpg")
    photo = np.asarray(cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
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
    frames = [read(path) for path in paths]
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


def read(path: Path) -> Bgr:
    """Return a picture that is there."""
    return np.asarray(cv2.imread(str(path)), np.uint8)


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
    planar = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420), np.uint8)
    size = height * width
    flat = planar.reshape(-1).copy()
    luma = flat[:size].reshape(height, width)
    quarter = size // 4
    blue = flat[size : size + quarter].reshape(height // 2, width // 2)
    red = flat[size + quarter :].reshape(height // 2, width // 2)
    planes = (Plane("Y", luma, 16), Plane("Cb", blue, 128, 255, 2, 2), Plane("Cr", red, 128, 255, 2, 2))

    def render(columns: int, rows: int) -> Bgr:
        return np.asarray(cv2.resize(bgr_of(planes), (columns, rows)), np.uint8)

    return RawFrame(width, height, planes, render, index, Fraction(index, rate))


def bgr_of(planes: Sequence[Plane]) -> Bgr:
    """Draw 4:2:0 planes."""
    flat = np.concatenate([plane.samples.reshape(-1) for plane in planes])
    height, width = planes[0].samples.shape
    flat = flat.reshape(height * 3 // 2, width)
    return np.asarray(cv2.cvtColor(flat, cv2.COLOR_YUV2BGR_I420), np.uint8)


def boxes_of(boxes: Sequence[tuple[int, int, int, int]]) -> Detections:
    """Return people."""
    n = len(boxes)
    return Detections(np.array(boxes, np.float32), np.ones(n, np.float32), (Target.PERSON,) * n)


def inside(box: tuple[int, int, int, int], shape: tuple[int, ...]) -> Mask:
    """Return the pixels of a box."""
    mask = np.zeros(shape[:2], np.bool_)
    mask[max(box[1], 0) : box[3], max(box[0], 0) : box[2]] = True
    return mask


def near(found: Detections, shape: tuple[int, ...]) -> Mask:
    """Return the pixels of real people and cars, and what lies around them."""
    mask = np.zeros(shape[:2], np.bool_)
    for x0, y0, x1, y1 in found.boxes:
        grow = 0.25 * max(x1 - x0, y1 - y0) + 6
        mask |= inside((int(x0 - grow), int(y0 - grow), int(x1 + grow), int(y1 + grow)), shape)
    return mask


def objects(quality: Quality, *, moving: bool) -> ObjectDetector:
    """Return NanoDet for people and vehicles."""
    targets = (Target.PERSON, Target.VEHICLE)
    return ObjectDetector(quality, device=Device.CPU, threads=1, moving=moving, targets=targets)
