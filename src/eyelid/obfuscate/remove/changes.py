"""Where a picture disagrees with the place behind it: movement, shadows and reflections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from eyelid.obfuscate.remove.picture import CHROMA, dilate
from eyelid.obfuscate.remove.spread import spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyelid.obfuscate.remove.picture import Mask, Stack

STRONG: Final = 26.0
"""A difference (of 255) in light that noise, wind and compression seldom make."""
WEAK: Final = 10.0
"""A difference in light that a soft shadow makes."""
_COLOUR: Final = 0.5  # chroma differs less than light does
_LEAST_AREA: Final = 2e-4
"""Parts of the picture; smaller changes far from anything removed are leaves and noise."""
_SHIFT: Final = 3
_LIGHT: Final = 4
"""Light is what changes over this part of the picture; a shadow is smaller."""
_MOST: Final = 0.5
"""Where more than this part of what is seen disagrees, the light changed and not the things in it."""


def lit_like(frame: Stack, place: Stack, seen: Mask) -> Stack:
    """Return the place in the frame's light: the difference that changes slowly over the picture is added.

    ``seen``: the pixels of the frame that are no hole. Large differences do not count as light.
    """
    difference = frame - place
    drift = np.median(difference[seen], axis=0) if seen.any() else np.zeros(place.shape[2])
    plain = seen & (np.abs(difference - drift) < STRONG).all(axis=-1)
    if plain.mean() < 0.05:
        return place + drift
    coarse = max(4, max(seen.shape) // _LIGHT)
    weight = cv2.blur(plain.astype(np.float32), (coarse, coarse))
    sums = cv2.blur(np.where(plain[..., None], difference, 0).astype(np.float32), (coarse, coarse))
    known = weight > 0.1
    light = sums.reshape(difference.shape) / np.maximum(weight, 1e-6)[..., None]
    return np.asarray(place + spread(np.asarray(light, np.float32), known), np.float32)


def difference(frame: Stack, place: Stack, seen: Mask, names: Sequence[str], *, reach: int = 0) -> Stack:
    """Return how far two pictures differ where seen (rows, columns), in units of light, noise smoothed.

    What a shift by up to ``reach`` pixels explains is no difference.
    """
    apart = np.zeros(seen.shape, np.float32)
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    for layer, name in enumerate(names):
        scale = 1 / _COLOUR if name in CHROMA else 1.0
        here, there = (np.ascontiguousarray(stack[..., layer]) for stack in (frame, place))
        low, high = (cv2.erode(there, kernel), cv2.dilate(there, kernel)) if reach else (there, there)
        cv2.max(apart, cv2.max(low - here, here - high) * scale, dst=apart)
    apart[~seen] = 0
    weight = cv2.GaussianBlur(seen.astype(np.float32), (0, 0), 1.0)
    soft = cv2.GaussianBlur(apart, (0, 0), 1.0) / np.maximum(weight, 1e-3)
    return np.where(seen, soft, 0).astype(np.float32)


def changed(frame: Stack, place: Stack, hole: Mask, names: Sequence[str], *, moving: bool = False) -> Mask:
    """Return the pixels outside the hole that something else than the place fills.

    Clear differences count wherever they are large enough to be a thing; faint ones where they touch the hole
    or a clear one, as shadows do. Under a ``moving`` camera only what touches the hole counts, and what a
    shift by a few pixels explains does not.
    """
    apart = difference(frame, place, ~hole, names, reach=_SHIFT if moving else 0)
    strong = _joined(apart > STRONG)
    if strong[~hole].mean() > _MOST if (~hole).any() else True:
        return np.zeros_like(hole)
    labels, stats = cv2.connectedComponentsWithStats(strong.view(np.uint8))[1:3]
    near = dilate(hole, 3)
    large = (stats[:, cv2.CC_STAT_AREA] >= max(12, _LEAST_AREA * hole.size)) & (not moving)
    touching = np.zeros(len(stats), np.bool_)
    touching[np.unique(labels[near])] = True
    keep = large | touching
    keep[0] = False
    things = keep[labels]
    return np.asarray(things | _attached(apart > WEAK, things | hole), np.bool_)


def _joined(mask: Mask) -> Mask:
    """Close the gaps of a thing and drop single pixels."""
    small, wide = np.ones((3, 3), np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    mask8 = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, small)
    return cv2.morphologyEx(mask8, cv2.MORPH_CLOSE, wide).view(np.bool_)


def _attached(faint: Mask, things: Mask) -> Mask:
    """Return the faint changes that hang together with a thing."""
    faint = cv2.morphologyEx(faint.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).view(np.bool_)
    labels = cv2.connectedComponents((faint | dilate(things, 1)).astype(np.uint8))[1]
    touching = np.zeros(int(labels.max()) + 1, np.bool_)
    touching[np.unique(labels[things])] = True
    touching[0] = False
    return np.asarray(touching[labels] & faint, np.bool_)
