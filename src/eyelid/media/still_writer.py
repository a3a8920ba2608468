"""Stills out: the same format, quality, depth and timing as the input, made of pixels alone."""

from __future__ import annotations

import io
from contextlib import closing, contextmanager
from fractions import Fraction
from typing import IO, TYPE_CHECKING

import numpy as np
from PIL import Image, TiffImagePlugin

from eyelid.errors import EyelidError, OutputError
from eyelid.media import still_deep, still_heif
from eyelid.media.kinds import MediaFormat
from eyelid.media.still_animation import Animation, Apng, Gif, Webp, save_webp
from eyelid.media.still_info import PageEncoding, StillInfo
from eyelid.media.still_pixels import to_pillow
from eyelid.media.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from pillow_heif import HeifFile

    from eyelid.types import Plane, SafeFrame

WEBP_QUALITY = 90
TIFF_COMPRESSIONS = {"raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "group3", "group4"}
_MAX_GIF_COLOURS = 255


class StillWriter(Writer):
    """Write safe frames as a still of the same kind as the one that ``like`` describes.

    Nothing of the input comes along but its ICC profile; encoding parameters travel in ``like`` and in the
    carrier of each frame. Raises OutputError.
    """

    def __init__(self, path: Path, like: StillInfo) -> None:
        self._path = path
        self._like = like
        self._stream = _Sink(io.FileIO(path, "w+"))
        self._animation: Animation | None = None
        self._tiff: _TiffPages | None = None
        self._heif: HeifFile | None = None
        self._written = 0

    def write(self, frame: SafeFrame) -> None:
        """Write the next page or frame."""
        page = frame.carrier
        if not isinstance(page, PageEncoding):
            raise OutputError(f"{self._path} takes frames of a still only; read them with StillReader")
        if self._written == self._like.pages:
            raise OutputError(f"{self._path} takes {self._like.pages} pages, as its input has; one more came")
        with self._encoding():
            self._writers()[self._like.encoding.format](frame.planes, page)
        self._written += 1

    def close(self) -> None:
        """Finish the file; raises OutputError when pages are missing."""
        try:
            if self._written != self._like.pages:
                raise OutputError(f"{self._path} has {self._written} of {self._like.pages} pages; write all")
            with self._encoding():
                if self._animation is not None:
                    self._animation.finish()
                if self._tiff is not None:
                    self._tiff.close()
                if self._heif is not None:
                    still_heif.save(self._heif, self._stream)
                self._stream.flush()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go of the file; what is written so far is of no use."""
        self._stream.abandon()

    @contextmanager
    def _encoding(self) -> Iterator[None]:
        """Turn what an encoder raises into one sentence; errors of the disk pass, they say more."""
        try:
            yield
        except Exception as error:
            if isinstance(error, EyelidError) or getattr(error, "errno", None):
                raise
            kind = self._like.format
            raise OutputError(f"{self._path} cannot be encoded as {kind}; convert the input first") from error

    def _writers(self) -> dict[MediaFormat, Callable[[tuple[Plane, ...], PageEncoding], None]]:
        return {
            MediaFormat.JPEG: self._write_jpeg,
            MediaFormat.PNG: self._write_png,
            MediaFormat.WEBP: self._write_webp,
            MediaFormat.TIFF: self._write_tiff,
            MediaFormat.GIF: self._write_gif,
            MediaFormat.HEIF: self._write_heif,
        }

    def _write_jpeg(self, planes: tuple[Plane, ...], page: PageEncoding) -> None:
        jpeg = self._like.encoding.jpeg
        if jpeg is None:
            raise OutputError(f"{self._path} cannot be written as JPEG; its input is none")
        to_pillow(planes, page.mode).save(
            self._stream,
            "JPEG",
            qtables=[list(table) for table in jpeg.tables],
            subsampling=jpeg.subsampling,
            progressive=jpeg.progressive,
            keep_rgb=jpeg.stores_rgb,
            icc_profile=page.icc_profile,
        )

    def _write_png(self, planes: tuple[Plane, ...], page: PageEncoding) -> None:
        if self._like.encoding.animated:
            self._animate(Apng, to_pillow(planes, page.mode), page)
        elif page.mode in {"RGB;16", "RGBA;16"}:
            still_deep.write_png(self._stream, planes, page.icc_profile)
        else:
            image = to_pillow(planes, page.mode)
            image.save(self._stream, "PNG", icc_profile=page.icc_profile)

    def _write_webp(self, planes: tuple[Plane, ...], page: PageEncoding) -> None:
        opaque = len(planes) == 4 and bool((planes[3].samples == planes[3].peak).all())
        image = to_pillow(planes[:3] if opaque and not self._like.encoding.animated else planes, page.mode)
        quality = None if self._like.encoding.lossless else WEBP_QUALITY
        if self._like.encoding.animated:
            animation = self._animation or Webp(
                self._stream, self._like.pages, self._like.encoding.loop, page.icc_profile, quality=quality
            )
            self._animation = animation
            animation.add(image, page.duration or Fraction(0))
        else:
            save_webp(image, self._stream, quality, page.icc_profile)

    def _write_gif(self, planes: tuple[Plane, ...], page: PageEncoding) -> None:
        image = to_pillow(planes, "P")
        if image.mode != "P":
            image = _quantise(image)
        table = image.info.pop("transparency", b"")
        if 0 in table:
            image.info["transparency"] = table.index(0)
        self._animate(Gif, image, page)

    def _write_tiff(self, planes: tuple[Plane, ...], page: PageEncoding) -> None:
        self._tiff = self._tiff or _TiffPages(self._stream)
        if page.mode in {"RGB;16", "RGBA;16"}:
            still_deep.write_tiff_page(self._tiff, planes, page.icc_profile)
        else:
            image = to_pillow(planes, page.mode)
            image.save(self._tiff, "TIFF", compression=page.compression, icc_profile=page.icc_profile)
        self._tiff.newFrame()

    def _write_heif(self, planes: tuple[Plane, ...], page: PageEncoding) -> None:
        self._heif = self._heif or still_heif.new_file()
        still_heif.add_page(self._heif, planes, page)

    def _animate(self, container: type[Gif | Apng], image: Image.Image, page: PageEncoding) -> None:
        self._animation = self._animation or container(
            self._stream, self._like.pages, self._like.encoding.loop, page.icc_profile
        )
        self._animation.add(image, page.duration or Fraction(0))


def write_lossless(path: Path, frames: Iterable[SafeFrame]) -> None:
    """Write frames so that every sample is exactly kept: PNG for a name ending in .png, else pages of TIFF.

    PNG holds one frame, not CMYK. Luma and chroma planes are refused: read with ``Decode.RGB`` for this.
    Raises OutputError.
    """
    as_png = path.suffix.lower() == ".png"
    with closing(_Sink(io.FileIO(path, "w+"))) as stream:
        tiff = None if as_png else _TiffPages(stream)
        for number, frame in enumerate(frames):
            names = "".join(plane.name for plane in frame.planes)
            if names == "LCbCr" or (as_png and (number or names == "CMYK")):
                raise OutputError(
                    f"{path} cannot hold these pixels exactly; name an output that ends in .tiff"
                )
            deep = len(names) > 1 and frame.planes[0].samples.dtype == np.uint16
            icc_profile = frame.carrier.icc_profile if isinstance(frame.carrier, PageEncoding) else None
            target: IO[bytes] = tiff or stream
            if deep:
                write = still_deep.write_tiff_page if tiff else still_deep.write_png
                write(target, frame.planes, icc_profile)
            else:
                options = {"compression": "tiff_adobe_deflate"} if tiff else {}
                image = to_pillow(frame.planes, names)
                image.save(target, "TIFF" if tiff else "PNG", icc_profile=icc_profile, **options)
            if tiff:
                tiff.newFrame()
        if tiff:
            tiff.close()


def _quantise(image: Image.Image) -> Image.Image:
    """Choose a palette for a frame of more than 256 colours; half transparent and clearer becomes clear."""
    palette = image.convert("RGB").quantize(_MAX_GIF_COLOURS, dither=Image.Dither.NONE)
    if "A" in image.getbands():
        clear = image.getchannel("A").point([255] * 128 + [0] * 128)
        palette.paste(_MAX_GIF_COLOURS, mask=clear)
        palette.info["transparency"] = b"\xff" * _MAX_GIF_COLOURS + b"\0"
    return palette


class _Sink(io.BufferedRandom):
    """A file without a descriptor for Pillow, whose own writing in C would hide why a write fails."""

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")

    def abandon(self) -> None:
        """Close without writing what is still buffered."""
        self.raw.close()


class _TiffPages(TiffImagePlugin.AppendingTiffWriter):
    """Pillow's writer of pages, which the garbage collector closes again when the file is long closed."""

    def close(self) -> None:
        if not self.f.closed:
            super().close()
