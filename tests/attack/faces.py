"""People who do not exist: smooth random patterns, each shown many times under noise and changing light."""

from __future__ import annotations

import cv2
import numpy as np

from eyelid.attack.dataset import Faces, Picture


def invented(
    people: int = 8, each: int = 10, height: int = 112, width: int = 92, noise: float = 12.0, seed: int = 0
) -> Faces:
    """Return pictures whose people differ clearly, far more than pictures of one person do."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(128.0, 45.0, (people, 7, 6))
    pictures = [_show(pattern, height, width, noise, rng) for pattern in coarse for _ in range(each)]
    names = tuple(f"person {i}" for i in range(people))
    return Faces(np.stack(pictures), np.repeat(np.arange(people), each), names)


def nobody(people: int = 8, each: int = 10, height: int = 40, width: int = 32, seed: int = 0) -> Faces:
    """Return pure noise under the names of people: no attacker can know better than chance."""
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 256, (people * each, height, width)).astype(np.uint8)
    return Faces(pictures, np.repeat(np.arange(people), each), tuple(map(str, range(people))))


def _show(
    pattern: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    height: int,
    width: int,
    noise: float,
    rng: np.random.Generator,
) -> Picture:
    smooth = cv2.resize(pattern, (width, height), interpolation=cv2.INTER_CUBIC)
    light = rng.normal(0.0, noise / 2)
    shown = np.asarray(smooth, np.float64) + light + rng.normal(0.0, noise, (height, width))
    return np.clip(np.rint(shown), 0, 255).astype(np.uint8)
