"""How near a restored picture comes to the original, for an eye and for a recogniser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from eyelid.models.session import Session

if TYPE_CHECKING:
    from eyelid.attack.dataset import Pictures

Floats: TypeAlias = NDArray[np.float64]

EXACT: Final = 60.0
"""The PSNR in dB of pictures that agree exactly, or nearly."""

_SIDE, _BATCH = 224, 8


def psnr(restored: Pictures, original: Pictures) -> Floats:
    """Return the peak signal-to-noise ratio of each picture in dB, at most 60: float64 (n,)."""
    error = np.square(restored.astype(np.float64) - original).mean(axis=(1, 2))
    return np.asarray(10 * np.log10(255**2 / np.maximum(error, 255**2 / 10 ** (EXACT / 10))))


def ssim(restored: Pictures, original: Pictures) -> Floats:
    """Return the structural similarity of each picture, 1 where they agree: float64 (n,).

    Wang et al., IEEE TIP 2004: Gaussian window of 11 pixels and sigma 1.5, K1 = 0.01, K2 = 0.03.
    """
    return np.array([_ssim(a, b) for a, b in zip(restored, original, strict=True)], np.float64)


def _ssim(first: Pictures, second: Pictures) -> float:
    def smooth(values: Floats) -> Floats:
        return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5), np.float64)

    a, b = first.astype(np.float64), second.astype(np.float64)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_a, mean_b = smooth(a), smooth(b)
    variance_a = smooth(a * a) - mean_a**2
    variance_b = smooth(b * b) - mean_b**2
    together = smooth(a * b) - mean_a * mean_b
    above = (2 * mean_a * mean_b + c1) * (2 * together + c2)
    return float((above / ((mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2))).mean())


def embed(pictures: Pictures) -> Floats:
    """Return what the shipped recogniser makes of grey faces, one a picture: unit rows, float64 (n, 1024)."""
    session = Session("faceres", threads=1)
    faces = [np.asarray(cv2.resize(p, (_SIDE, _SIDE)), np.uint8) for p in pictures]
    colour = np.repeat(np.stack(faces)[..., None], 3, axis=3)
    parts = [session.run(colour[i : i + _BATCH])[0] for i in range(0, len(colour), _BATCH)]
    rows = np.concatenate(parts).astype(np.float64)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
