"""Stills in: JPEG, PNG, WebP, TIFF, GIF and HEIC, page by page."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Self

from PIL import (
    ExifTags,
    GifImagePlugin,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from eyelid.errors import EyelidError, InputError, UnsupportedError
from eyelid.media import still_heif
from eyelid.media.kinds import MediaFormat, MediaKind, sniff_format
from eyelid.media.metadata import metadata_of
from eyelid.media.still_chunks import webp_chunks
from eyelid.media.still_deep import decode_deep, is_deep
from eyelid.media.still_info import PageEncoding, StillEncoding, StillInfo
from eyelid.media.still_jpeg import decode_native, has_known_sampling, read_encoding
from eyelid.media.still_pixels import Pixels, from_pillow, orient
from eyelid.media.still_tiff import hush_libtiff
from eyelid.media.still_writer import TIFF_COMPRESSIONS, WEBP_QUALITY, StillWriter, write_lossless
from eyelid.types import RawFrame

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

__all__ = ["Decode", "StillInfo", "StillReader", "StillWriter", "write_lossless"]

MAX_PIXELS = 200_000_000
PLUGINS: dict[MediaFormat, type[ImageFile.ImageFile]] = {
    MediaFormat.JPEG: JpegImagePlugin.JpegImageFile,
    MediaFormat.PNG: PngImagePlugin.PngImageFile,
    MediaFormat.WEBP: WebPImagePlugin.WebPImageFile,
    MediaFormat.TIFF: TiffImagePlugin.TiffImageFile,
    MediaFormat.GIF: GifImagePlugin.GifImageFile,
}
_ALWAYS_ALPHA = {MediaFormat.GIF, MediaFormat.WEBP}  # whose writers drop alpha where all is opaque
_DNG_VERSION, _SUB_IFDS, _SUBFILE_TYPE = 50706, 330, 254
_REDUCED_OR_MASK = 0b101
_BITS_PER_SAMPLE = 258


class Decode(StrEnum):
    """Into which planes a JPEG is decoded; all other formats have but one way.

    NATIVE gives luma and chroma as stored, so that what is not touched is encoded again almost without loss.
    RGB gives exactly the pixels that ``PIL.Image.open(path).convert("RGB")`` gives, for pixels that must be
    restored exactly later.
    """

    NATIVE = "native"
    RGB = "rgb"


class StillReader:
    """Read a still page by page, orientation applied; a context manager, iterable more than once.

    ``info`` says what the file is. Raises InputError (missing, damaged, a page of more than ``max_pixels``
    pixels) and UnsupportedError, on opening or at the first page that is damaged.
    """

    def __init__(self, path: Path, *, max_pixels: int = MAX_PIXELS, decode: Decode = Decode.NATIVE) -> None:
        self._path = path
        self._max_pixels = max_pixels
        self._decode = decode
        self._format = sniff_format(path)
        if self._format.kind is MediaKind.VIDEO:
            raise UnsupportedError(f"{path} is a video; open it as a video")
        self._page_numbers: Sequence[int] = ()
        self._orientation = 1
        with _decoding(path):
            self.info = self._describe_heif() if self._format is MediaFormat.HEIF else self._describe()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing stays open between pages of a reader that is not iterated."""

    def __iter__(self) -> Iterator[RawFrame]:
        time = Fraction(0)
        pages = self._heif_pages() if self._format is MediaFormat.HEIF else self._pillow_pages()
        for index in range(self.info.pages):
            with _decoding(self._path):
                pixels, page = next(pages)
            yield RawFrame(
                width=pixels.width,
                height=pixels.height,
                planes=pixels.planes(),
                render=pixels.render,
                index=index,
                time=time if self.info.encoding.animated else None,
                carrier=page,
            )
            time += page.duration or 0

    def _open(self) -> ImageFile.ImageFile:
        if self._format is MediaFormat.TIFF:
            hush_libtiff()
        # not Image.open: its limit of pixels is a setting of the whole process, ours is not
        return PLUGINS[self._format](self._path)

    def _describe(self) -> StillInfo:
        with self._open() as image:
            width, height = _stored_size(image)
            self._check_size(width, height)
            changes = _changes(image)
            dropped = list(metadata_of(self._path, image))
            orientation = self._orientation = _orientation(image, dropped)
            self._page_numbers = range(getattr(image, "n_frames", 1))
            if isinstance(image, TiffImagePlugin.TiffImageFile):
                self._choose_tiff_pages(image, dropped, changes)
            elif image.info.get("default_image"):
                self._page_numbers = self._page_numbers[1:]
                dropped.append("still picture beside the animation")
            jpeg = None
            if isinstance(image, JpegImagePlugin.JpegImageFile):
                jpeg = read_encoding(image, orientation)
            animated = self._format is not MediaFormat.TIFF and len(self._page_numbers) > 1
            encoding = StillEncoding(
                format=self._format,
                animated=animated,
                loop=image.info.get("loop"),
                lossless=not _is_lossy_webp(self._path, self._format),
                jpeg=jpeg,
            )
        if not encoding.lossless:
            changes.append(f"WebP is encoded again with loss, at quality {WEBP_QUALITY}")
        if animated:
            changes.append("every frame of the animation is written whole, in PNG and WebP with alpha")
        return StillInfo(
            path=self._path,
            format=self._format.value,
            width=height if orientation > 4 else width,
            height=width if orientation > 4 else height,
            pages=len(self._page_numbers),
            dropped=tuple(dict.fromkeys(dropped)),
            changes=tuple(dict.fromkeys(changes)),
            encoding=encoding,
        )

    def _describe_heif(self) -> StillInfo:
        info = still_heif.describe(self._path, still_heif.open_heif(self._path))
        self._check_size(info.width, info.height)
        return info

    def _choose_tiff_pages(
        self, image: TiffImagePlugin.TiffImageFile, dropped: list[str], changes: list[str]
    ) -> None:
        """Leave out thumbnails and masks, and refuse camera raw files, which show a thumbnail only."""
        tags = image.tag_v2
        if _DNG_VERSION in tags or (_SUB_IFDS in tags and tags.get(_SUBFILE_TYPE, 0) & 1):
            raise UnsupportedError(f"{self._path} is a camera raw file; export it as TIFF or JPEG first")
        whole = []
        for number in self._page_numbers:
            image.seek(number)
            if not image.tag_v2.get(_SUBFILE_TYPE, 0) & _REDUCED_OR_MASK:
                whole.append(number)
                changes += _changes(image)
        image.seek(0)
        if whole and len(whole) < len(self._page_numbers):
            dropped.append("embedded thumbnail")
            self._page_numbers = whole

    def _pillow_pages(self) -> Iterator[tuple[Pixels, PageEncoding]]:
        with self._open() as image:
            for number in self._page_numbers:
                image.seek(number)
                self._check_size(*_stored_size(image))
                yield self._page(image, number)

    def _page(self, image: ImageFile.ImageFile, number: int) -> tuple[Pixels, PageEncoding]:
        deep = is_deep(image) and not self.info.encoding.animated
        compression = image.info.get("compression")
        if self.info.encoding.jpeg and self._decode is Decode.NATIVE:
            pixels = decode_native(self._path, self.info.encoding.jpeg, self._orientation)
        elif deep:
            image.load()  # which turns a TIFF, and fails where OpenCV would deliver half a picture
            pixels = decode_deep(self._path, number, *image.size)
        elif self._format in _ALWAYS_ALPHA or self.info.encoding.animated:
            pixels = from_pillow(image.convert("RGBA"))
        else:
            image.load()
            pixels = from_pillow(image)
        if self._format is not MediaFormat.TIFF:  # Pillow and OpenCV turn TIFF themselves
            pixels = orient(pixels, self._orientation)
        duration = image.info.get("duration")
        return pixels, PageEncoding(
            mode=_stored_mode(image, pixels, deep=deep, animated=self.info.encoding.animated),
            icc_profile=image.info.get("icc_profile") or None,
            duration=Fraction(duration).limit_denominator(1000) / 1000 if duration else None,
            compression=compression if compression in TIFF_COMPRESSIONS else "tiff_adobe_deflate",
        )

    def _heif_pages(self) -> Iterator[tuple[Pixels, PageEncoding]]:
        for image in still_heif.open_heif(self._path):
            self._check_size(*image.size)
            yield still_heif.decode(image)

    def _check_size(self, width: int, height: int) -> None:
        if width < 1 or height < 1:
            raise InputError(f"{self._path} has no pixels; copy it again from its source")
        if width * height > self._max_pixels:
            raise InputError(
                f"{self._path} has {width} x {height} pixels, more than the limit of {self._max_pixels}; "
                "scale it down, or cut it into parts"
            )


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises on damaged data into one sentence, and keep its warnings to itself."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except EyelidError:
        raise
    except MemoryError as error:
        raise InputError(f"{path} needs more memory than there is; scale it down first") from error
    except Exception as error:
        raise InputError(f"{path} is damaged or cut short; copy it again from its source") from error


