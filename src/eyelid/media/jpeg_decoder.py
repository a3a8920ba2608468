"""The process in which libjpeg decodes: a JPEG on stdin, int16 coefficients on stdout; see jpeg_coefficients.

The picture stays in memory: libjpeg reads it through a file that has no place on any disk (memfd_create(2)).
"""

from __future__ import annotations

import os
import sys

import numpy as np


def main(grids: list[str]) -> None:
    """Decode; ``grids`` are the "rows x columns" in blocks of each component."""
    from jpeglib._bind import CJpegLib  # type: ignore[import-untyped]  # the public way goes over a file on disk

    picture = os.memfd_create("jpeg")
    with os.fdopen(picture, "wb", closefd=False) as file:
        file.write(sys.stdin.buffer.read())
    shapes = [tuple(map(int, grid.split("x"))) for grid in grids]
    blocks = [np.zeros((*shape, 64), np.int16) for shape in shapes]
    pointers = [np.ctypeslib.as_ctypes(array) for array in blocks]
    planes = pointers + [None] * (4 - len(pointers))
    CJpegLib.read_jpeg_dct(f"/proc/self/fd/{picture}", *planes, qt=None, quant_tbl_no=None)
    for array in blocks:
        sys.stdout.buffer.write(array.astype("<i2").tobytes())


if __name__ == "__main__":
    main(sys.argv[1:])
