"""How one picture's sharpness becomes that of another which was blurred differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from eyelid.obfuscate.remove.picture import dilate, grey

if TYPE_CHECKING:
    from eyelid.obfuscate.remove.look import Target
    from eyelid.obfuscate.remove.picture import Mask, Stack

_REACH: Final = 2
_SIDE: Final = 2 * _REACH + 1
_NEAR: Final = 12
_LEAST: Final = 400
_OUTLIER: Final = 20.0  # of 255
_RIDGE: Final = 10.0
_ROUNDS: Final = 3


def as_sharp(stack: Stack, seen: Mask, target: Target) -> Stack:
    """Return the stack filtered by the kernel that brings it nearest to the target around the hole.

    The kernel of 5 by 5 is a least-squares fit (Alard and Lupton, "A method for optimal image subtraction",
    1998) held near that which changes nothing: a hand that moved while the shutter was open, and what the
    place of the stack is off by, are in it. Near the border of what is ``seen`` nothing is changed.
    """
    whole = cv2.erode(seen.view(np.uint8), np.ones((_SIDE, _SIDE), np.uint8), borderValue=0).view(np.bool_)
    both = whole & ~target.hole & dilate(target.hole, _NEAR)
    ys, xs = np.nonzero(both)
    if len(ys) < _LEAST:
        return stack
    theirs, ours = grey(stack, target.names), grey(target.stack, target.names)
    shifts = range(-_REACH, _REACH + 1)
    around = np.stack([theirs[ys + dy, xs + dx] for dy in shifts for dx in shifts], axis=1).astype(np.float64)
    wanted = ours[ys, xs].astype(np.float64)
    plain = np.zeros(_SIDE**2)
    plain[_SIDE**2 // 2] = 1
    kernel = plain
    for _ in range(_ROUNDS):
        off = wanted - around @ kernel
        off -= np.median(off)
        keep = np.abs(off) < max(_OUTLIER, 3 * float(np.median(np.abs(off))))
        terms = around[keep] - around[keep].mean(axis=0)
        rest = wanted[keep] - wanted[keep].mean() - terms @ plain
        held = _RIDGE * len(terms) * np.eye(len(plain))
        kernel = plain + np.linalg.solve(terms.T @ terms + held, terms.T @ rest)
    kernel = kernel / kernel.sum()
    if not np.isfinite(kernel).all():
        return stack
    sharp = cv2.filter2D(stack, -1, kernel.reshape(_SIDE, _SIDE).astype(np.float32)).reshape(stack.shape)
    return np.where(whole[..., None], np.asarray(sharp, np.float32), stack)
