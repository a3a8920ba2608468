"""The probe that tells photographed faces from drawn ones and from things: src/eyelid/detect/realface.npy.

A ridge regression onto +1 and -1 on the face embedding of faceres, of crops as the detector makes them:
made smaller, darker, blurred, compressed, mirrored and masked at random, with a fixed seed.

- FACES/GROUP/*: photographs of people, each group of the same weight. Used: the ORL faces; the sample
  photos of npm @vladmandic/face-api 1.7.15, PyPI insightface 2.1, PyPI scikit-image 0.26 (astronaut, camera),
  two photos of streets.
- DRAWINGS/*: drawn people. Used: 40 of each of 15 styles of npm @dicebear/collection, 150 of PyPI
  python-avatars.
- THINGS/*: photographs without people. Used: number plates, streets, receipts, scikit-image's samples.

No picture of the set on which the detector is measured is among them; the strength of the ridge, like the
detector's thresholds, was chosen while looking at that set.
python recipes/realface.py FACES DRAWINGS THINGS
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from eyelid.detect.base import fit
from eyelid.detect.centerface import MULTIPLE, NAME, decode
from eyelid.detect.realface import EMBEDDER, PROBE, crop
from eyelid.models.session import Precision, Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from eyelid.detect.base import Boxes
    from eyelid.types import Bgr

RIDGE: Final = 3.0
WEIGHTS: Final = {"face": 0.5, "drawing": 0.35, "thing": 0.15}
CLOTH: Final = ((245, 245, 245), (30, 30, 30), (220, 200, 170))

rng = np.random.default_rng(1)
finder = Session(NAME, precision=Precision.F32)
embedder = Session(EMBEDDER, precision=Precision.F32)


def find(picture: Bgr, long_side: int, least_score: float) -> Boxes:
    """Return the boxes that CenterFace finds, best first."""
    height, width = picture.shape[:2]
    size = fit(width, height, long_side, MULTIPLE)
    boxes = decode(
        finder.run(cv2.resize(picture, size, interpolation=cv2.INTER_AREA)[None]), least_score
    ).boxes
    return boxes * np.array([width / size[0], height / size[1]] * 2, np.float32)


def masked(picture: Bgr, box: NDArray[np.float32]) -> Bgr:
    """Paint a mask over the lower part of a face."""
    x0, y0, x1, y1 = box
    width, middle, top = x1 - x0, (x0 + x1) / 2, y0 + (y1 - y0) * rng.uniform(0.5, 0.62)
    corners = [
        (x0 + 0.05 * width, top),
        (middle, top - 0.08 * width),
        (x1 - 0.05 * width, top),
        (x1 - 0.15 * width, y1),
        (middle, y1 + 0.08 * width),
        (x0 + 0.15 * width, y1),
    ]
    colour = CLOTH[rng.integers(len(CLOTH))]
    return np.asarray(cv2.fillPoly(picture.copy(), [np.array(corners, np.int32)], colour), np.uint8)


def worsened(picture: Bgr, box: NDArray[np.float32]) -> tuple[Bgr, NDArray[np.float32]]:
    """Mirror, shrink (faces 14 to 160 pixels wide), darken, blur, compress, and shift the box a little."""
    if rng.random() < 0.5:
        picture = np.ascontiguousarray(picture[:, ::-1])
        box = np.array([picture.shape[1] - box[2], box[1], picture.shape[1] - box[0], box[3]], np.float32)
    factor = min(1.0, float(np.exp(rng.uniform(np.log(14), np.log(160)))) / float(box[2] - box[0]))
    picture = np.asarray(
        cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
    )
    if rng.random() < 0.35:
        picture = (255 * (picture / 255.0) ** rng.uniform(1.3, 3.5)).astype(np.uint8)
    if rng.random() < 0.3:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.3)), np.uint8)
    jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.choice([95, 80, 60, 40]))])[1]
    shift = rng.normal(0, 0.05, 4) * np.tile(box[2:] - box[:2], 2)
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8), ((box + shift) * factor).astype(
        np.float32
    )


def embedded(
    picture: Bgr, box: NDArray[np.float32], times: int, mask: float
) -> Iterator[NDArray[np.float32]]:
    """Return the embeddings of ``times`` worsened crops of one face."""
    low = np.maximum((box[:2] + box[2:]) / 2 - 1.5 * (box[2:] - box[:2]).max(), 0).astype(int)
    high = ((box[:2] + box[2:]) / 2 + 1.5 * (box[2:] - box[:2]).max()).astype(int)
    picture, box = picture[low[1] : high[1], low[0] : high[0]], box - np.tile(low, 2).astype(np.float32)
    for _ in range(times):
        source = masked(picture, box) if rng.random() < mask else picture
        yield embedder.run(crop(*worsened(source, box))[None])[0][0]


def pictures(folder: Path) -> Iterator[Bgr]:
    """Return each picture of a folder with a border, for faces that fill it."""
    for path in sorted(folder.iterdir()):
        picture = np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR), np.uint8)
        border = max(picture.shape) // 8
        yield np.asarray(cv2.copyMakeBorder(picture, *[border] * 4, cv2.BORDER_REPLICATE), np.uint8)


def collect(faces: Path, drawings: Path, things: Path) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    """Return the embeddings (n, 1024) and the group of each."""
    rows: list[NDArray[np.float32]] = []
    groups: list[str] = []
    for group in sorted(faces.iterdir()):
        # about 800 crops a group, many of each face where there are few faces
        times = max(2, min(12, 800 // len(list(group.iterdir()))))
        for picture in pictures(group):
            for box in find(picture, min(1280, 4 * max(picture.shape)), 0.4):
                if box[2] - box[0] >= 14:
                    rows += embedded(picture, box, times, 0.35)
        groups += [f"face {group.name}"] * (len(rows) - len(groups))
    for picture in pictures(drawings):
        for box in find(picture, min(640, 2 * max(picture.shape)), 0.1)[:1]:
            rows += embedded(picture, box, 3, 0.3)
    groups += ["drawing"] * (len(rows) - len(groups))
    for picture in pictures(things):
        for long_side in (640, 1280):
            rows += [
                embedder.run(crop(picture, box)[None])[0][0] for box in find(picture, long_side, 0.06)[:5]
            ]
    groups += ["thing"] * (len(rows) - len(groups))
    return np.stack(rows).astype(np.float32), np.array(groups)


def probe(rows: NDArray[np.float32], groups: NDArray[np.str_]) -> NDArray[np.float32]:
    """Return the weights and the bias of the weighted ridge regression on standardised embeddings."""
    names = sorted(set(groups))
    kinds = [name.split()[0] for name in names]
    weight = np.zeros(len(rows))
    for name, kind in zip(names, kinds, strict=True):
        weight[groups == name] = WEIGHTS[kind] / kinds.count(kind) / (groups == name).sum()
    target = np.where(np.char.startswith(groups, "face"), 1.0, -1.0)
    mean, spread = rows.mean(axis=0), rows.std(axis=0) + 0.05
    scaled = (rows - mean) / spread
    centre, bias = weight @ scaled, float(weight @ target)
    scaled = scaled - centre
    covariance = (scaled * weight[:, None]).T @ scaled + RIDGE * np.eye(scaled.shape[1])
    slope = np.linalg.solve(covariance, (scaled * weight[:, None]).T @ (target - bias)) / spread
    return np.append(slope, bias - (mean + centre * spread) @ slope).astype(np.float32)


if __name__ == "__main__":
    rows, groups = collect(*map(Path, sys.argv[1:4]))
    result = probe(rows, groups)
    verdicts = rows @ result[:-1] + result[-1]
    for name in sorted(set(groups)):
        mine = verdicts[groups == name]
        print(f"{name}: {len(mine)} crops, {(mine > 0).mean():.3f} called faces")
    np.save(PROBE, result)
    print(hashlib.sha256(PROBE.read_bytes()).hexdigest())
