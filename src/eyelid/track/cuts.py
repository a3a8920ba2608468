"""Where one shot ends and the next begins."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from eyelid.types import Bgr

Grey: TypeAlias = NDArray[np.float32]

WIDTH, HEIGHT = 64, 36
REACH_X, REACH_Y = 8, 4
"""The camera may move by this many thumbnail pixels between frames without its picture being a new one."""

MEMORY = 4
"""A picture that returns within this many frames was interrupted (a flash, a dropped frame), not cut."""

PLAIN = 4.0
"""Standard deviation in grey levels below which a picture (black, white, fog) is no shot of its own."""

RECOLOURED = 0.12
"""The least share of samples that change their level in a cut; motion within a scene and noise move fewer."""

DARKER, FEW = 8.0, 0.03
"""In a flash less than this share of pixels gets darker by more than this many grey levels."""

RESTRUCTURED, TIMES = 0.45, 2.0
"""The least mismatch of structure in a cut, and how many times the usual mismatch of the frames before it."""


class CutDetector:
    """Finds hard cuts in thumbnails pushed in order; deterministic, in constant memory.

    A frame is a cut where it differs from each of the last few in two ways at once: the histogram moved
    (half the L1 distance), and the structure does not match (1 - normalised cross-correlation of the pixels,
    best over shifts of the camera) by a threshold that rises with the usual mismatch. A flash darkens
    nothing, a pan is undone by the shift, motion within a scene keeps the histogram. Dissolves are not cuts:
    tracks run through them. In doubt there is no cut, because a track that runs on covers more.
    """

    def __init__(self) -> None:
        self._past: deque[tuple[Grey, Grey]] = deque(maxlen=MEMORY)
        self._usual = 0.0

    def is_cut(self, thumbnail: Bgr | NDArray[np.uint8]) -> bool:
        """Return whether a picture, uint8 (h, w, 3) or (h, w), is the first of a new shot."""
        small = np.asarray(cv2.resize(thumbnail, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
        grey = (small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)).astype(np.float32)
        if float(grey.std()) < PLAIN:
            return False
        histogram = _histogram(small)
        recoloured = min((float(np.abs(histogram - past).sum() / 2) for _, past in self._past), default=0.0)
        mismatch = 0.0
        if recoloured >= RECOLOURED:
            mismatch = min(_mismatch(grey, past) for past, _ in self._past)
        cut = mismatch > max(RESTRUCTURED, TIMES * self._usual)
        if cut:
            self._past.clear()
        else:
            self._usual += 0.2 * (mismatch - self._usual)
        self._past.append((grey, histogram))
        return cut


def _mismatch(new: Grey, old: Grey) -> float:
    if float((new < old - DARKER).mean()) < FEW:
        return 0.0  # brighter all over: light was added, not another picture
    centre = new[REACH_Y:-REACH_Y, REACH_X:-REACH_X]
    return 1 - float(cv2.matchTemplate(old, centre, cv2.TM_CCOEFF_NORMED).max())


def _histogram(picture: NDArray[np.uint8]) -> Grey:
    """Return the share of samples in each of 16 levels of each channel, float32, in all 1."""
    levels = picture.reshape(HEIGHT * WIDTH, -1) >> 4
    counts = np.concatenate([np.bincount(channel, minlength=16) for channel in levels.T])
    shares: Grey = (counts / counts.sum()).astype(np.float32)
    return shares
