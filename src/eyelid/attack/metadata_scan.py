"""What a file still says besides its pictures, found by walking its bytes and not by eyelid's own readers.

Containers are walked by their published structure, and the whole file is searched for the beginnings of
metadata blocks, wherever they stand. Names are returned, never values.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator
    from mmap import mmap

    Data: TypeAlias = "bytes | mmap"

_ANYWHERE: Final = (
    (re.compile(rb"http://ns\.adobe\.com/xap/1\.0/|<x:xmpmeta|<rdf:RDF"), "XMP"),
    (re.compile(rb"Photoshop 3\.0\0|8BIM\x04\x04"), "Photoshop resources and IPTC"),
)
_PICTURE: Final = re.compile(rb"\xff\xd8\xff[\xe0\xe1\xdb]")
_EXIF: Final = re.compile(rb"Exif\0\0(?=II\*\0|MM\0\*)")
_TAGS: Final = {
    0x010F: "camera make and model",
    0x0110: "camera make and model",
    0x0132: "date and time",
    0x8825: "GPS position",
    0x9003: "date and time",
    0x9004: "date and time",
    0x927C: "maker note",
    0xA430: "owner name",
    0xA431: "camera serial number",
    0xA435: "lens serial number",
}
_HARMLESS_TAGS: Final = {0x0112, 0x011A, 0x011B, 0x0128, 0x0213, 0x8769}
"""Orientation, resolution, position of chroma samples, and the pointer to more tags."""
_PNG_PIXELS: Final = set(
    b"IHDR PLTE IDAT IEND tRNS acTL fcTL fdAT iCCP sBIT bKGD hIST sRGB gAMA cHRM pHYs cICP mDCV cLLI".split()
)
_PNG_NAMES: Final = {
    b"tEXt": "text",
    b"zTXt": "text",
    b"iTXt": "text",
    b"eXIf": "EXIF",
    b"tIME": "date and time",
}
_RIFF_NAMES: Final = {b"XMP ": "XMP", b"IDIT": "date and time", b"strn": "track names"}
_AVI_RESERVE: Final = re.compile(rb"(odmldmlh\xf8|\x04\0{7}\d\d[dw][bc])?\0*")
"""Room that writers keep for the index of a long film."""
_BOXES: Final = {b"moov", b"trak", b"mdia", b"minf", b"udta", b"meta", b"ilst", b"edts"}
_BOX_NAMES: Final = {
    b"\xa9xyz": "GPS position",
    b"loci": "GPS position",
    b"covr": "cover art",
    b"uuid": "private boxes",
    b"chpl": "chapters",
    b"\xa9too": "software name",
    b"\xa9swr": "software name",
    b"\xa9day": "date and time",
}
_HANDLERS: Final = {
    b"text": "subtitles",
    b"sbtl": "subtitles",
    b"subt": "subtitles",
    b"clcp": "subtitles",
    b"tmcd": "time code",
    b"meta": "data streams",
    b"camm": "data streams",
}
_USUAL_HANDLER_NAMES: Final = {b"", b"VideoHandler", b"SoundHandler", b"DataHandler"}
_EBML_MASTERS: Final = {0x18538067, 0x1549A966, 0x1654AE6B, 0xAE, 0x1254C367, 0x7373, 0x67C8}
_EBML_NAMES: Final = {
    0x7BA9: "title",
    0x4461: "date and time",
    0x7384: "file name",
    0x1941A469: "attachments",
    0x1043A770: "chapters",
    0x536E: "track names",
}
_EBML_APP, _EBML_WRITER, _EBML_TRACK_TYPE, _EBML_TAG_NAME = 0x4D80, 0x5741, 0x83, 0x45A3
_EBML_UNTYPED_TRACKS: Final = {0x11: "subtitles", 0x21: "data streams"}


def leftovers(data: Data) -> tuple[str, ...]:
    """Name the kinds of metadata in the bytes of a photo or video, in the order found, each once."""
    names = [name for pattern, name in _ANYWHERE if pattern.search(data)]
    head = bytes(data[:16])
    if head.startswith(b"\xff\xd8"):
        names += _jpeg(data)
    elif head.startswith(b"\x89PNG"):
        names += _png(data)
    elif head.startswith(b"RIFF"):
        names += _riff(data, 12, len(data))
    elif head.startswith(b"GIF8"):
        names += ["comment"] * (re.search(rb"\x00\x21\xfe[\x01-\xff]", data) is not None)
    elif head.startswith((b"II", b"MM")):
        names += [name for name in _tiff(bytes(data)) if name != "embedded thumbnail"]  # a second page
    elif head.startswith(b"\x1a\x45\xdf\xa3"):
        names += _ebml(data, 0, len(data))
    elif head[4:8] in {b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"}:
        names += _boxes(data, 0, len(data))
    for found in _EXIF.finditer(data):
        names += _tiff(bytes(data[found.end() : found.end() + (1 << 16)]))
    return tuple(dict.fromkeys(names))


def _jpeg(data: Data) -> Iterator[str]:
    position, size = 2, len(data)
    while position + 4 <= size and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        content = bytes(data[position + 4 : position + 2 + length])
        if marker == 0xD9:
            break
        if marker == 0xE0 and (
            content.startswith(b"JFXX") or (content[:4] == b"JFIF" and any(content[12:14]))
        ):
            yield "embedded thumbnail"
        elif marker == 0xE2 and not content.startswith(b"ICC_PROFILE"):
            yield "secondary pictures" if content.startswith(b"MPF") else "application data"
        elif marker == 0xFE:
            yield "comment"
        elif 0xE3 <= marker <= 0xEF and marker not in {0xED, 0xEE}:
            yield "application data"
        position += 2 + length
        if marker == 0xDA:
            following = re.compile(rb"\xff[^\0\xd0-\xd7\xff]").search(data, position)
            position = following.start() if following else size
    rest = bytes(data[position + 2 :])
    if rest.strip(b"\0\xff"):
        yield "embedded picture" if _PICTURE.search(rest) else "data after the picture"


def _tiff(block: bytes) -> list[str]:
    """Name what stands in a TIFF structure: that of EXIF, or that of a whole file."""
    if block[2:4] in {b"+\0", b"\0+"}:
        return ["BigTIFF directories, which were not read"]
    order = "<" if block[:2] == b"II" else ">"
    names: list[str] = []
    seen: set[int] = set()
    pending = [(struct.unpack_from(order + "I", block, 4)[0], False)] if len(block) >= 8 else []
    while pending:
        at, second = pending.pop()
        if at in seen or at + 2 > len(block) or not at:
            continue
        seen.add(at)
        names += ["embedded thumbnail"] * second
        count = struct.unpack_from(order + "H", block, at)[0]
        for entry in range(at + 2, min(at + 2 + 12 * count, len(block) - 11), 12):
            tag, _, _, value = struct.unpack_from(order + "HHII", block, entry)
            if tag == 0x8769:
                pending.append((value, False))
            if not second and (
                tag in _TAGS or (tag >= 0x8298 and tag not in _HARMLESS_TAGS | {0x8773, 0x8649})
            ):
                names.append(_TAGS.get(tag, "EXIF"))
        link = at + 2 + 12 * count
        if link + 4 <= len(block):
            pending.append((struct.unpack_from(order + "I", block, link)[0], True))
    return names


def _png(data: Data) -> Iterator[str]:
    position, kind = 8, b""
    while position + 12 <= len(data) and kind != b"IEND":
        length, kind = (
            int.from_bytes(data[position : position + 4], "big"),
            bytes(data[position + 4 : position + 8]),
        )
        if kind not in _PNG_PIXELS:
            yield _PNG_NAMES.get(kind, "private chunks")
        if kind == b"eXIf":
            yield from _tiff(bytes(data[position + 8 : position + 8 + length]))
        position += 12 + length
    if bytes(data[position:]).strip(b"\0"):
        yield "data after the picture"


def _riff(data: Data, position: int, end: int) -> Iterator[str]:
    while position + 8 <= end:
        kind, size = (
            bytes(data[position : position + 4]),
            int.from_bytes(data[position + 4 : position + 8], "little"),
        )
        start = position + 8
        if kind == b"LIST" and data[start : start + 4] == b"INFO":
            parts = _riff_kinds(data, start + 4, start + size)
            yield from ("software name" if part == b"ISFT" else "titles and comments" for part in parts)
        elif kind == b"LIST" and data[start : start + 4] != b"movi":
            yield from _riff(data, start + 4, start + size)
        elif kind == b"JUNK" and not _AVI_RESERVE.fullmatch(data, start, start + size):
            yield "padding that is not empty"
        elif kind == b"EXIF":
            yield from _tiff(bytes(data[start : start + size]).removeprefix(b"Exif\0\0"))
        elif kind in _RIFF_NAMES:
            yield _RIFF_NAMES[kind]
        position = start + size + size % 2


def _riff_kinds(data: Data, position: int, end: int) -> Iterator[bytes]:
    while position + 8 <= end:
        yield bytes(data[position : position + 4])
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        position += 8 + size + size % 2


def _boxes(data: Data, position: int, end: int, inside: bytes = b"") -> Iterator[str]:
    while position + 8 <= end:
        size, kind = (
            int.from_bytes(data[position : position + 4], "big"),
            bytes(data[position + 4 : position + 8]),
        )
        start = position + 8
        if size == 1:
            size, start = int.from_bytes(data[start : start + 8], "big"), start + 8
        stop = end if size == 0 else min(end, position + size)
        if size and size < start - position:
            return
        content = b"" if kind == b"mdat" else bytes(data[start : min(stop, start + (1 << 20))])
        yield from _box(kind, content, inside)
        if kind in _BOXES:
            skip = 4 if kind == b"meta" and content[4:8] != b"hdlr" else 0  # a full box, but in QuickTime
            yield from _boxes(data, start + skip, stop, kind)
        position = stop


def _box(kind: bytes, content: bytes, inside: bytes) -> Iterator[str]:
    if kind in _BOX_NAMES:
        yield _BOX_NAMES[kind]
    elif inside in {b"ilst", b"udta"} and kind not in {b"meta", b"hdlr", b"ilst"} and content:
        yield "titles and comments"
    elif kind in {b"mvhd", b"tkhd", b"mdhd"} and any(content[4 : 20 if content[:1] == b"\1" else 12]):
        yield "date and time"
    elif kind == b"hdlr" and inside == b"mdia":
        if content[8:12] in _HANDLERS:
            yield _HANDLERS[content[8:12]]
        if content[24:].strip(b"\0").lstrip(b"\x0c\x0d") not in _USUAL_HANDLER_NAMES:
            yield "track names"
    elif kind in {b"free", b"skip", b"wide"} and content.strip(b"\0"):
        yield "padding that is not empty"
    elif kind == b"iinf":
        yield from (name for item, name in ((b"Exif", "EXIF"), (b"mime", "XMP")) if item in content)
    elif kind == b"iref" and b"thmb" in content:
        yield "embedded thumbnail"


def _ebml(data: Data, position: int, end: int) -> Iterator[str]:
    while position < end:
        name, position = _number(data, position, keep_length=True)
        size, position = _number(data, position, keep_length=False)
        stop = end if size is None else min(end, position + size)
        if name is None:
            return
        content = bytes(data[position : min(stop, position + 4096)])
        if name in _EBML_MASTERS:
            yield from _ebml(data, position, stop)
        elif name in _EBML_NAMES and content.strip(b"\0"):
            yield _EBML_NAMES[name]
        elif name in {_EBML_APP, _EBML_WRITER} and content.strip(b"\0") not in {b"", b"Lavf"}:
            yield "software name"
        elif name == _EBML_TRACK_TYPE and content[-1:] and content[-1] in _EBML_UNTYPED_TRACKS:
            yield _EBML_UNTYPED_TRACKS[content[-1]]
        elif name == _EBML_TAG_NAME and content != b"DURATION":
            yield "software name" if content == b"ENCODER" else "titles and comments"
        position = stop


def _number(data: Data, position: int, *, keep_length: bool) -> tuple[int | None, int]:
    """Read a number of variable length (RFC 8794, 4); None where it says unknown or is none."""
    first = data[position] if position < len(data) else 0
    length = 9 - first.bit_length()
    if length > 8:
        return None, len(data)
    value = int.from_bytes(data[position : position + length], "big")
    if not keep_length:
        value &= (1 << 7 * length) - 1
        if value == (1 << 7 * length) - 1:
            return None, position + length
    return value, position + length
