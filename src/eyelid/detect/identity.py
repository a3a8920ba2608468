"""Who a face belongs to: embeddings, and the list of people who asked to stay visible."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from eyelid.detect.base import require_finite
from eyelid.errors import InputError
from eyelid.models.session import Device, Session
from eyelid.types import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eyelid.detect.base import Boxes, Detector
    from eyelid.types import Bgr, Detections, RawFrame

Embeddings: TypeAlias = NDArray[np.float32]
"""Embeddings, float32 (n, 1024), of length 1, or 0 where there was no picture to look at."""

SIDE: Final = 224
BATCH: Final = 8
SMALLEST: Final = 56.0
"""A face narrower or lower than this, in pixels, is never kept: it shows too little to tell people apart."""

THRESHOLD: Final = 0.70
"""The cosine similarity from which a face is kept; ``recipes/keep_threshold.py`` prints its error rates."""


class FaceEmbedder:
    """Turns faces into embeddings whose cosine similarity is high for the same person.

    The network is HSE-FaceRec's MobileNet (card ``faceres``); it sees the plain box, without alignment, once
    as it is and once mirrored.
    """

    def __init__(self, *, device: Device = Device.CPU, threads: int | None = None) -> None:
        self._session = Session("faceres", device=device, threads=threads)

    def embed(self, frame: RawFrame, boxes: Boxes) -> Embeddings:
        """Return the embeddings (n, 1024) of the faces in ``boxes`` (n, 4), in pixels of the frame.

        A box without a pixel inside the frame has the embedding 0, which is similar to nobody. Raises
        DetectionError where the network fails or returns values that are not finite.
        """
        result = np.zeros((len(boxes), 1024), np.float32)
        if len(boxes) == 0:
            return result
        picture = frame.bgr()
        crops = [(i, crop) for i, box in enumerate(boxes) if (crop := _crop(picture, box)) is not None]
        for start in range(0, len(crops), BATCH):
            part = crops[start : start + BATCH]
            result[[i for i, _ in part]] = self._embed(np.stack([crop for _, crop in part]))
        return result

    def _embed(self, crops: Bgr) -> Embeddings:
        (straight,) = self._session.run(crops)
        (mirrored,) = self._session.run(np.ascontiguousarray(crops[:, :, ::-1]))
        require_finite((straight, mirrored), "faceres")
        joined = straight + mirrored
        lengths = np.linalg.norm(joined, axis=1, keepdims=True)
        normal: Embeddings = np.divide(joined, lengths, out=np.zeros_like(joined), where=lengths > 0)
        return normal


class KeepList:
    """People who stay visible: one embedding for each picture of them.

    ``pictures`` maps a name for error messages, such as a file name, to a picture that shows exactly one
    face. Raises InputError where a picture shows none, several, or one that is too small.
    """

    def __init__(
        self,
        pictures: Mapping[str, RawFrame],
        detector: Detector,
        embedder: FaceEmbedder,
        threshold: float = THRESHOLD,
    ) -> None:
        self._embedder = embedder
        self._threshold = threshold
        self._known = np.concatenate(
            [np.zeros((0, 1024), np.float32)]
            + [_only_face(name, frame, detector, embedder) for name, frame in pictures.items()]
        )

    def matches(self, frame: RawFrame, detections: Detections) -> NDArray[np.bool_]:
        """Return which detections (n,) are faces of people to keep; in doubt a face is not.

        Of several faces in one frame that resemble the same picture, only the most similar can be that
        person; the others are covered.
        """
        keep = np.zeros(len(detections), bool)
        faces = np.array([target is Target.FACE for target in detections.targets], bool)
        candidates = np.flatnonzero(faces & _large(detections.boxes))
        if len(candidates) == 0 or len(self._known) == 0:
            return keep
        similarity = self._embedder.embed(frame, detections.boxes[candidates]) @ self._known.T
        best = similarity == similarity.max(axis=0)
        keep[candidates] = (best & (similarity >= self._threshold)).any(axis=1)
        return keep


def _only_face(name: str, frame: RawFrame, detector: Detector, embedder: FaceEmbedder) -> Embeddings:
    (found,) = detector.detect([frame])
    boxes = found.boxes[[target is Target.FACE for target in found.targets]]
    if len(boxes) == 0:
        raise InputError(f"no face was found in {name}; give a sharp picture of the person from the front")
    if len(boxes) > 1:
        raise InputError(
            f"{len(boxes)} faces were found in {name}; give a picture that shows only the person to keep"
        )
    if not _large(boxes).all():
        raise InputError(
            f"the face in {name} is too small; give a picture where it is {SMALLEST:.0f} pixels wide"
        )
    return embedder.embed(frame, boxes)


def _large(boxes: Boxes) -> NDArray[np.bool_]:
    large: NDArray[np.bool_] = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf) >= SMALLEST
    return large


def _crop(picture: Bgr, box: NDArray[np.float32]) -> Bgr | None:
    height, width = picture.shape[:2]
    x0, y0 = np.clip(np.floor(box[:2]), 0, [width, height]).astype(int)
    x1, y1 = np.clip(np.ceil(box[2:]), 0, [width, height]).astype(int)
    if x1 <= x0 or y1 <= y0:
        return None
    shrinks = (x1 - x0) * (y1 - y0) > SIDE * SIDE
    crop = cv2.resize(
        picture[y0:y1, x0:x1], (SIDE, SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    return crop.astype(np.uint8, copy=False)
