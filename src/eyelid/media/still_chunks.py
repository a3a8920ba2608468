"""Walks over the parts of a still's container; each ends with (b"", what stands behind the picture)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PNG_SIGNATURE_BYTES = 8
_ANMF_HEAD_BYTES = 16
_JPEG_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")  # with a length behind it, or the end
_GIF_HEAD_BYTES, _GIF_TABLE_FLAG = 13, 0x80


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of the chunks of a PNG; raises EOFError when its end chunk is missing."""
    position, kind = PNG_SIGNATURE_BYTES, b""
    while kind != b"IEND":
        if position + 12 > len(data):
            raise EOFError("PNG without an end")
        size, kind = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        yield kind, data[position + 8 : position + 8 + size]
        position += 12 + size
    yield b"", data[position:]


def webp_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of the chunks of a WebP file, those inside the frames of an animation too."""
    end = 8 + int.from_bytes(data[4:8], "little")
    yield from _riff_chunks(data[:end], 12)
    yield b"", data[end:]


def _riff_chunks(data: bytes, position: int) -> Iterator[tuple[bytes, bytes]]:
    while position + 8 <= len(data):
        kind, size = (
            data[position : position + 4],
            int.from_bytes(data[position + 4 : position + 8], "little"),
        )
        content = data[position + 8 : position + 8 + size]
        yield kind, content
        if kind == b"ANMF":
            yield from _riff_chunks(content, _ANMF_HEAD_BYTES)
        position += 8 + size + size % 2


def gif_blocks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the label of each block of a GIF, b"," for pictures, with the start of an extension's content.

    Raises EOFError when the trailer is missing.
    """
    position = _GIF_HEAD_BYTES + _gif_table_bytes(data[10])
    while position < len(data):
        if data[position] == ord(";"):
            yield b"", data[position + 1 :]
            return
        if data[position] == ord(","):
            yield b",", b""
            position += 11 + _gif_table_bytes(data[position + 9])
        else:
            first = position + 3
            yield data[position + 1 : position + 2], data[first : first + data[position + 2]]
            position += 2
        while position < len(data) and data[position]:
            position += 1 + data[position]
        position += 1
    raise EOFError("GIF without an end")


def _gif_table_bytes(flags: int) -> int:
    return int(3 << (flags & 7) + 1) if flags & _GIF_TABLE_FLAG else 0


def after_jpeg(data: bytes) -> bytes:
    """Return what stands behind the end of the first picture of a JPEG."""
    position = 2
    while (marker := _JPEG_MARKER.search(data, position)) is not None:
        if marker.group() == b"\xff\xd9":
            return data[marker.end() :]
        position = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return b""
