"""Small generated stills of every format, and safe frames for tests of writers."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pillow_heif
from PIL import Image

from eyelid.types import _SEAL, RawFrame, SafeFrame

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

WIDTH, HEIGHT = 46, 34


def safe(frame: RawFrame) -> SafeFrame:
    """Call a frame safe without hiding anything: for tests of writers alone."""
    return SafeFrame(frame, _SEAL)


def picture(width: int = WIDTH, height: int = HEIGHT, channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    """Draw soft colours with a few edges: uint8, shape (height, width, channels)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 5, channels), dtype=np.uint8)
    drawn = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    shaped = np.asarray(drawn, np.uint8).reshape(height, width, channels)
    shaped[height // 3 : height // 2, width // 4 : width // 2] //= 3
    return shaped


def image(mode: str, width: int = WIDTH, height: int = HEIGHT, seed: int = 0) -> Image.Image:
    """Draw a picture of one of Pillow's modes."""
    if mode in {"1", "L", "I;16", "I", "F"}:
        grey = picture(width, height, 1, seed)[:, :, 0]
        if mode == "I;16":
            return Image.fromarray(grey.astype(np.uint16) * 257)
        return Image.fromarray(grey).convert(mode)
    if mode == "P":
        return Image.fromarray(picture(width, height, 3, seed)).quantize(60)
    drawn = picture(width, height, len(mode), seed)
    return Image.merge(mode, [Image.fromarray(drawn[:, :, i].copy()) for i in range(len(mode))])


def _pillow(mode: str, **options: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        image(mode).save(path, **options)

    return write


def _pages(mode: str, count: int = 3, **options: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        pages = [image(mode, seed=seed) for seed in range(count)]
        pages[0].save(path, save_all=True, append_images=pages[1:], **options)

    return write


def _deep(channels: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        samples = picture(channels=channels).astype(np.uint16) * 257
        samples += np.arange(WIDTH, dtype=np.uint16)[None, :, None]  # low bytes of their own
        cv2.imwrite(str(path), samples)

    return write


def _heic(mode: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        samples = picture(channels=len(mode.split(";")[0]))
        data = (samples.astype(np.uint16) * 257).tobytes() if ";16" in mode else samples.tobytes()
        file = pillow_heif.HeifFile()  # type: ignore[no-untyped-call]
        file.add_frombytes(mode, (WIDTH, HEIGHT), data)
        file.save(path, quality=95)

    return write


STILLS: dict[str, Callable[[Path], None]] = {
    "rgb420.jpg": _pillow("RGB", quality=88, subsampling=2),
    "rgb422.jpg": _pillow("RGB", quality=71, subsampling=1),
    "rgb444.jpg": _pillow("RGB", quality=93, subsampling=0, progressive=True),
    "keep_rgb.jpg": _pillow("RGB", quality=90, keep_rgb=True),
    "grey.jpg": _pillow("L", quality=80),
    "cmyk.jpg": _pillow("CMYK", quality=85),
    "rgb.png": _pillow("RGB"),
    "rgba.png": _pillow("RGBA"),
    "grey.png": _pillow("L"),
    "grey_alpha.png": _pillow("LA"),
    "one_bit.png": _pillow("1"),
    "palette.png": _pillow("P"),
    "grey16.png": _pillow("I;16"),
    "rgb16.png": _deep(3),
    "rgba16.png": _deep(4),
    "animated.png": _pages("RGB", duration=[100, 250, 40], loop=3),
    "lossy.webp": _pillow("RGB", quality=85),
    "lossless.webp": _pillow("RGBA", lossless=True),
    "animated.webp": _pages("RGB", duration=[100, 250, 40], loop=3, lossless=True),
    "palette.gif": _pillow("P"),
    "animated.gif": _pages("P", duration=[100, 250, 40], loop=3),
    "rgb.tiff": _pillow("RGB", compression="tiff_lzw"),
    "rgba.tiff": _pillow("RGBA"),
    "grey.tiff": _pillow("L", compression="packbits"),
    "one_bit.tiff": _pillow("1", compression="group4"),
    "palette.tiff": _pillow("P"),
    "cmyk.tiff": _pillow("CMYK", compression="tiff_adobe_deflate"),
    "grey16.tiff": _pillow("I;16"),
    "float.tiff": _pillow("F"),
    "int32.tiff": _pillow("I"),
    "rgb16.tiff": _deep(3),
    "rgba16.tiff": _deep(4),
    "pages.tiff": _pages("RGB", compression="tiff_lzw"),
    "rgb.heic": _heic("RGB"),
    "rgba.heic": _heic("RGBA"),
    "grey.heic": _heic("L"),
    "rgb10.heic": _heic("RGB;16"),
}
"""How to write each sample, by file name."""


def write_sample(name: str, folder: Path) -> Path:
    """Write one of :data:`STILLS` into a folder."""
    path = folder / name
    STILLS[name](path)
    return path


def jpeg_with_segments(jpeg: bytes, *segments: tuple[int, bytes]) -> bytes:
    """Put marker segments, as (marker, content), behind the start of a JPEG."""
    packed = b"".join(struct.pack(">BBH", 0xFF, marker, len(c) + 2) + c for marker, c in segments)
    return jpeg[:2] + packed + jpeg[2:]


def damaged_tiff(path: Path) -> Path:
    """Write a TIFF whose compressed pixels are broken off by nonsense, which libtiff tells on stderr."""
    STILLS["rgb.tiff"](path)
    data = path.read_bytes()
    middle = len(data) // 2
    path.write_bytes(data[:middle] + b"\xff" * 200 + data[middle + 200 :])
    return path
