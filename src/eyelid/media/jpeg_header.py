"""The segments of a JPEG before its coefficients: what they say, and how they are written again.

Names and numbers as in ITU-T T.81, Annex B; APP1 as in Exif 2.32, APP14 as in Adobe Technical Note 5116.
"""

from __future__ import annotations

import io
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import ExifTags, Image

from eyelid.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_SOF: Final = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_READABLE_SOF: Final = {0xC0, 0xC1, 0xC2}
_ARITHMETIC_SOF: Final = {0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_SOF0, _SOF1, _DQT, _SOS, _EOI, _COM = 0xC0, 0xC1, 0xDB, 0xDA, 0xD9, 0xFE
_APP0, _APP1, _APP2, _APP14, _APP15 = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF
_SCAN_END: Final = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
_ICC: Final = b"ICC_PROFILE\0"
_JFIF: Final = b"JFIF\0\1\1\0\0\1\0\1\0\0"
"""Version 1.01, square pixels, no thumbnail."""
_ZIGZAG: Final = sorted(
    ((u, v) for u in range(8) for v in range(8)), key=lambda at: (sum(at), at[0] if sum(at) % 2 else at[1])
)
ZIGZAG: Final[NDArray[np.intp]] = np.array([8 * u + v for u, v in _ZIGZAG])
"""The place of each coefficient of the zigzag sequence in a block in rows: intp (64,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Component:
    """A colour component: its samples per unit across and down, and its quantisation table (64,) in rows."""

    identifier: int
    across: int
    down: int
    table: NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Size in pixels and components of a picture."""

    width: int
    height: int
    components: tuple[Component, ...]

    @property
    def most_across(self) -> int:
        """The largest horizontal sampling factor."""
        return max(component.across for component in self.components)

    @property
    def most_down(self) -> int:
        """The largest vertical sampling factor."""
        return max(component.down for component in self.components)

    @property
    def grids(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of blocks of each component, without those that only fill up an MCU."""
        return tuple(
            (
                -(-self.height * c.down // (8 * self.most_down)),
                -(-self.width * c.across // (8 * self.most_across)),
            )
            for c in self.components
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """What a picture needs to look as it does besides its coefficients, and nothing that identifies anybody.

    ``profile`` are the parts of its ICC profile, ``orientation`` the EXIF orientation 1..8,
    ``adobe_transform`` the colour transform that Adobe's segment names, None without one.
    """

    jfif: bool
    adobe_transform: int | None
    orientation: int
    profile: tuple[bytes, ...]

    def stores_rgb(self, layout: Layout) -> bool:
        """Whether three components are red, green, blue; told as libjpeg tells it (jdapimin.c)."""
        if len(layout.components) != 3 or self.jfif:
            return False
        if self.adobe_transform is not None:
            return self.adobe_transform == 0
        return bytes(component.identifier for component in layout.components) == b"RGB"

    @property
    def icc_profile(self) -> bytes | None:
        """The colour profile in one piece."""
        parts = sorted(self.profile, key=lambda part: part[len(_ICC) : len(_ICC) + 1])
        return b"".join(part[len(_ICC) + 2 :] for part in parts) or None

    def segments(self) -> bytes:
        """Return the segments that say it."""
        parts = [segment(_APP0, _JFIF)] if self.jfif else []
        if self.orientation != 1:
            exif = Image.Exif()
            exif[ExifTags.Base.Orientation] = self.orientation
            parts.append(segment(_APP1, exif.tobytes()))
        parts += [segment(_APP2, part) for part in self.profile]
        if self.adobe_transform is not None:
            parts.append(segment(_APP14, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, self.adobe_transform)))
        return b"".join(parts)


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """What the segments of a JPEG hold; ``bare`` is the file without any application data and comments."""

    layout: Layout
    kept: Kept
    bare: bytes


def parse(data: bytes, name: str) -> Header:
    """Read the segments of a JPEG; raises InputError and UnsupportedError, which call it ``name``."""
    tables: dict[int, NDArray[np.uint16]] = {}
    frame: bytes | None = None
    jfif, adobe, orientation, profile = False, None, 1, []
    bare = [b"\xff\xd8"]
    scans = 0
    for marker, content, whole in _segments(data, name):
        if not (_APP0 <= marker <= _APP15 or marker == _COM):
            bare.append(whole)
        if marker == _APP0 and content.startswith(b"JFIF\0"):
            jfif = True
        elif marker == _APP1 and content.startswith(b"Exif\0\0"):
            orientation = _orientation(content[6:])
        elif marker == _APP2 and content.startswith(_ICC):
            profile.append(content)
        elif marker == _APP14 and content.startswith(b"Adobe") and len(content) >= 12:
            adobe = content[11]
        elif marker == _DQT:
            if scans:
                raise UnsupportedError(
                    f"{name} changes its quantisation between scans; save it again as JPEG"
                )
            tables |= _tables(content, name)
        elif marker in _SOF:
            if frame is not None:
                raise UnsupportedError(f"{name} is a hierarchical JPEG; save it again as a usual JPEG")
            frame = _checked_frame(marker, content, name)
        elif marker == _SOS:
            scans += 1
    if frame is None or not scans:
        raise _damaged(name)
    kept = Kept(jfif, adobe, orientation, tuple(profile))
    return Header(_layout(frame, tables, name), kept, b"".join(bare))


def layout_bytes(layout: Layout) -> bytes:
    """Return the quantisation tables and the frame header of a sequential JPEG."""
    tables: list[NDArray[np.uint16]] = []
    numbers = []
    for component in layout.components:
        same = [i for i, table in enumerate(tables) if np.array_equal(table, component.table)]
        numbers.append(same[0] if same else len(tables))
        if not same:
            tables.append(component.table)
    wide = any(table.max() > 255 for table in tables)
    parts = []
    for number, table in enumerate(tables):
        values = table[ZIGZAG].astype(">u2" if wide else np.uint8)
        parts.append(segment(_DQT, bytes([number | (16 if wide else 0)]) + values.tobytes()))
    frame = struct.pack(">BHHB", 8, layout.height, layout.width, len(layout.components))
    for component, number in zip(layout.components, numbers, strict=True):
        frame += bytes([component.identifier, component.across << 4 | component.down, number])
    return b"".join(parts) + segment(_SOF1 if wide else _SOF0, frame)


def _segments(data: bytes, name: str) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield marker, content and all bytes of each segment up to the end of the picture, scans with theirs."""
    position = 2
    while True:
        start = position
        while data[position : position + 1] == b"\xff":
            position += 1
        if position == start or position == len(data):
            raise _damaged(name)
        marker = data[position]
        if marker == _EOI:
            yield marker, b"", b"\xff\xd9"
            return
        end = position + 1 + int.from_bytes(data[position + 1 : position + 3], "big")
        content = data[position + 3 : end]
        if end > len(data) or end < position + 3:
            raise _damaged(name)
        if marker == _SOS:
            found = _SCAN_END.search(data, end)
            if found is None:
                raise _damaged(name)
            end = found.start()
        yield marker, content, data[start:end]
        position = end


def _tables(content: bytes, name: str) -> dict[int, NDArray[np.uint16]]:
    tables = {}
    stream = io.BytesIO(content)
    while head := stream.read(1):
        dtype = ">u2" if head[0] >> 4 else ">u1"
        values = np.frombuffer(stream.read(64 * np.dtype(dtype).itemsize), dtype)
        if len(values) != 64 or values.min() == 0:
            raise _damaged(name)
        table = np.zeros(64, np.uint16)
        table[ZIGZAG] = values
        tables[head[0] & 15] = table
    return tables


def _checked_frame(marker: int, content: bytes, name: str) -> bytes:
    if marker in _ARITHMETIC_SOF:
        raise UnsupportedError(f"{name} uses arithmetic coding; save it again as a usual JPEG")
    if marker not in _READABLE_SOF:
        raise UnsupportedError(f"{name} is a lossless or hierarchical JPEG; save it again as a usual JPEG")
    if len(content) < 6 or len(content) != 6 + 3 * content[5]:
        raise _damaged(name)
    if content[0] != 8:
        raise UnsupportedError(f"{name} has {content[0]} bits a sample; only 8 can be split, save it so")
    if content[5] not in {1, 3, 4}:
        raise UnsupportedError(f"{name} has {content[5]} colour components; 1, 3 or 4 can be split")
    return content


def _layout(frame: bytes, tables: dict[int, NDArray[np.uint16]], name: str) -> Layout:
    height, width = struct.unpack_from(">HH", frame, 1)
    components = []
    for start in range(6, len(frame), 3):
        identifier, factors, number = frame[start : start + 3]
        across, down = factors >> 4, factors & 15
        if number not in tables or not (1 <= across <= 4 and 1 <= down <= 4):
            raise _damaged(name)
        components.append(Component(identifier, across, down, tables[number]))
    if not width or not height or len({c.identifier for c in components}) < len(components):
        raise _damaged(name)
    return Layout(width, height, tuple(components))


def _orientation(exif: bytes) -> int:
    parsed = Image.Exif()
    try:
        parsed.load(exif)
        orientation = parsed.get(ExifTags.Base.Orientation, 1)
    except Exception:  # Pillow raises what it likes on a damaged block, which nobody then turns by either
        return 1
    return orientation if orientation in range(1, 9) else 1


def segment(marker: int, content: bytes) -> bytes:
    """Return a segment: marker, length and content."""
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def _damaged(name: str) -> InputError:
    return InputError(f"{name} is damaged or cut short; copy it again from its source")
