"""What other frames hold of a place, aligned and chosen with the truth in view: a bound for removal.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from _removal_scenes import bgr_of, inside, near, ycc
from eyelid.obfuscate.remove.align import features, homographies
from eyelid.obfuscate.remove.picture import opened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from _removal_scenes import Scene
    from eyelid.obfuscate.remove.align import Homography
    from eyelid.obfuscate.remove.picture import Mask
    from eyelid.types import Bgr

FRAMES: Final = 10
VIEWS: Final = 14
NOWHERE: Final = (0, 0, 0, 0)


def oracle(scene: Scene) -> list[NDArray[np.float64]]:
    """Return the errors of the best that other frames hold, aligned and chosen with the truth in view."""
    found = [
        features(opened(ycc(f, i, 1), inside(NOWHERE, f.shape)), 1280, 1500)
        for i, f in enumerate(scene.frames)
    ]
    errors = []
    for i in range(0, len(scene.frames), max(1, len(scene.frames) // FRAMES)):
        truth = bgr_of(ycc(scene.frames[i], i, 1).planes)
        where = inside(scene.boxes[i], truth.shape) & ~near(scene.others[i], truth.shape)
        best = np.full((*truth.shape[:2], 3), np.inf)
        views = 0
        for j in sorted(range(len(scene.frames)), key=lambda j: abs(j - i)):
            maps = homographies(found[i], found[j], 1) if j != i else []
            if not maps:
                continue
            blocked = inside(grown(scene.boxes[j]), truth.shape) | near(scene.others[j], truth.shape)
            off = registered(scene.frames[j], ~blocked, maps[0], truth)
            better = (off**2).sum(axis=-1) < (best**2).sum(axis=-1)
            best[better] = off[better]
            views += 1
            if views == VIEWS:
                break
        errors.append(best[where & np.isfinite(best[..., 0])])
    return errors


def registered(view: Bgr, free: Mask, matrix: Homography, truth: Bgr) -> NDArray[np.float64]:
    """Return the error of a view that was aligned to the truth, infinite where it does not show the place."""
    rows, columns = truth.shape[:2]
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    plane = cv2.warpPerspective(view, matrix, (columns, rows), flags=how, borderMode=cv2.BORDER_REPLICATE)
    shown = cv2.warpPerspective(free.astype(np.float32), matrix, (columns, rows), flags=cv2.WARP_INVERSE_MAP)
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in (truth, plane)]
    shift = search.calc(grey[0], grey[1], np.zeros((rows, columns, 2), np.float32))
    there = x + shift[..., 0], y + shift[..., 1]
    moved = cv2.remap(plane, *there, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    seen = cv2.remap(shown, *there, cv2.INTER_LINEAR) > 0.999
    off = moved.astype(float) - truth
    off -= np.median(off[seen], axis=0) if seen.any() else 0
    off[~seen] = np.inf
    return np.asarray(off)


def grown(box: tuple[int, int, int, int], by: int = 8) -> tuple[int, int, int, int]:
    """Return a box with a margin."""
    return (box[0] - by, box[1] - by, box[2] + by, box[3] + by)
