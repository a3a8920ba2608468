"""What a file is, told by its content and never by its name."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from eyelid.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from pathlib import Path

HEAD_BYTES = 4096

_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
_AUDIO_BRANDS = {b"M4A ", b"M4B ", b"M4P "}
_OTHER_BRANDS = {b"crx ": "a camera raw file", b"jp2 ": "a JPEG 2000 picture", b"jxl ": "a JPEG XL picture"}
_QUICKTIME_ATOMS = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}

_FOREIGN: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a zip archive or an office document"),
    (0, b"PK\x05\x06", "a zip archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"\xfd7zXZ\x00", "an xz archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"BM", "a BMP picture"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"\x00\x00\x01\x00", "an icon"),
    (0, b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (0, b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (8, b"CR\x02", "a camera raw file"),
    (0, b"FUJIFILMCCD-RAW", "a camera raw file"),
    (0, b"IIU\x00", "a camera raw file"),
    (0, b"IIRO", "a camera raw file"),
    (0, b"OggS", "an Ogg file"),
    (0, b"ID3", "an audio file"),
    (0, b"fLaC", "an audio file"),
    (0, b"FLV\x01", "a Flash video"),
    (0, b"\x30\x26\xb2\x75", "a Windows Media file"),
    (0, b"\x00\x00\x01\xba", "an MPEG program stream"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a program"),
)


class MediaKind(StrEnum):
    """The two kinds of media; animated and multi-page pictures are stills with several pages."""

    STILL = "still"
    VIDEO = "video"


class MediaFormat(StrEnum):
    """The file formats that eyelid reads."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WEBP"
    TIFF = "TIFF"
    GIF = "GIF"
    HEIF = "HEIF"
    MP4 = "MP4"
    MATROSKA = "Matroska"
    AVI = "AVI"

    @property
    def kind(self) -> MediaKind:
        """Whether the format holds stills or video."""
        video = {MediaFormat.MP4, MediaFormat.MATROSKA, MediaFormat.AVI}
        return MediaKind.VIDEO if self in video else MediaKind.STILL


STILL_SUFFIXES = {
    MediaFormat.JPEG: (".jpg", ".jpeg", ".jpe", ".jfif"),
    MediaFormat.PNG: (".png", ".apng"),
    MediaFormat.WEBP: (".webp",),
    MediaFormat.TIFF: (".tif", ".tiff"),
    MediaFormat.GIF: (".gif",),
    MediaFormat.HEIF: (".heic", ".heif", ".hif"),
}
"""The endings of file names that other programs take for a still of each format."""

CONTAINERS = {
    ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".avi": "avi",
}  # fmt: skip
"""The endings of file names that a video may be written under, and FFmpeg's name of each container."""


def sniff(path: Path) -> MediaKind:
    """Tell by its content whether a file is a still or a video.

    Raises InputError (missing, empty, unreadable, a folder) and UnsupportedError (anything else than media).
    """
    return sniff_format(path).kind


def sniff_format(path: Path) -> MediaFormat:
    """Tell the format of a file from its first bytes; raises as :func:`sniff` does."""
    head = _read_head(path)
    known = _still_format(head) or _video_format(head)
    foreign = _foreign(head)
    if foreign is not None:
        raise UnsupportedError(
            f"{path} is {foreign}; eyelid takes JPEG, PNG, WebP, TIFF, HEIC, GIF, MP4, MOV, MKV, WebM and AVI"
        )
    if known is None:
        raise UnsupportedError(
            f"{path} is not a photo or video that eyelid knows; it takes JPEG, PNG, WebP, TIFF, HEIC, GIF, "
            "MP4, MOV, MKV, WebM and AVI"
        )
    return known


def _read_head(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder, not a file; name one of the files in it")
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is not a regular file; copy its content to a file first")
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; check the name") from None
    except PermissionError:
        raise InputError(f"{path} may not be read; check its permissions") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); check the name and the disk") from error
    if not head:
        raise InputError(f"{path} is empty; copy it again from its source")
    return head


def _still_format(head: bytes) -> MediaFormat | None:
    if head.startswith(b"\xff\xd8\xff"):
        return MediaFormat.JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return MediaFormat.PNG
    if head.startswith((b"GIF87a", b"GIF89a")):
        return MediaFormat.GIF
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return MediaFormat.WEBP
    if head.startswith((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")):
        return MediaFormat.TIFF
    if _brands(head)[:1] and _brands(head)[0] in _HEIF_BRANDS and not _AVIF_BRANDS & set(_brands(head)):
        return MediaFormat.HEIF
    return None


def _video_format(head: bytes) -> MediaFormat | None:
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return MediaFormat.MATROSKA
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return MediaFormat.AVI
    if head[4:8] == b"ftyp" or head[4:8] in _QUICKTIME_ATOMS:
        return MediaFormat.MP4
    return None


def _brands(head: bytes) -> list[bytes]:
    """Return the major brand and the compatible brands of an ISO base media file, or nothing."""
    if head[4:8] != b"ftyp":
        return []
    box = head[: int.from_bytes(head[:4], "big")]
    return [box[8:12], *(box[i : i + 4] for i in range(16, len(box) - 3, 4))]


def _foreign(head: bytes) -> str | None:
    """Name what a file is when it is sound but not for eyelid, or return None."""
    for offset, magic, name in _FOREIGN:
        if head.startswith(magic, offset):
            return name
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return "an audio file"
    brands = _brands(head)
    if brands:
        if brands[0] in _AVIF_BRANDS or (brands[0] in _HEIF_BRANDS and _AVIF_BRANDS & set(brands)):
            return "an AVIF picture"
        if brands[0] in _AUDIO_BRANDS:
            return "an audio file"
        if brands[0] in _OTHER_BRANDS:
            return _OTHER_BRANDS[brands[0]]
    gif = _still_format(head) is MediaFormat.GIF  # which begins with the same letter
    if not gif and len(head) > 376 and head[0] == head[188] == head[376] == 0x47:
        return "an MPEG transport stream"
    return _text(head)


def _text(head: bytes) -> str | None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = head.decode("utf-16", errors="replace")
    elif b"\x00" in head:
        return None
    else:
        try:
            text = head.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            if (
                error.start < len(head) - 3
            ):  # a character cut at the end of the head is no sign of binary data
                return None
            text = head[: error.start].decode("utf-8-sig")
    start = text.lstrip().lower()
    if "<svg" in start[:2000]:
        return "an SVG drawing"
    if start.startswith(("<!doctype html", "<html")):
        return "a web page"
    printable = sum(c.isprintable() or c.isspace() for c in text)
    return "a text file" if printable >= 0.95 * len(text) else None