def _orientation(image: ImageFile.ImageFile, metadata: Sequence[str]) -> int:
    """Return the EXIF orientation, 1 to 8, of an opened file; asking a PNG without EXIF would decode it."""
    if isinstance(image, PngImagePlugin.PngImageFile) and "EXIF" not in metadata:
        return 1
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    return orientation if orientation in range(1, 9) else 1


def _stored_size(image: ImageFile.ImageFile) -> tuple[int, int]:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return int(image.tag_v2[TiffImagePlugin.IMAGEWIDTH]), int(image.tag_v2[TiffImagePlugin.IMAGELENGTH])
    return image.size


def _stored_mode(image: ImageFile.ImageFile, pixels: Pixels, *, deep: bool, animated: bool) -> str:
    if deep:
        return pixels.mode + ";16"
    if animated:
        return "P" if image.format == "GIF" else "RGBA"
    if image.mode in {"1", "P"} and not (image.format == "TIFF" and pixels.mode in {"LA", "RGBA"}):
        return image.mode
    return "P" if image.format == "GIF" else pixels.mode


def _changes(image: ImageFile.ImageFile) -> list[str]:
    """Say what will differ in the output of an opened, not yet loaded, page."""
    changes = []
    if image.info.get("icc_profile"):
        changes.append("the colour profile (ICC) is kept, because colours would change without it")
    if image.has_transparency_data:
        changes.append("colours hidden under fully transparent pixels are made black")
    if image.mode in {"P", "PA"}:
        changes.append(
            "the palette is built anew; more than 256 colours become full colour, in GIF the nearest"
        )
    if image.mode in {"I", "F"}:
        changes.append("values of 32 bit become 16 bit, stretched over its range where they do not fit")
    if _stored_bits(image) == 16 and not is_deep(image) and not image.mode.startswith("I"):
        changes.append("16 bit a sample become 8 bit")
    if image.mode in {"YCbCr", "HSV"}:
        changes.append(f"{image.mode} becomes RGB")
    if isinstance(image, JpegImagePlugin.JpegImageFile) and not has_known_sampling(image):
        changes.append("chroma subsampling becomes 4:4:4")
    kept = {"tiff_adobe_deflate"} if is_deep(image) else TIFF_COMPRESSIONS
    if image.format == "TIFF" and image.info.get("compression") not in kept:
        changes.append("the compression becomes Deflate")
    return changes


def _stored_bits(image: ImageFile.ImageFile) -> int:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return int(max(image.tag_v2.get(_BITS_PER_SAMPLE, (8,))))
    return 16 if any("16" in str(tile.args) for tile in image.tile) else 8


def _is_lossy_webp(path: Path, kind: MediaFormat) -> bool:
    return kind is MediaFormat.WEBP and any(name == b"VP8 " for name, _ in webp_chunks(path.read_bytes()))
