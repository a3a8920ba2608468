"""The planes of a video frame as arrays, and exact ways between planar pixel formats and orientations."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

import av
import numpy as np
from av.video.format import VideoFormat
from av.video.reformatter import Interpolation, VideoReformatter

from eyelid.types import Plane, RawFrame

if TYPE_CHECKING:
    from fractions import Fraction

    from eyelid.types import Bgr, Samples

_FULL_RANGE: Final = 2
_RANGE_MEANINGLESS: Final = frozenset({"gbr", "gbrp"})
_UNIT: Final = 64  # a picture side that every chroma subsampling divides
_SUBSAMPLINGS: Final = {(1, 1): "444", (2, 1): "422", (2, 2): "420", (1, 2): "440", (4, 1): "411", (4, 4): "410"}

_local: Final = threading.local()


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """What a pixel format name stands for; ``planar`` where each plane is one channel of whole little-endian samples."""

    name: str
    colour: Literal["grey", "yuv", "rgb"]
    depth: int
    step_x: int
    step_y: int
    alpha: bool
    planar: bool


@cache
def layout(name: str) -> PixelLayout:
    """Describe a pixel format of FFmpeg by its name."""
    form = VideoFormat(name, _UNIT, _UNIT)
    parts = form.components
    chroma = parts[1] if len(parts) > 2 else parts[0]
    rgb = form.is_rgb or form.has_palette
    colour: Literal["grey", "yuv", "rgb"] = "rgb" if rgb else "yuv" if len(parts) > 2 else "grey"
    alpha = form.has_palette or any(part.is_alpha for part in parts)
    depth = max(part.bits for part in parts)
    planar = (
        not alpha
        and not form.is_bit_stream
        and not form.is_bayer
        and len({part.plane for part in parts}) == len(parts)
        and 8 <= depth <= 16
        and (depth == 8 or not form.is_big_endian)
        and not name.startswith(("xyz", "nv"))
        and "msb" not in name
    )
    return PixelLayout(name, colour, depth, _UNIT // chroma.width, _UNIT // chroma.height, alpha, planar)


def nearest_planar(name: str) -> str:
    """Return the planar format without alpha that holds every colour sample of the format ``name``."""
    this = layout(name)
    if this.planar:
        return name
    subsampling = _SUBSAMPLINGS.get((this.step_x, this.step_y), "444")
    stem = {"grey": "gray", "rgb": "gbrp", "yuv": f"yuv{subsampling}p"}[this.colour]
    for depth in (8, 10, 12, 14, 16):
        candidate = stem if depth == 8 else f"{stem}{depth}le"
        if depth >= this.depth and _exists(candidate):
            return candidate
    return "gbrp16le" if this.colour == "rgb" else "yuv444p16le"


def _exists(name: str) -> bool:
    try:
        VideoFormat(name)
    except ValueError:
        return False
    return True


def views(frame: av.VideoFrame) -> list[Samples]:
    """Return one writable array per plane, in the order of the frame's own planes, without a copy.

    Each has shape (rows, columns), dtype uint8, or uint16 above 8 bits; rows may be padded in memory.
    """
    dtype = np.uint8 if layout(frame.format.name).depth == 8 else np.uint16
    arrays: list[Samples] = []
    for plane in frame.planes:
        whole: Samples = np.frombuffer(plane, dtype)
        stride = abs(plane.line_size) // whole.itemsize
        rows = whole.reshape(plane.height, stride)[:, : plane.width]
        arrays.append(rows[::-1] if plane.line_size < 0 else rows)
    return arrays


def planes(frame: av.VideoFrame) -> tuple[Plane, ...]:
    """Return the frame's planes with their meaning; 4:2:0 chroma of an odd size counts the last half."""
    kind = layout(frame.format.name)
    peak = (1 << kind.depth) - 1
    full = frame.format.name.startswith("yuvj") or frame.color_range == _FULL_RANGE
    black = 0 if full else 16 << (kind.depth - 8)
    arrays = views(frame)
    if kind.colour == "rgb":
        green, blue, red = arrays
        return (Plane("G", green, 0, peak), Plane("B", blue, 0, peak), Plane("R", red, 0, peak))
    if kind.colour == "grey":
        return (Plane("L", arrays[0], black, peak),)
    middle = 1 << (kind.depth - 1)
    luma, cb, cr = arrays
    return (
        Plane("Y", luma, black, peak),
        Plane("Cb", cb, middle, peak, kind.step_x, kind.step_y),
        Plane("Cr", cr, middle, peak, kind.step_x, kind.step_y),
    )


def convert(frame: av.VideoFrame, name: str) -> av.VideoFrame:
    """Return the frame in another pixel format of the same size; colour range and matrix stay what they are."""
    if frame.format.name == name:
        return frame
    return _reformatter("convert").reformat(
        frame, format=name, interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND, threads=1
    )


def render(frame: av.VideoFrame, width: int, height: int) -> Bgr:
    """Draw the frame at the given size as uint8 BGR of shape (height, width, 3)."""
    drawn = _reformatter(f"{frame.format.name} {frame.width}x{frame.height} {width}x{height}").reformat(
        frame, width, height, "bgr24", interpolation=Interpolation.BILINEAR, threads=1
    )
    return drawn.to_ndarray()  # type: ignore[return-value]  # bgr24 is always uint8


def _reformatter(purpose: str) -> VideoReformatter:
    """Return this thread's scaler for one purpose: a scaler that changes its sizes starts anew each time."""
    if not hasattr(_local, "reformatters"):
        _local.reformatters = {}
    found: VideoReformatter = _local.reformatters.setdefault(purpose, VideoReformatter())
    return found


def raw_frame(frame: av.VideoFrame, index: int, time: Fraction) -> RawFrame:
    """Wrap a planar frame whose memory nobody else reads or writes."""
    return RawFrame(
        width=frame.width,
        height=frame.height,
        planes=planes(frame),
        render=lambda width, height: render(frame, width, height),
        index=index,
        time=time,
        carrier=frame,
    )
