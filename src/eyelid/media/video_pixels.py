"""The planes of a video frame as arrays, and ways between pixel formats and orientations."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

import av
import numpy as np
from av.video.format import VideoFormat
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from eyelid.types import Plane, RawFrame

if TYPE_CHECKING:
    from fractions import Fraction

    from eyelid.types import Bgr, Samples

_UNIT: Final = 64  # a picture side that every chroma subsampling divides
_SUBSAMPLINGS: Final = {
    (1, 1): "444",
    (2, 1): "422",
    (2, 2): "420",
    (1, 2): "440",
    (4, 1): "411",
    (4, 4): "410",
}
_MOST_SCALERS: Final = 32
_local: Final = threading.local()


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """What a pixel format holds; ``planar`` where every plane is one colour channel of integers."""

    colour: Literal["grey", "yuv", "rgb"]
    depth: int
    step_x: int
    step_y: int
    alpha: bool
    planar: bool


@cache
def layout(name: str) -> PixelLayout:
    """Describe the pixel format that FFmpeg calls ``name``."""
    form = VideoFormat(name, _UNIT, _UNIT)
    parts = form.components
    depth = max(part.bits for part in parts)
    alpha = any(part.is_alpha for part in parts)
    chroma = parts[1] if len(parts) > 2 else parts[0]
    rgb = form.is_rgb or form.has_palette
    whole = not (form.is_bit_stream or form.is_bayer or form.has_palette) and 8 <= depth <= 16
    order = depth == 8 or (name.endswith("le") and "f16" not in name and "msb" not in name)
    separate = len({part.plane for part in parts}) == len(parts)
    return PixelLayout(
        colour="rgb" if rgb else "yuv" if len(parts) > 2 else "grey",
        depth=depth,
        step_x=_UNIT // chroma.width,
        step_y=_UNIT // chroma.height,
        alpha=alpha,
        planar=whole and order and separate and not alpha,
    )


@cache
def nearest_planar(name: str, *, whole_chroma: bool = False) -> str:
    """Return the planar format that holds every colour sample of ``name``; 4:4:4 where ``whole_chroma``."""
    this = layout(name)
    if this.planar and not (whole_chroma and (this.step_x, this.step_y) != (1, 1)):
        return name
    steps = (1, 1) if whole_chroma else (this.step_x, this.step_y)
    stem = {"grey": "gray", "rgb": "gbrp", "yuv": f"yuv{_SUBSAMPLINGS.get(steps, '444')}p"}[this.colour]
    names = [stem if depth == 8 else f"{stem}{depth}le" for depth in (8, 10, 12, 16) if depth >= this.depth]
    fallback = {"grey": "gray16le", "rgb": "gbrp16le", "yuv": "yuv444p16le"}[this.colour]
    return next((candidate for candidate in names if _exists(candidate)), fallback)


def _exists(name: str) -> bool:
    try:
        VideoFormat(name)
    except ValueError:
        return False
    return True


def is_full_range(frame: av.VideoFrame) -> bool:
    """Tell whether black is sample 0 and not 16 (of 255)."""
    return frame.format.name.startswith("yuvj") or frame.color_range == ColorRange.JPEG


def views(frame: av.VideoFrame) -> list[Samples]:
    """Return a writable array per plane in FFmpeg's order, without a copy.

    Each has shape (rows, columns) and dtype uint8, or uint16 above 8 bits; rows may be padded in memory.
    """
    dtype = np.dtype(np.uint8) if layout(frame.format.name).depth == 8 else np.dtype(np.uint16)
    arrays: list[Samples] = []
    for plane in frame.planes:
        whole: Samples = np.frombuffer(plane, dtype)  # type: ignore[call-overload]  # stubs omit the buffer
        rows = whole.reshape(plane.height, abs(plane.line_size) // dtype.itemsize)[:, : plane.width]
        arrays.append(rows[::-1] if plane.line_size < 0 else rows)
    return arrays


def planes(frame: av.VideoFrame) -> tuple[Plane, ...]:
    """Return the planes of a planar frame with their meaning."""
    kind = layout(frame.format.name)
    peak = (1 << kind.depth) - 1
    arrays = views(frame)
    if kind.colour == "rgb":
        green, blue, red = arrays
        return (Plane("G", green, 0, peak), Plane("B", blue, 0, peak), Plane("R", red, 0, peak))
    black = 0 if is_full_range(frame) else 16 << (kind.depth - 8)
    if kind.colour == "grey":
        return (Plane("L", arrays[0], black, peak),)
    luma, blueness, redness = arrays
    middle = 1 << (kind.depth - 1)
    return (
        Plane("Y", luma, black, peak),
        Plane("Cb", blueness, middle, peak, kind.step_x, kind.step_y),
        Plane("Cr", redness, middle, peak, kind.step_x, kind.step_y),
    )


def convert(frame: av.VideoFrame, name: str) -> av.VideoFrame:
    """Return the frame in another pixel format; range and matrix stay, RGB becomes limited BT.709."""
    if frame.format.name == name:
        return frame
    source, target = layout(frame.format.name), layout(name)
    if source == target and source.planar:
        return copy_planes(frame, frame.width, frame.height, name, views(frame))
    to_yuv = source.colour == "rgb" and target.colour == "yuv"
    colour_range = ColorRange.JPEG if is_full_range(frame) else ColorRange.MPEG
    return _scaler(f"{frame.format.name}>{name}").reformat(
        frame,
        format=name,
        interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND,
        src_color_range=None if source.colour == "rgb" else colour_range,
        dst_color_range=ColorRange.MPEG if to_yuv else None if target.colour == "rgb" else colour_range,
        dst_colorspace=Colorspace.ITU709 if to_yuv else None,
        threads=1,
    )


def copy_planes(
    frame: av.VideoFrame, width: int, height: int, name: str, arrays: list[Samples]
) -> av.VideoFrame:
    """Return a new frame of the format ``name`` with these samples, edges repeated where they end early."""
    made = av.VideoFrame(width, height, name)
    for target, source in zip(views(made), arrays, strict=True):
        missing = [(0, room - has) for room, has in zip(target.shape, source.shape, strict=True)]
        target[...] = np.pad(source, missing, mode="edge") if any(after for _, after in missing) else source
    made.pts, made.time_base, made.duration = frame.pts, frame.time_base, frame.duration
    made.color_range = ColorRange.JPEG if is_full_range(frame) else frame.color_range
    made.colorspace, made.color_trc = frame.colorspace, frame.color_trc
    made.color_primaries = frame.color_primaries
    return made


@dataclass(frozen=True, slots=True)
class Orientation:
    """One of the eight ways to lay a picture: first transposed, then mirrored along either side."""

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @classmethod
    def from_matrix(cls, matrix: bytes) -> Orientation | None:
        """Read FFmpeg's display matrix (nine int32, row vectors); None where it is no right-angled one."""
        a, b, _, c, d, *_ = np.frombuffer(matrix, np.int32, 9).tolist()
        if a and d and not (b or c):
            return cls(False, a < 0, d < 0)
        if b and c and not (a or d):
            return cls(True, c < 0, b < 0)
        return None

    @classmethod
    def from_angle(cls, degrees: int) -> Orientation | None:
        """Return a turn by this angle counter-clockwise; None where it is no right angle."""
        turns = {
            0: cls(),
            90: cls(True, False, True),
            180: cls(False, True, True),
            270: cls(True, True, False),
        }
        return turns.get(degrees % 360)

    def apply(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return a new frame laid so; every sample is kept, 4:2:2 turned on its side becomes 4:4:0."""
        kind = layout(frame.format.name)
        name = frame.format.name
        if self.transpose and kind.step_x != kind.step_y:
            turned = name.replace("422", "440") if "422" in name else name.replace("440", "422")
            name = turned if _exists(turned) and turned != name else nearest_planar(name, whole_chroma=True)
        if frame.width % kind.step_x or frame.height % kind.step_y or name.startswith("yuv444"):
            name = nearest_planar(frame.format.name, whole_chroma=True)
            frame = convert(frame, name)
        arrays = [self._lay(samples) for samples in views(frame)]
        size = (frame.height, frame.width) if self.transpose else (frame.width, frame.height)
        return copy_planes(frame, *size, name, arrays)

    def _lay(self, samples: Samples) -> Samples:
        laid = samples.T if self.transpose else samples
        return laid[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]


def raw_frame(frame: av.VideoFrame, index: int, time: Fraction) -> RawFrame:
    """Wrap a planar frame whose memory nobody else reads or writes."""
    busy = threading.Lock()  # the scaler changes the frame's colour tags for the time of a call

    def render(width: int, height: int) -> Bgr:
        with busy:
            drawn = _scaler(f"{frame.format.name} {frame.width}x{frame.height}>{width}x{height}").reformat(
                frame, width, height, "bgr24", interpolation=Interpolation.BILINEAR, threads=1
            )
        return drawn.to_ndarray()  # type: ignore[return-value]  # bgr24 is uint8

    return RawFrame(
        width=frame.width,
        height=frame.height,
        planes=planes(frame),
        render=render,
        index=index,
        time=time,
        carrier=frame,
    )


def _scaler(purpose: str) -> VideoReformatter:
    """Return this thread's scaler for one purpose; one that changes purpose would set itself up anew."""
    if len(getattr(_local, "scalers", range(_MOST_SCALERS))) >= _MOST_SCALERS:
        _local.scalers = {}
    found: VideoReformatter = _local.scalers.setdefault(purpose, VideoReformatter())
    return found
