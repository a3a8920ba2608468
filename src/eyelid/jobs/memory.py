"""Keeps the memory of a long video flat and small."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Final

_M_MMAP_THRESHOLD: Final = -3
_PLANE_BYTES: Final = 64 * 1024


def return_freed_frames() -> None:
    """Have the C library give the memory of freed frames back to the system at once, where it is glibc.

    Its own threshold grows with the first frame that is freed; the heap then stays as large as it ever was.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _PLANE_BYTES)
