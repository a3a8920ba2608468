"""Animations written frame by frame: every frame whole, none merged, none kept in memory.

Pillow encodes the pictures; the containers around them are written here, because Pillow's own writers hold
all frames and merge equal ones, which would shift the frames that locked pixels are bound to.
"""

from __future__ import annotations

import io
import struct
from abc import ABC, abstractmethod
from typing import IO, TYPE_CHECKING

from PIL import GifImagePlugin, Image, PngImagePlugin

from eyelid.media.still_chunks import PNG_SIGNATURE_BYTES, png_chunks, webp_chunks

if TYPE_CHECKING:
    from fractions import Fraction

_WEBP_PICTURE = {b"ALPH", b"VP8 ", b"VP8L"}
_WEBP_ALPHA, _WEBP_ANIMATION, _WEBP_ICC = 0x10, 0x02, 0x20


class Animation(ABC):
    """A container that takes pictures one by one, each of the size of the canvas."""

    def __init__(self, stream: IO[bytes], frames: int, loop: int | None, icc_profile: bytes | None) -> None:
        self._stream = stream
        self._frames = frames
        self._loop = loop
        self._icc_profile = icc_profile
        self._written = 0

    def add(self, image: Image.Image, duration: Fraction) -> None:
        """Write one picture, shown for ``duration`` seconds."""
        if self._written == 0:
            self._begin(image)
        self._write(image, duration)
        self._written += 1

    @abstractmethod
    def _begin(self, image: Image.Image) -> None: ...

    @abstractmethod
    def _write(self, image: Image.Image, duration: Fraction) -> None: ...

    @abstractmethod
    def finish(self) -> None:
        """Write what stands behind the last picture."""


class Gif(Animation):
    """GIF89a: each frame with its own palette, over a cleared canvas."""

    def _begin(self, image: Image.Image) -> None:
        self._stream.write(b"GIF89a" + struct.pack("<HHBBB", *image.size, 0, 0, 0))
        if self._loop is not None:
            self._stream.write(b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", self._loop, 0))

    def _write(self, image: Image.Image, duration: Fraction) -> None:
        options = {"duration": round(duration * 1000), "disposal": 2 if self._frames > 1 else 0}
        if "transparency" in image.info:
            options["transparency"] = image.info["transparency"]
        for block in GifImagePlugin.getdata(image, (0, 0), include_color_table=True, **options):
            self._stream.write(block)

    def finish(self) -> None:
        """Write the trailer."""
        self._stream.write(b";")


class Apng(Animation):
    """Animated PNG: the data of single PNG pictures, each under a frame control chunk (PNG 3, 11.3.6)."""

    def __init__(self, stream: IO[bytes], frames: int, loop: int | None, icc_profile: bytes | None) -> None:
        super().__init__(stream, frames, loop, icc_profile)
        self._sequence = 0

    def _begin(self, image: Image.Image) -> None:
        pass  # the header comes from the first encoded picture

    def _write(self, image: Image.Image, duration: Fraction) -> None:
        encoded = io.BytesIO()
        image.save(encoded, "PNG", icc_profile=self._icc_profile)
        chunks = list(png_chunks(encoded.getvalue()))
        if self._written == 0:
            self._stream.write(encoded.getvalue()[:PNG_SIGNATURE_BYTES])
            for kind, content in chunks:
                if kind in {b"IHDR", b"iCCP"}:
                    PngImagePlugin.putchunk(self._stream, kind, content)
            PngImagePlugin.putchunk(self._stream, b"acTL", struct.pack(">II", self._frames, self._loop or 0))
        delay = duration.limit_denominator(1000)
        seconds = (min(delay.numerator, 65535), delay.denominator)
        PngImagePlugin.putchunk(
            self._stream, b"fcTL", struct.pack(">IIIIIHHBB", self._next(), *image.size, 0, 0, *seconds, 0, 0)
        )
        for kind, content in chunks:
            if kind == b"IDAT" and self._written == 0:
                PngImagePlugin.putchunk(self._stream, kind, content)
            elif kind == b"IDAT":
                PngImagePlugin.putchunk(self._stream, b"fdAT", struct.pack(">I", self._next()) + content)

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence - 1

    def finish(self) -> None:
        """Write the end chunk."""
        PngImagePlugin.putchunk(self._stream, b"IEND", b"")


class Webp(Animation):
    """Animated WebP: the data of single WebP pictures in ANMF chunks (WebP container specification)."""

    def __init__(
        self,
        stream: IO[bytes],
        frames: int,
        loop: int | None,
        icc_profile: bytes | None,
        *,
        quality: int | None,
    ) -> None:
        super().__init__(stream, frames, loop, icc_profile)
        self._quality = quality

    def _begin(self, image: Image.Image) -> None:
        flags = _WEBP_ANIMATION | _WEBP_ALPHA | (_WEBP_ICC if self._icc_profile else 0)
        size = b"".join(_uint24(side - 1) for side in image.size)
        self._stream.write(b"RIFF\0\0\0\0WEBP" + _riff(b"VP8X", struct.pack("<I", flags) + size))
        if self._icc_profile:
            self._stream.write(_riff(b"ICCP", self._icc_profile))
        self._stream.write(_riff(b"ANIM", struct.pack("<IH", 0, self._loop or 0)))

    def _write(self, image: Image.Image, duration: Fraction) -> None:
        encoded = io.BytesIO()
        save_webp(image, encoded, self._quality, None)
        chunks = webp_chunks(encoded.getvalue())
        picture = b"".join(_riff(kind, content) for kind, content in chunks if kind in _WEBP_PICTURE)
        width, height = image.size
        milliseconds = min(round(duration * 1000), (1 << 24) - 1)
        head = b"".join(_uint24(v) for v in (0, 0, width - 1, height - 1, milliseconds))
        clear_and_replace = b"\x03"  # no blending, and the canvas is cleared behind each frame
        self._stream.write(_riff(b"ANMF", head + clear_and_replace + picture))

    def finish(self) -> None:
        """Write the size of the whole file into its head."""
        size = self._stream.tell()
        self._stream.seek(4)
        self._stream.write(struct.pack("<I", size - 8))
        self._stream.seek(size)


def save_webp(image: Image.Image, stream: IO[bytes], quality: int | None, icc_profile: bytes | None) -> None:
    """Encode one WebP picture, with loss at a quality of 0 to 100, or without loss when it is None."""
    options = {"lossless": quality is None, "quality": quality or 75, "exact": True}  # what is black stays so
    image.save(stream, "WEBP", icc_profile=icc_profile, **options)


def _riff(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _uint24(value: int) -> bytes:
    return value.to_bytes(3, "little")
