"""Points of one picture found again in others, to a part of a pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from eyelid.obfuscate.remove.picture import dilate, grey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyelid.obfuscate.remove.align import Homography
    from eyelid.obfuscate.remove.picture import Picture

_MOST: Final = 600
_APART: Final = 5
_QUALITY: Final = 0.005
_WINDOW: Final = 15
_SIDE: Final = 640
_BACK: Final = 0.5
"""A point that is not found where it came from when it is looked for the other way is lost."""


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """Points float64 (n, 2) of the target, and where each view shows them (views, n, 2), NaN where not.

    All in pixels; ``pixel``: how many of these are one pixel of the light in which they were looked for.
    """

    points: NDArray[np.float64]
    seen: NDArray[np.float64]
    pixel: float


def tracks(target: Picture, views: Sequence[tuple[Picture, Sequence[Homography]]]) -> Tracks:
    """Return corners of the target found again in views, each near where its planes take them.

    Pyramidal Lucas and Kanade (Bouguet 2001), forwards and backwards, outside all holes.
    """
    light, free, scale = _light(target)
    found = cv2.goodFeaturesToTrack(light, _MOST, _QUALITY, _APART, mask=free.astype(np.uint8), blockSize=5)
    corners = np.asarray([] if found is None else found, np.float32).reshape(-1, 2)
    seen = np.full((len(views), len(corners), 2), np.nan)
    for number, (view, planes) in enumerate(views):
        if planes and len(corners):
            seen[number] = _followed(light, corners, view, planes, scale)
    return Tracks((corners.astype(np.float64) + 0.5) / scale - 0.5, (seen + 0.5) / scale - 0.5, 1 / scale)


def _followed(
    light: NDArray[np.uint8],
    corners: NDArray[np.float32],
    view: Picture,
    planes: Sequence[Homography],
    scale: float,
) -> NDArray[np.float64]:
    there, free, _ = _light(view)
    size = (_WINDOW, _WINDOW)
    best = np.full((len(corners), 2), np.nan)
    least = np.full(len(corners), _BACK)
    grown = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2], [0, 0, 1]])
    for plane in planes[:2]:
        start = cv2.perspectiveTransform(corners[None], grown @ plane @ np.linalg.inv(grown))[0]
        at, good, _ = cv2.calcOpticalFlowPyrLK(
            light,
            there,
            corners,
            start.astype(np.float32),
            winSize=size,
            maxLevel=2,
            flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        )
        back, again, _ = cv2.calcOpticalFlowPyrLK(
            there, light, at, corners.copy(), winSize=size, maxLevel=2, flags=cv2.OPTFLOW_USE_INITIAL_FLOW
        )
        off = np.linalg.norm(back - corners, axis=1)
        x, y = (np.rint(np.nan_to_num(at[:, axis], nan=-1.0)).astype(int) for axis in range(2))
        inside = (x >= 0) & (y >= 0) & (x < there.shape[1]) & (y < there.shape[0])
        inside[inside] = free[y[inside], x[inside]]
        better = (good.ravel() > 0) & (again.ravel() > 0) & inside & (off < least)
        best[better], least[better] = at[better], off[better]
    return best


def _light(picture: Picture) -> tuple[NDArray[np.uint8], NDArray[np.bool_], float]:
    stack, hole, scale = picture.small(_SIDE)
    light = np.clip(grey(stack, [plane.name for plane in picture.planes]), 0, 255).astype(np.uint8)
    return light, ~dilate(hole, _WINDOW // 2 + 1), scale
