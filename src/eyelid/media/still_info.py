"""What a reader learnt about a still, and what a writer needs to make another of the same kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path

    from eyelid.media.kinds import MediaFormat


@dataclass(frozen=True, slots=True)
class JpegEncoding:
    """The quality of a JPEG: its own quantisation tables, row by row, and its chroma subsampling.

    ``tables`` has one table of 64 values for all components, or one for luma and one for chroma;
    ``subsampling`` is 0 (4:4:4), 1 (4:2:2) or 2 (4:2:0).
    """

    tables: tuple[tuple[int, ...], ...]
    subsampling: int
    progressive: bool
    stores_rgb: bool


@dataclass(frozen=True, slots=True)
class StillEncoding:
    """How a file as a whole is encoded; ``loop`` counts plays of an animation (0 forever, None unsaid)."""

    format: MediaFormat
    animated: bool = False
    loop: int | None = None
    lossless: bool = True
    jpeg: JpegEncoding | None = None


@dataclass(frozen=True, slots=True)
class PageEncoding:
    """How one page is encoded: it travels as the carrier of the frame, and holds no pixels.

    ``mode`` is Pillow's name of the stored pixels ("1", "P", "RGB", ..., with ";16" for 16 bit a sample),
    ``duration`` is in seconds, ``compression`` is Pillow's name of a TIFF compression, ``bit_depth`` that
    of the stored samples, ``colour`` the primaries, transfer, matrix and range of a HEIC (ITU-T H.273).
    """

    mode: str
    bit_depth: int = 8
    icc_profile: bytes | None = None
    duration: Fraction | None = None
    compression: str | None = None
    colour: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class StillInfo:
    """What a still is: size in pixels with orientation applied, pages, what is lost on the way and why.

    ``dropped`` names the metadata that was found and is not written, ``changes`` are sentences about what
    differs in the output beside the obfuscation.
    """

    path: Path
    format: str
    width: int
    height: int
    pages: int
    dropped: tuple[str, ...]
    changes: tuple[str, ...]
    encoding: StillEncoding
