"""libtiff, which Pillow reads TIFF with, made silent."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from functools import cache

from PIL import _imaging


@cache
def hush_libtiff() -> None:
    """Keep the libtiff of this process from writing to stderr; that it failed, Pillow raises anyway.

    Pillow silences libtiff's warnings for the whole process in the same way, but not its errors.
    """
    with suppress(OSError, AttributeError):  # a Pillow whose libtiff cannot be reached stays as it is
        ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)
