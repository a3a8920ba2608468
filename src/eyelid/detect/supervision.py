"""To and from ``supervision.Detections``; needs the extra ``eyelid[supervision]``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from eyelid.errors import DetectionError, ModelError
from eyelid.types import Detections, Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    import supervision

TARGET_IDS: Final = dict(enumerate(Target))
"""The class number of each target in what :func:`to_supervision` returns."""

_CORNERS: Final = "xyxyxyxy"
"""The key under which supervision keeps the corners of oriented boxes, (n, 4, 2)."""


def to_supervision(found: Detections) -> supervision.Detections:
    """Return detections as ``supervision.Detections``, classes numbered as in :data:`TARGET_IDS`.

    Polygons go along where each has 4 corners. Raises :class:`~eyelid.errors.ModelError` where the package
    supervision is not installed.
    """
    try:
        import supervision as sv
    except ImportError as error:
        raise ModelError('the package supervision is missing; pip install "eyelid[supervision]"') from error
    numbers = {target: number for number, target in TARGET_IDS.items()}
    corners = [polygon for polygon in found.polygons if polygon is not None and polygon.shape == (4, 2)]
    return sv.Detections(
        xyxy=found.boxes.copy(),
        confidence=found.scores.copy(),
        class_id=np.array([numbers[target] for target in found.targets], np.int64),
        tracker_id=found.tracks.copy() if (found.tracks >= 0).any() else None,
        data={_CORNERS: np.array(corners)} if corners and len(corners) == len(found) else {},
    )


def from_supervision(
    found: supervision.Detections, targets: Target | Mapping[int, Target] = TARGET_IDS
) -> Detections:
    """Return ``supervision.Detections`` as eyelid's; a missing confidence counts as 1.

    ``targets`` is the target of every detection, or of each class number; other classes are left out. Boxes
    grow to hold their masks. Raises :class:`~eyelid.errors.DetectionError` where shapes or values are wrong,
    or classes are needed and not there.
    """
    boxes = np.asarray(found.xyxy, np.float32)
    count = len(boxes)
    scores = np.ones(count, np.float32) if found.confidence is None else np.asarray(found.confidence)
    tracks = np.full(count, -1) if found.tracker_id is None else np.asarray(found.tracker_id)
    corners = np.asarray(found.data[_CORNERS], np.float32) if _CORNERS in found.data else None
    shapes = (boxes.shape, scores.shape, tracks.shape)
    if shapes != ((count, 4), (count,), (count,)) or (corners is not None and corners.shape != (count, 4, 2)):
        raise DetectionError(
            f"a detector returned arrays of the wrong shapes {shapes}; cover the whole frame"
        )
    if found.mask is not None:
        boxes = _with_masks(boxes, np.asarray(found.mask))
    finite = np.isfinite(boxes).all() and np.isfinite(scores).all()
    if not finite or (corners is not None and not np.isfinite(corners).all()):
        raise DetectionError("a detector returned values that are not numbers; cover the whole frame")
    if (boxes[:, 2:] < boxes[:, :2]).any():
        raise DetectionError("a detector returned boxes turned inside out; cover the whole frame")
    if isinstance(targets, Target):
        names: list[Target | None] = [targets] * count
    elif found.class_id is None and count:
        raise DetectionError("a detector returned no class numbers, but its targets go by class")
    else:
        names = [
            targets.get(int(number)) for number in (found.class_id if found.class_id is not None else ())
        ]
    kept = [i for i, name in enumerate(names) if name is not None]
    return Detections(
        boxes[kept],
        scores[kept].astype(np.float32),
        tuple(name for name in names if name is not None),
        tracks[kept].astype(np.int64),
        tuple(None if corners is None else corners[i] for i in kept),
    )


def _with_masks(boxes: np.ndarray, masks: np.ndarray) -> np.ndarray:
    if masks.ndim != 3 or len(masks) != len(boxes):
        raise DetectionError(f"a detector returned masks of the wrong shape {masks.shape}")
    grown = boxes.copy()
    for box, mask in zip(grown, masks, strict=True):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if len(rows):
            box[:2] = np.minimum(box[:2], (columns[0], rows[0]))
            box[2:] = np.maximum(box[2:], (columns[-1] + 1, rows[-1] + 1))
    return grown
