"""What every detector is, and the box arithmetic that all of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from eyelid.errors import DetectionError
from eyelid.types import Detections, Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from eyelid.types import RawFrame

Boxes: TypeAlias = NDArray[np.float32]
"""Boxes, float32 (n, 4): x0 y0 x1 y1 in pixels."""

Scores: TypeAlias = NDArray[np.float32]
"""Scores, float32 (n,), in 0..1."""


class Detector(ABC):
    """Finds targets in frames.

    ``name`` is written to the evidence, ``targets`` is what the detector can find, ``models`` the names of
    the model cards it runs. ``start_score``: in video a track may start only at or above it; lower
    detections only continue a track.
    """

    name: ClassVar[str]
    targets: frozenset[Target]
    models: tuple[str, ...] = ()
    start_score: float = 0.0

    @property
    def origin(self) -> str:
        """How the evidence names a detector of the user's own: ``package.module:Class:targets``."""
        return origin_of(type(self), self.targets)

    @abstractmethod
    def detect(self, frames: Sequence[RawFrame]) -> list[Detections]:
        """Return one :class:`Detections` a frame, boxes in pixels of that frame, duplicates already removed.

        Raises :class:`~eyelid.errors.DetectionError` where the network fails or returns values that are not
        finite; the caller must then cover the whole frame.
        """


def origin_of(source: object, targets: Iterable[Target]) -> str:
    """Name a class or function as a command line would, with the targets that it finds."""
    named = source if hasattr(source, "__qualname__") else type(source)
    return f"{named.__module__}:{named.__qualname__}:{','.join(sorted(targets))}"


def detections(boxes: Boxes, scores: Scores, target: Target) -> Detections:
    """Return detections of one target from boxes (n, 4) and scores (n,)."""
    return Detections(
        np.asarray(boxes, np.float32).reshape(-1, 4), np.asarray(scores, np.float32), (target,) * len(scores)
    )


def require_finite(outputs: Iterable[NDArray[np.float32]], model: str) -> None:
    """Raise :class:`DetectionError` where an output of the network holds NaN or infinity."""
    if not all(np.isfinite(output).all() for output in outputs):
        raise DetectionError(
            f"the network {model} returned values that are not numbers; cover the whole frame"
        )


def area(boxes: Boxes) -> NDArray[np.float32]:
    """Return the areas (n,) in square pixels; an inverted box has area 0."""
    sides: NDArray[np.float32] = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    areas: NDArray[np.float32] = sides[:, 0] * sides[:, 1]
    return areas


def overlap(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    """Return the areas (n, m) that each box of ``a`` shares with each box of ``b``, in square pixels."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides: NDArray[np.float32] = np.maximum(high - low, 0)
    areas: NDArray[np.float32] = sides[..., 0] * sides[..., 1]
    return areas


def iou(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    """Return intersection over union (n, m); 0 where both boxes are empty."""
    shared = overlap(a, b)
    union = area(a)[:, None] + area(b)[None, :] - shared
    ratio: NDArray[np.float32] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ratio


def nms(boxes: Boxes, scores: Scores, threshold: float) -> NDArray[np.int64]:
    """Return the indices that greedy non-maximum suppression keeps, best score first.

    A box goes when its IoU with a better one that stays is above ``threshold``; equal scores keep order.
    """
    order = np.argsort(-scores, kind="stable")
    overlapping = iou(boxes, boxes) > threshold
    alive = np.ones(len(boxes), bool)
    kept = []
    for i in order:
        if alive[i]:
            kept.append(i)
            alive &= ~overlapping[i]
            alive[i] = False
    return np.array(kept, np.int64)


def merge(boxes: Boxes, scores: Scores, threshold: float) -> tuple[Boxes, Scores]:
    """Join each box that non-maximum suppression keeps with those that it suppresses, into their outer box.

    Returns boxes (k, 4) and the best score of each group (k,). It covers more than suppression alone, for
    targets whose outlines the network finds only roughly.
    """
    kept = nms(boxes, scores, threshold)
    if len(kept) == 0:
        return boxes[:0], scores[:0]
    shared = iou(boxes, boxes[kept])
    shared[kept] = np.eye(len(kept), dtype=np.float32) * 2
    owner = shared.argmax(axis=1)
    joined = boxes[kept].copy()
    np.minimum.at(joined[:, :2], owner, boxes[:, :2])
    np.maximum.at(joined[:, 2:], owner, boxes[:, 2:])
    return joined, scores[kept]


def clip(boxes: Boxes, width: int, height: int) -> Boxes:
    """Return the boxes cut at the borders of a frame of ``width`` x ``height`` pixels."""
    limit = np.array([width, height, width, height], np.float32)
    clipped: Boxes = np.clip(boxes, 0, limit)
    return clipped


def fit(width: int, height: int, long_side: int, multiple: int) -> tuple[int, int]:
    """Return the size (width, height) nearest to the frame's shape whose long side is ``long_side``.

    Both sides are multiples of ``multiple`` and at least one multiple.
    """
    scale = long_side / max(width, height)
    sides = (max(1, round(side * scale / multiple)) * multiple for side in (width, height))
    return next(sides), next(sides)
