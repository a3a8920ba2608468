"""Keeps the memory of a long video flat and small, and that of other work quick."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Final

_M_MMAP_THRESHOLD: Final = -3
_PLANE_BYTES: Final = 64 * 1024
_LARGEST_BYTES: Final = 32 * 2**20


def return_freed_frames() -> None:
    """Have the C library give the memory of freed frames back to the system at once, where it is glibc.

    Its own threshold grows with the first frame that is freed; the heap then stays as large as it ever was.
    """
    _map_from(_PLANE_BYTES)


def keep_freed_memory() -> None:
    """Have the C library keep what is freed for the next array: new pages cost torch a third of its time."""
    _map_from(_LARGEST_BYTES)


def _map_from(size: int) -> None:
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, size)
