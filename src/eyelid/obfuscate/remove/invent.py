"""Pixels that no camera saw, made up from what surrounds them: the last resort."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from eyelid.obfuscate.remove.spread import shrunk, spread

if TYPE_CHECKING:
    from eyelid.obfuscate.remove.picture import Mask, Stack

_LONGEST: Final = 192
"""Pixels along a box at which it is inpainted; Telea's time grows with every pixel of the hole."""
_RADIUS: Final = 5


def invent(stack: Stack, unknown: Mask) -> Stack:
    """Return the stack with its unknown pixels made up from the known ones.

    A. Telea, "An image inpainting technique based on the fast marching method", J. Graphics Tools 2004; in
    large boxes at reduced size, then enlarged.
    """
    if not unknown.any() or unknown.all():  # the samples of a hole are black: they stay so
        return stack
    rows, columns = unknown.shape
    scale = min(1.0, _LONGEST / max(rows, columns))
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    small, known = shrunk(stack, ~unknown, size)
    small = spread(small, known)
    hole = cv2.resize(unknown.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    painted = np.stack([_telea(small[..., layer], hole) for layer in range(small.shape[2])], axis=-1)
    large = cv2.resize(painted, (columns, rows), interpolation=cv2.INTER_CUBIC).reshape(stack.shape)
    return np.where(unknown[..., None], large, stack).astype(np.float32)


def _telea(layer: Stack, hole: Mask) -> Stack:
    if hole.all():
        return layer
    exact = np.clip(np.rint(layer), 0, 255).astype(np.uint8)
    return cv2.inpaint(exact, hole.astype(np.uint8), _RADIUS, cv2.INPAINT_TELEA).astype(np.float32)
