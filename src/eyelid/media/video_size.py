"""How long a video file says it is, so that one cut short is known before hours are spent on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from io import BufferedReader
    from pathlib import Path

_EBML: Final = b"\x1a\x45\xdf\xa3"
_SEGMENT: Final = b"\x18\x53\x80\x67"
_MOST_BOXES: Final = 100_000


def declared_size(path: Path) -> int:
    """Return the bytes that the outermost boxes of an MP4, Matroska or AVI file claim; 0 where none does."""
    with path.open("rb") as file:
        head = file.read(12)
        file.seek(0)
        if head.startswith(_EBML):
            return _matroska(file)
        if head.startswith(b"RIFF") and head.endswith(b"AVI "):
            return _riff(file)
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            return _boxes(file)
    return 0


def _boxes(file: BufferedReader) -> int:
    """ISO/IEC 14496-12, 4.2: a size of 1 means that 64 bits follow, 0 that the box ends with the file."""
    end = 0
    for _ in range(_MOST_BOXES):
        file.seek(end)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if len(head) < 8 or size < 8 or not head[4:8].isalnum():
            return end
        end += size
    return end


def _riff(file: BufferedReader) -> int:
    """Long AVI files are several RIFF chunks in a row (OpenDML)."""
    end = 0
    while True:
        file.seek(end)
        head = file.read(8)
        size = int.from_bytes(head[4:8], "little")
        if len(head) < 8 or not head.startswith(b"RIFF") or size == 0:
            return end
        end += 8 + size


def _matroska(file: BufferedReader) -> int:
    """RFC 8794, 4: one element of EBML, then the segment; a size of all ones is unknown."""
    file.seek(len(_EBML))
    file.seek(_length(file) or 0, 1)
    if file.read(len(_SEGMENT)) != _SEGMENT:
        return 0
    size = _length(file)
    return file.tell() + size if size is not None else 0


def _length(file: BufferedReader) -> int | None:
    first = file.read(1)
    if not first or not first[0]:
        return 0
    width = 8 - first[0].bit_length() + 1
    bits = int.from_bytes(first + file.read(width - 1), "big") & ((1 << 7 * width) - 1)
    return None if bits == (1 << 7 * width) - 1 else bits
