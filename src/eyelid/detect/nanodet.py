"""NanoDet: one network that finds the 80 classes of COCO, as boxes."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from eyelid.detect.base import Boxes, Scores, fit, require_finite
from eyelid.models.session import Session

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyelid.models.session import Device
    from eyelid.types import RawFrame

CLASSES: Final = {
    "person": 0,
    "bicycle": 1,
    "car": 2,
    "motorcycle": 3,
    "bus": 5,
    "train": 6,
    "truck": 7,
    "boat": 8,
    "tv": 62,
    "laptop": 63,
    "cell phone": 67,
}
"""The columns of the network's scores that eyelid has a use for, by their names in COCO."""

STRIDES: Final = (8, 16, 32)
BINS: Final = 11
"""A distance to a side is a distribution over 0, 1, ... 10 strides."""


class NanoDet:
    """The network, for any size of input.

    Source: github.com/RangiLyu/nanodet; the distributions of distances are those of Li et al., Generalized
    Focal Loss (NeurIPS 2020), section 3.
    """

    model: Final = "nanodet"

    def __init__(self, *, device: Device, threads: int | None, steady: bool) -> None:
        self._session = Session(self.model, device=device, threads=threads, steady=steady)

    def look(self, frame: RawFrame, long_side: int, least: float) -> tuple[Boxes, NDArray[np.float32]]:
        """Return the boxes (n, 4) in pixels of the frame and scores (n, 80) where a class reaches ``least``.

        The frame enters at ``long_side`` pixels. Duplicates are still there. Raises DetectionError where the
        network fails.
        """
        width, height = fit(frame.width, frame.height, long_side, 32)
        outputs = self._session.run(frame.bgr(width, height)[None])
        require_finite(outputs, self.model)
        levels = len(STRIDES)
        scores = np.concatenate([output[0] for output in outputs[:levels]])
        logits = np.concatenate([output[0] for output in outputs[levels:]])
        seen = scores[:, list(CLASSES.values())].max(axis=1) >= least
        boxes = decode(logits[seen], cells(width, height)[seen])
        scale = np.array([frame.width / width, frame.height / height] * 2, np.float32)
        return boxes * scale, scores[seen]


@lru_cache(maxsize=8)
def cells(width: int, height: int) -> NDArray[np.float32]:
    """Return the cells for an input of that size: float32 (n, 3), centre x, centre y, stride, in pixels."""
    levels = []
    for stride in STRIDES:
        y, x = np.mgrid[: -(-height // stride), : -(-width // stride)]
        centres = np.stack([(x + 0.5) * stride, (y + 0.5) * stride, np.full(x.shape, stride)], axis=-1)
        levels.append(centres.reshape(-1, 3))
    return np.concatenate(levels).astype(np.float32)


def decode(logits: NDArray[np.float32], cell: NDArray[np.float32]) -> Boxes:
    """Return boxes (n, 4) in pixels from logits (n, 44) of left, top, right, bottom at cells (n, 3).

    A distance is the expectation of the softmax over its 11 bins, times the stride.
    """
    bins = logits.reshape(-1, 4, BINS)
    weights = np.exp(bins - bins.max(axis=2, keepdims=True))
    expectation = weights @ np.arange(BINS, dtype=np.float32) / weights.sum(axis=2)
    distance = expectation * cell[:, 2:]
    return np.concatenate([cell[:, :2] - distance[:, :2], cell[:, :2] + distance[:, 2:]], axis=1)


def best(scores: NDArray[np.float32], names: tuple[str, ...]) -> Scores:
    """Return for each row of scores (n, 80) the best (n,) among the classes of those names."""
    chosen: Scores = scores[:, [CLASSES[name] for name in names]].max(axis=1)
    return chosen
