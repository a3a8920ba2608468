"""Values that are known in some places carried smoothly to all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyelid.obfuscate.remove.picture import Mask, Stack


def spread(values: Stack, known: Mask) -> Stack:
    """Return float32 values (rows, columns, layers), given where ``known``, smooth everywhere else.

    Each level of a pyramid holds the means of the known values below it and lends them to the gaps of the
    level above (Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.4: push-pull); gaps are then
    relaxed towards the mean of their surroundings, which takes the steps of the pyramid away.
    """
    if known.all():
        return values
    if not known.any():
        return np.zeros_like(values)
    return _filled(np.where(known[..., None], values, 0).astype(np.float32), known)


def _filled(values: Stack, known: Mask) -> Stack:
    """Return the values with their gaps, which hold 0, filled."""
    rows, columns = known.shape
    if known.all() or max(rows, columns) <= 1:
        return values
    down, across = rows % 2, columns % 2
    light, weight = values, known.astype(np.float32)
    if down or across:
        light = _layers(cv2.copyMakeBorder(values, 0, down, 0, across, cv2.BORDER_CONSTANT), values.shape[2])
        weight = np.asarray(cv2.copyMakeBorder(weight, 0, down, 0, across, cv2.BORDER_CONSTANT), np.float32)
    size = ((columns + across) // 2, (rows + down) // 2)
    total = np.asarray(cv2.resize(weight, size, interpolation=cv2.INTER_AREA), np.float32)
    sums = _layers(cv2.resize(light, size, interpolation=cv2.INTER_AREA), values.shape[2])
    coarse = _filled(np.asarray(sums / np.maximum(total, 1e-6)[..., None], np.float32), total > 0)
    lent = cv2.resize(coarse, (columns + across, rows + down))
    filled = _layers(lent, values.shape[2])[:rows, :columns]
    filled = _restored(np.ascontiguousarray(filled), values, known)
    for _ in range(2):
        filled = _restored(_layers(cv2.blur(filled, (3, 3)), values.shape[2]), values, known)
    return filled


def _restored(filled: Stack, values: Stack, known: Mask) -> Stack:
    cv2.copyTo(values, known.view(np.uint8), filled)
    return filled


def shrunk(values: Stack, known: Mask, size: tuple[int, int]) -> tuple[Stack, Mask]:
    """Return the known values as means at a smaller size (columns, rows), and which means hold any."""
    weight = cv2.resize(known.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    light = np.where(known[..., None], values, 0).astype(np.float32)
    sums = _layers(cv2.resize(light, size, interpolation=cv2.INTER_AREA), values.shape[2])
    return np.asarray(sums / np.maximum(weight, 1e-6)[..., None], np.float32), weight > 0.05


def _layers(values: NDArray[Any], count: int) -> Stack:
    """Give back the axis of layers that OpenCV drops where there is one layer."""
    return np.asarray(values.reshape(*values.shape[:2], count), np.float32)
