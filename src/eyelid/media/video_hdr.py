"""What an HDR picture says of the screen it was graded on, handed to the encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from av.sidedata.sidedata import Type

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS: Final = {
    "libx264": ("x264-params", "mastering-display", "cll"),
    "libx265": ("x265-params", "master-display", "max-cll"),
}
_CHROMATICITY: Final = 50_000  # H.265 D.3.28: units of 0.00002
_LUMINANCE: Final = 10_000  # units of 0.0001 candela per square metre


def hdr_options(beside: Mapping[Type, bytes], encoder: str) -> tuple[dict[str, str], bool]:
    """Return encoder options that repeat HDR10 metadata of a frame, and whether any had to be left out."""
    mastering = beside.get(Type.MASTERING_DISPLAY_METADATA)
    light = beside.get(Type.CONTENT_LIGHT_LEVEL)
    if mastering is None and light is None:
        return {}, False
    if encoder not in _KEYS:
        return {}, True
    option, display_key, light_key = _KEYS[encoder]
    parts = []
    if mastering is not None:
        parts.append(f"{display_key}={_mastering_display(mastering)}")
    if light is not None:
        most, average = np.frombuffer(light, np.uint32, 2).tolist()
        parts.append(f"{light_key}={most},{average}")
    return {option: ":".join(parts)}, False


def _mastering_display(data: bytes) -> str:
    """Write AVMasteringDisplayMetadata (red, green, blue, white, least, most light) as x265 reads it."""
    fractions = np.frombuffer(data, np.int32, 20).reshape(10, 2)
    values = fractions[:, 0] / np.maximum(fractions[:, 1], 1)
    points = np.rint(values[:8].reshape(4, 2) * _CHROMATICITY).astype(int).tolist()
    least, most = np.rint(values[8:] * _LUMINANCE).astype(int).tolist()
    named = dict(zip(("R", "G", "B", "WP"), points, strict=True))
    places = "".join(f"{name}({named[name][0]},{named[name][1]})" for name in ("G", "B", "R", "WP"))
    return f"{places}L({most},{least})"
