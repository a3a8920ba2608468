"""JPEGs of every kind for the tests, made of coloured noise with edges."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

SIZES = [(1, 1), (8, 8), (17, 31), (67, 50), (3, 129)]
"""Width and height, most of them no whole number of blocks."""
KINDS = ["444", "422", "420", "440", "411", "grey", "cmyk", "rgb", "progressive", "restarts"]
_OPENCV = {"440": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440, "411": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411}
_PILLOW: dict[str, dict[str, Any]] = {
    "444": {"subsampling": 0},
    "422": {"subsampling": 1},
    "420": {"subsampling": 2},
    "progressive": {"subsampling": 2, "progressive": True},
    "restarts": {"subsampling": 2, "restart_marker_blocks": 2},
    "rgb": {"keep_rgb": True},
}


def picture(width: int, height: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """Return a picture with flat parts, edges and noise."""
    rng = np.random.default_rng(seed)
    bands = []
    for _ in Image.new(mode, (1, 1)).getbands():
        coarse = rng.integers(0, 256, (height // 9 + 2, width // 9 + 2), np.uint8)
        large = np.kron(coarse, np.ones((9, 9)))[:height, :width]
        noisy = large + rng.normal(0, 12, large.shape) * (large > 128)
        bands.append(Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)))
    return bands[0] if len(bands) == 1 else Image.merge(mode, bands)


def jpeg(kind: str, width: int, height: int, quality: int = 90, **options: Any) -> bytes:
    """Return a JPEG of one of :data:`KINDS`; further options go to Pillow."""
    mode = {"grey": "L", "cmyk": "CMYK"}.get(kind, "RGB")
    image = picture(width, height, mode)
    if kind in _OPENCV:
        settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _OPENCV[kind]]
        return cv2.imencode(".jpg", np.asarray(image), settings)[1].tobytes()
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality, **(_PILLOW.get(kind, {}) | options))
    return stream.getvalue()


def save(path: Path, kind: str = "420", width: int = 67, height: int = 50, **options: Any) -> Path:
    """Write a JPEG and return its path."""
    path.write_bytes(jpeg(kind, width, height, **options))
    return path


def pixels(data: bytes | Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Decode without turning anything."""
    with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data) as image:
        return np.asarray(image)
