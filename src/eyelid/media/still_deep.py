"""Colour pictures of 16 bit a sample in PNG and TIFF, which Pillow would cut to 8."""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import cv2
import numpy as np
from PIL import PngImagePlugin, TiffImagePlugin

from eyelid.errors import InputError, OutputError
from eyelid.media.still_pixels import Pixels, from_interleaved

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from PIL import Image

    from eyelid.types import Plane

_STORED = {"RGB;16B", "RGB;16L", "RGB;16N", "RGBA;16B", "RGBA;16L", "RGBA;16N", "LA;16B"}
_PNG_HEAD_BYTES = 33  # signature and IHDR
_DEFLATE, _HORIZONTAL = 8, 2
_RGB, _UNASSOCIATED_ALPHA = 2, 2


def is_deep(image: Image.Image) -> bool:
    """Whether an opened, not yet loaded, PNG or TIFF page holds 16-bit colour that can be kept."""
    tiles = getattr(image, "tile", [])
    if len({tile.args if isinstance(tile.args, str) else tile.args[0] for tile in tiles}) != 1:
        return False
    args = tiles[0].args
    return (args if isinstance(args, str) else args[0]) in _STORED


def decode_deep(path: Path, page: int, width: int, height: int) -> Pixels:
    """Decode a 16-bit page that Pillow has found sound, of a size in pixels with TIFF orientation applied."""
    data = np.fromfile(path, np.uint8)
    with _quiet():
        _, pages = cv2.imdecodemulti(data, cv2.IMREAD_UNCHANGED, range=(page, page + 1))
    if len(pages) != 1 or pages[0].dtype != np.uint16 or pages[0].shape[:2] != (height, width):
        raise InputError(f"{path} holds 16-bit colour that cannot be read; save it again from its editor")
    samples = pages[0]
    if samples.ndim == 3:
        order = cv2.COLOR_BGRA2RGBA if samples.shape[2] == 4 else cv2.COLOR_BGR2RGB
        return from_interleaved(cv2.cvtColor(samples, order), "RGBA" if samples.shape[2] == 4 else "RGB")
    return from_interleaved(samples, "L")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep OpenCV from writing its warnings about tags to stderr."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def write_png(stream: IO[bytes], planes: Sequence[Plane], icc_profile: bytes | None) -> None:
    """Write 16-bit RGB or RGBA planes as PNG, without loss."""
    bgr = [plane.samples for plane in (*planes[2::-1], *planes[3:])]
    done, encoded = cv2.imencode(".png", cv2.merge(bgr))
    if not done:
        raise OutputError("the 16-bit picture cannot be encoded as PNG; convert it to 8 bit first")
    data = encoded.tobytes()
    stream.write(data[:_PNG_HEAD_BYTES])
    if icc_profile:
        PngImagePlugin.putchunk(stream, b"iCCP", b"ICC Profile\0\0", zlib.compress(icc_profile))
    stream.write(data[_PNG_HEAD_BYTES:])


def write_tiff_page(stream: IO[bytes], planes: Sequence[Plane], icc_profile: bytes | None) -> None:
    """Write 16-bit RGB or RGBA planes as one TIFF page at the start of a stream, deflated without loss."""
    samples = np.stack([plane.samples for plane in planes], axis=-1)
    height, width, channels = samples.shape
    samples[:, 1:] = np.diff(samples, axis=1)  # horizontal predictor: TIFF 6.0, section 14
    strip = zlib.compress(samples.astype("<u2").tobytes())
    tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    tags[TiffImagePlugin.IMAGEWIDTH] = width
    tags[TiffImagePlugin.IMAGELENGTH] = height
    tags[TiffImagePlugin.BITSPERSAMPLE] = (16,) * channels
    tags[TiffImagePlugin.COMPRESSION] = _DEFLATE
    tags[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] = _RGB
    tags[TiffImagePlugin.STRIPOFFSETS] = 0  # save() adds where the strip starts
    tags[TiffImagePlugin.SAMPLESPERPIXEL] = channels
    tags[TiffImagePlugin.ROWSPERSTRIP] = height
    tags[TiffImagePlugin.STRIPBYTECOUNTS] = len(strip)
    tags[TiffImagePlugin.PREDICTOR] = _HORIZONTAL
    if channels == 4:
        tags[TiffImagePlugin.EXTRASAMPLES] = _UNASSOCIATED_ALPHA
    if icc_profile:
        tags.tagtype[TiffImagePlugin.ICCPROFILE] = 7  # undefined bytes
        tags[TiffImagePlugin.ICCPROFILE] = icc_profile
    tags.save(stream)
    stream.write(strip)
