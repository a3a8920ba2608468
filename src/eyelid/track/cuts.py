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

LEAST, TIMES = 0.35, 3.0
"""A cut changes at least this much, and this many times as much as the frames before it did."""


class CutDetector:
    """Finds hard cuts in thumbnails pushed in order; deterministic, in constant memory.

    The change of a frame is the smaller of two views: how little its structure matches the frames before it
    (1 - normalised cross-correlation, best over shifts of the camera, so neither a pan nor a flash counts)
    and how far its colours moved (half the L1 distance of the histograms, so motion within a scene does not
    count). It is a cut where that is large, and large against the changes just before it. Dissolves are not
    cuts: tracks run through them.
    """

    def __init__(self) -> None:
        self._past: deque[tuple[Grey, Grey]] = deque(maxlen=MEMORY)
        self._usual = 0.0

    def is_cut(self, thumbnail: Bgr | NDArray[np.uint8]) -> bool:
        """Return whether a picture, uint8 (h, w, 3) or (h, w), is the first of a new shot."""
        small = cv2.resize(thumbnail, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        grey = (small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)).astype(np.float32)
        if float(grey.std()) < PLAIN:
            return False
        colours = _histogram(np.asarray(small, np.uint8))
        change = min((_change(grey, colours, *past) for past in self._past), default=0.0)
        cut = change > max(LEAST, TIMES * self._usual)
        if cut:
            self._past.clear()
            self._usual = 0.0
        else:
            self._usual += 0.2 * (change - self._usual)
        self._past.append((grey, colours))
        return cut


def _change(grey: Grey, colours: Grey, old_grey: Grey, old_colours: Grey) -> float:
    moved = float(np.abs(colours - old_colours).sum() / 2)
    if moved < LEAST / 2:
        return moved
    centre = grey[REACH_Y:-REACH_Y, REACH_X:-REACH_X]
    alike = float(cv2.matchTemplate(old_grey, centre, cv2.TM_CCOEFF_NORMED).max())
    return min(moved, 1 - alike)


def _histogram(picture: NDArray[np.uint8]) -> Grey:
    """Return the share of samples in each of 16 levels of each channel, float32, in all 1."""
    levels = picture.reshape(HEIGHT * WIDTH, -1) >> 4
    counts = np.concatenate([np.bincount(channel, minlength=16) for channel in levels.T])
    shares: Grey = (counts / counts.sum()).astype(np.float32)
    return shares
