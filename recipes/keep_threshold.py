"""Prints how often ``--keep`` keeps a stranger and how often it keeps the person, for several thresholds.

python recipes/keep_threshold.py DATA

DATA holds faces_orl (one folder a person) and faces_detect, faces_wide (photos of groups). Strangers are
all pairs of different people of faces_orl, and all pairs of faces of those photos, within one photo and
between two. bald_guys.jpg is left out, a collage that shows each of its people six times.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from eyelid.detect.base import nms
from eyelid.detect.faces import FaceDetector
from eyelid.detect.identity import SMALLEST, THRESHOLD, FaceEmbedder
from eyelid.types import RawFrame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyelid.types import Bgr

SURE = 0.5
"""Only faces that the detector is sure of count, so that no hand or tree is taken for a person."""

THRESHOLDS = sorted({*np.arange(0.4, 0.96, 0.05).round(2).tolist(), THRESHOLD})


def as_frame(picture: Bgr) -> RawFrame:
    """Return a picture as a frame."""
    return RawFrame(picture.shape[1], picture.shape[0], (), lambda w, h: cv2.resize(picture, (w, h)))  # type: ignore[return-value]


def embeddings(path: Path, detector: FaceDetector, embedder: FaceEmbedder) -> NDArray[np.float32]:
    """Return the embeddings of the faces in a picture that are sure and large enough."""
    frame = as_frame(cv2.imread(str(path)))  # type: ignore[arg-type]
    (found,) = detector.detect([frame])
    sides = (found.boxes[:, 2:] - found.boxes[:, :2]).min(axis=1, initial=np.inf)
    found = found.select((found.scores >= SURE) & (sides >= SMALLEST))
    return embedder.embed(frame, found.boxes[nms(found.boxes, found.scores, 0.2)])


def main(data: Path) -> None:
    """Print the table."""
    detector, embedder = FaceDetector(), FaceEmbedder()
    portraits = [
        (folder.name, faces[0])
        for folder in sorted((data / "faces_orl").iterdir())
        for path in sorted(folder.glob("*.pgm"))
        if len(faces := embeddings(path, detector, embedder)) == 1
    ]
    people = np.array([person for person, _ in portraits])
    similarity = np.stack([face for _, face in portraits]) @ np.stack([face for _, face in portraits]).T
    same = people[:, None] == people[None, :]
    upper = np.triu(np.ones_like(same), 1)
    genuine, strangers = similarity[same & upper], similarity[~same & upper]
    photos = [
        embeddings(path, detector, embedder)
        for folder in ("faces_detect", "faces_wide")
        for path in sorted((data / folder).glob("*.jpg"))
        if path.name != "bald_guys.jpg" and not path.name.startswith("no_")
    ]
    crowd = np.concatenate(photos)
    photo = np.repeat(np.arange(len(photos)), [len(faces) for faces in photos])
    together = photo[:, None] == photo[None, :]
    pairs, later = crowd @ crowd.T, np.triu(np.ones_like(together), 1)
    neighbours, others = pairs[together & later], pairs[~together & later]
    print(f"{len(people)} portraits of {len(set(people))} people: {len(genuine)} pairs of one person")
    print(
        f"pairs of strangers: {len(strangers)} portraits, {len(neighbours)} in a photo, {len(others)} in two"
    )
    print("threshold | stranger kept: portraits, one photo, two photos | person kept: 1 picture, 3 pictures")
    for threshold in THRESHOLDS:
        wrong = [f"{np.mean(values >= threshold):9.4%}" for values in (strangers, neighbours, others)]
        three = np.mean([kept_by_three(similarity[i], same[i], i, threshold) for i in range(len(people))])
        print(f"{threshold:9.2f} | {' '.join(wrong)} | {np.mean(genuine >= threshold):7.2%} {three:7.2%}")


def kept_by_three(
    similarity: NDArray[np.float32], same: NDArray[np.bool_], probe: int, threshold: float
) -> bool:
    """Return whether a portrait is kept, given the first three other portraits of its person."""
    others = [i for i in np.flatnonzero(same) if i != probe][:3]
    return bool((similarity[others] >= threshold).any())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
