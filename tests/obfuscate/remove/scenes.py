"""Small scenes with a known background, and a thing that moves through them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import cv2
import numpy as np

from eyelid.types import Bgr, Detections, Plane, RawFrame, Target
from tests.obfuscate.frames import detections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyelid.obfuscate.remove.picture import Picture

HEIGHT, WIDTH = 120, 160
THING = (24, 40)


def texture(height: int, width: int, seed: int = 3) -> NDArray[np.float32]:
    """Return a picture (rows, columns, 3) with structure at many sizes, values 40..215."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for size in (4, 8, 16, 32):
        grid = random.normal(size=(-(-height // size), -(-width // size), 3)).astype(np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) * np.float32(size**0.5)
    low, high = total.min(), total.max()
    return np.asarray(40 + 175 * (total - low) / (high - low), np.float32)


def frame(colours: NDArray[np.float32], index: int = 0, *, moving: bool = True, rate: int = 10) -> RawFrame:
    """Return a 4:2:0 frame whose planes are the three layers."""
    exact = np.clip(np.rint(colours), 0, 255).astype(np.uint8)
    halves = [np.ascontiguousarray(exact[::2, ::2, layer]) for layer in (1, 2)]
    planes = (
        Plane("Y", np.ascontiguousarray(exact[..., 0]), 16),
        Plane("Cb", halves[0], 128, 255, 2, 2),
        Plane("Cr", halves[1], 128, 255, 2, 2),
    )

    def render(width: int, height: int) -> Bgr:
        grey = cv2.resize(planes[0].samples, (width, height))
        return np.asarray(np.repeat(grey[..., None], 3, axis=2), np.uint8)

    time = Fraction(index, rate) if moving else None
    return RawFrame(exact.shape[1], exact.shape[0], planes, render, index, time)


def box_at(x: int, y: int) -> tuple[float, float, float, float]:
    """Return the box of the thing."""
    return (x, y, x + THING[0], y + THING[1])


def with_thing(colours: NDArray[np.float32], x: int, y: int, seed: int = 0) -> NDArray[np.float32]:
    """Return a copy with noise drawn where the thing is: nothing of it is in the background."""
    out = colours.copy()
    noise = np.random.default_rng(seed).integers(0, 256, (THING[1], THING[0], 3))
    rows, columns = slice(max(y, 0), y + THING[1]), slice(max(x, 0), x + THING[0])
    shown = out[rows, columns]
    shown[...] = noise[: shown.shape[0], : shown.shape[1]]
    return out


def person(x: int, y: int) -> Detections:
    """Return the thing as a detector sees it."""
    return detections(box_at(x, y), target=Target.PERSON)


def psnr(planes: Sequence[Plane], truth: NDArray[np.float32], x: int, y: int) -> float:
    """Return how near the luma where the thing was comes to the truth, in dB."""
    rows, columns = slice(y, y + THING[1]), slice(x, x + THING[0])
    apart = planes[0].samples[rows, columns].astype(np.float64) - truth[rows, columns, 0]
    return float(10 * np.log10(255**2 / max(float((apart**2).mean()), 1e-9)))


def hole_of(picture: Picture) -> tuple[int, int, int, int]:
    """Return the outer box of a hole."""
    rows, columns = np.nonzero(picture.hole)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
