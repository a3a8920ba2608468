"""A JPEG as its quantised coefficients: read and written without going through pixels, so nothing is lost."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from eyelid.errors import InputError, UnsupportedError, UsageError
from eyelid.media.jpeg_entropy import entropy_coded
from eyelid.media.jpeg_header import Kept, Layout, layout_bytes, parse
from eyelid.media.kinds import MediaFormat, sniff_format
from eyelid.media.still import StillReader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_END = b"\xff\xd9"
_NOT_INSTALLED = re.compile(rb"ImportError|No module named")
_STUFFED_END = re.compile(rb"Corrupt JPEG data: (\d+) extraneous bytes before marker 0xd9\s*")
"""What libjpeg says of cameras that fill up the end of their files with zeros, too."""


@dataclass(frozen=True, slots=True, eq=False)
class CoefficientJpeg:
    """A JPEG of 8 bits a sample; ``blocks`` holds for each component int16 (rows, columns, 8, 8).

    ``dropped`` names the metadata that was found and is not held.
    """

    layout: Layout
    blocks: tuple[NDArray[np.int16], ...]
    kept: Kept
    dropped: tuple[str, ...] = ()

    def with_blocks(self, blocks: Sequence[NDArray[np.int16]]) -> CoefficientJpeg:
        """Return the same picture with other coefficients of the same shapes."""
        return replace(self, blocks=tuple(blocks))


def read_coefficients(path: Path) -> CoefficientJpeg:
    """Read the coefficients of a JPEG file: sequential or progressive, 1, 3 or 4 components, any sampling.

    Raises InputError (missing, damaged, cut short), UnsupportedError (not a JPEG, or one of 12 bits, lossless
    or with arithmetic coding) and UsageError where jpeglib is not installed.
    """
    held = sniff_format(path)
    if held is not MediaFormat.JPEG:
        raise UnsupportedError(f"{path} is {held.value}, and only a JPEG has coefficients; save it as JPEG")
    data = path.read_bytes()
    parse(data, str(path))  # says more of what is unusual than the reader of stills does
    with StillReader(path) as still:
        dropped = still.info.dropped
        for _ in still:  # decodes, and so finds files that are cut short
            pass
    return replace(decode(data, str(path)), dropped=dropped)


def decode(data: bytes, name: str) -> CoefficientJpeg:
    """Decode the bytes of a JPEG; ``name`` is what errors call it. Raises as :func:`read_coefficients`."""
    header = parse(data, name)
    raw = _decode_elsewhere(header.bare, header.layout, name)
    blocks, start = [], 0
    for rows, columns in header.layout.grids:
        size = rows * columns * 64
        blocks.append(raw[start : start + size].reshape(rows, columns, 8, 8))
        start += size
    return CoefficientJpeg(header.layout, tuple(blocks), header.kept)


def encode(jpeg: CoefficientJpeg) -> bytes:
    """Return the bytes of a sequential JPEG with exactly these coefficients, and Huffman codes made for them.

    Raises InputError where a coefficient is larger than the format allows.
    """
    head = b"\xff\xd8" + jpeg.kept.segments() + layout_bytes(jpeg.layout)
    return head + entropy_coded(jpeg.layout, jpeg.blocks) + _END


def _decode_elsewhere(bare: bytes, layout: Layout, name: str) -> NDArray[np.int16]:
    """Let libjpeg decode in a process of its own.

    Its C code writes to stderr, may end or crash the process on hostile data, and its Python wrapper would
    put the picture into a temporary file. There it can do none of that, and what it says of damage is heard.
    """
    if importlib.util.find_spec("jpeglib") is None:
        raise UsageError("P3 needs eyelid[p3]; pip install 'eyelid[p3]'")
    grids = [f"{rows}x{columns}" for rows, columns in layout.grids]
    command = [sys.executable, "-P", "-W", "ignore", "-m", "eyelid.media.jpeg_decoder", *grids]
    done = subprocess.run(command, input=bare, capture_output=True, check=False)  # noqa: S603  # our own module
    expected = sum(rows * columns for rows, columns in layout.grids) * 128
    if _NOT_INSTALLED.search(done.stderr):
        raise UsageError("jpeglib cannot be loaded; pip install --force-reinstall 'eyelid[p3]'")
    if done.returncode or _is_complaint(done.stderr, bare) or len(done.stdout) != expected:
        raise InputError(
            f"{name} is damaged, so its coefficients cannot be read; copy it again from its source"
        )
    return np.frombuffer(done.stdout, "<i2").astype(np.int16)


def _is_complaint(said: bytes, bare: bytes) -> bool:
    filled = _STUFFED_END.fullmatch(said)
    if filled is None:
        return bool(said)
    end = len(bare) - len(_END)
    return bool(bare[end - int(filled[1]) : end].strip(b"\0\xff"))
