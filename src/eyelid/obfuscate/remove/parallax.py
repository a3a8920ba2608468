"""Where a view shows what lies behind a hole, when things there are at other depths than around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from eyelid.obfuscate.remove.picture import dilate
from eyelid.obfuscate.remove.spread import shrunk, spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyelid.obfuscate.remove.picture import Mask, Stack

LEAST_CLEAR: Final = 40
"""Fewer pixels with a clear flow say nothing about the rest."""
_SIDE: Final = 512
_LEAST_SIDE: Final = 16
_POINTS: Final = 4000
_REACH: Final = 4
_TEXTURE: Final = 1.0
_FLOWS: Final = 12.0


def scale_of(shape: tuple[int, ...]) -> float:
    """Return the size at which flow is measured in a box of so many rows and columns, of its own size."""
    return min(1.0, max(_SIDE / max(shape[:2]), _LEAST_SIDE / min(shape[:2])))


def flow(here: Stack, there: Stack, seen_here: Mask, seen_there: Mask) -> tuple[Stack, Mask]:
    """Return the shift (dx, dy) of each pixel of one light to another light, and where it is clear.

    Both at ``scale_of`` the size of the lights, shifts in pixels there. Dense inverse search (Kroeger et al.,
    "Fast optical flow using dense inverse search", ECCV 2016), clear where both are seen and have texture.
    """
    rows, columns = here.shape
    scale = scale_of(here.shape)
    size = (round(columns * scale), round(rows * scale))
    both = seen_here & seen_there
    pair = []
    for light in (here, there):
        small, known = shrunk(light[..., None], both, size)
        pair.append(np.clip(spread(small, known)[..., 0], 0, 255).astype(np.uint8))
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(0)  # to parts of a pixel
    search.setPatchStride(3)
    found = search.calc(pair[0], pair[1], np.zeros((*pair[0].shape, 2), np.float32))
    clear = cv2.resize(both.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.999
    clear = ~dilate(~clear, _REACH) & (_texture(pair[0]) > _TEXTURE)
    return np.asarray(found, np.float32), np.asarray(clear, np.bool_)


def continued(known: Stack, clear: Mask, near: Mask, through: Stack | None) -> tuple[Stack, float]:
    """Return a flow, continued from where it is ``clear``, and what it leaves unexplained there in pixels.

    A quadratic trend, and with the flow ``through`` the hole between two views that both see behind it, a
    linear function of that: of a point at any depth, the place in a third view is a linear function of its
    places in two (Ullman and Basri, "Recognition by linear combinations of models", IEEE PAMI 1991), whose
    factors change slowly over the picture. The fit
    is made again and again to what is near it, because moving things are no part of it; what it does not
    explain is carried on smoothly.
    """
    rows, columns = clear.shape
    y, x = np.mgrid[:rows, :columns].astype(np.float32) / np.float32(max(rows, columns)) - np.float32(0.5)
    terms = [np.ones_like(x), x, y, x * x, x * y, y * y]
    if through is not None:
        # by perspective, what is nearer shifts more on one side of the picture than on the other
        terms += [through[..., k] * by for by in (np.ones_like(x), x, y) for k in (0, 1)]
    stack = np.stack(terms, axis=-1)
    where = clear & near if int((clear & near).sum()) >= LEAST_CLEAR else clear
    every = max(1, int(where.sum()) // _POINTS)
    points, values = stack[where][::every].astype(np.float64), known[where][::every].astype(np.float64)
    held = [1e-3] * 2 + [1e-2] * 4 if through is not None else []
    ridge = np.diag([1e-6] * 6 + [weight * len(points) for weight in held])
    keep = np.ones(len(points), np.bool_)
    for _ in range(6):
        chosen = points[keep]
        fit = np.linalg.solve(chosen.T @ chosen + ridge, chosen.T @ values[keep])
        off = np.abs(values - points @ fit).max(axis=1)
        keep = off <= max(0.5, 2.5 * float(np.median(off)))
    trend = np.asarray(stack @ fit.astype(np.float32), np.float32)
    rest = known - trend
    plausible = np.abs(rest).max(axis=-1) <= max(1.0, 4 * float(np.median(off)))
    rest = spread(rest, clear & plausible)
    unexplained = float(np.minimum(off, _FLOWS).mean())
    return np.asarray(trend + cv2.GaussianBlur(rest, (0, 0), 3.0), np.float32), unexplained


def _texture(light: NDArray[np.uint8]) -> Stack:
    """Return how much light changes per pixel in the direction in which it changes least.

    Flow can be measured only where that is more than noise: along an edge it cannot (Shi and Tomasi, "Good
    features to track", CVPR 1994).
    """
    values = light.astype(np.float32)
    dx, dy = (cv2.Sobel(values, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    xx, xy, yy = (cv2.blur(product, (9, 9)) for product in (dx * dx, dx * dy, dy * dy))
    least = (xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy * xy)
    return np.asarray(np.sqrt(np.maximum(least, 0)), np.float32)
