"""What a video file is, and what of it an output will not carry."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from av.sidedata.sidedata import Type
from av.stream import Disposition

from eyelid.media.video_pixels import Orientation, layout, nearest_planar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import av
    from av.container import InputContainer
    from av.sidedata.sidedata import SideData
    from av.stream import Stream
    from av.video.stream import VideoStream

    from eyelid.media.video_source import Walk

_STRUCTURE: Final = (
    "major_brand", "minor_version", "compatible_brands", "language", "vendor_id", "duration", "bps",
    "number_of_frames", "number_of_bytes", "_statistics", "rotate", "encoder_options", "alpha_mode",
)  # fmt: skip
_NAMES: Final = (
    ("location", "GPS position"), ("gps", "GPS position"), ("geo", "GPS position"), ("xyz", "GPS position"),
    ("content.identifier", "content identifier"), ("creation", "creation time"), ("date", "creation time"),
    ("encoded_by", "encoder name"), ("encoder", "encoder name"), ("software", "encoder name"),
    ("make", "camera make and model"), ("model", "camera make and model"), ("serial", "serial number"),
    ("handler_name", "handler names"), ("timecode", "timecode"), ("reel", "reel name"), ("title", "title"),
    ("artist", "author"), ("author", "author"), ("copyright", "copyright"), ("comment", "comment"),
    ("description", "description"), ("synopsis", "description"), ("keywords", "keywords"), ("xmp", "XMP"),
    ("filename", "file name"), ("mimetype", "attachments"),
)  # fmt: skip
_STREAMS: Final = {
    "subtitle": "subtitles",
    "attachment": "attachments",
    "data": "data or timed metadata stream",
    "unknown": "stream of unknown kind",
}
_DEFAULT_HANDLERS: Final = ("VideoHandler", "SoundHandler", "Core Media Video", "Core Media Audio")
_X264: Final = bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef")  # marks the encoder's own settings
_IN_PICTURE: Final = {
    Type.A53_CC: "closed captions",
    Type.SEI_UNREGISTERED: "user data inside the video stream",
    Type.S12M_TIMECODE: "timecode",
    Type.GOP_TIMECODE: "timecode",
    Type.DOVI_RPU_BUFFER: "Dolby Vision metadata",
    Type.DOVI_METADATA: "Dolby Vision metadata",
    Type.DYNAMIC_HDR_PLUS: "HDR10+ metadata",
    Type.DYNAMIC_HDR_VIVID: "HDR Vivid metadata",
    Type.ICC_PROFILE: "ICC profile",
    Type.SPHERICAL: "spherical video metadata",
    Type.STEREO3D: "stereo 3D metadata",
    Type.FILM_GRAIN_PARAMS: "film grain parameters",
}


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a video file is.

    ``width`` and ``height`` are as stored, in pixels; ``rotation`` is in degrees counter-clockwise, and
    frames are delivered with it applied. ``rate`` is in frames a second, ``duration`` in seconds.
    ``dropped`` names what the file holds and an output will not, ``changes`` says what reading alters,
    ``warnings`` what may be wrong with the file.
    """

    path: Path
    container: str
    codec: str
    width: int
    height: int
    rotation: int
    sample_aspect: Fraction
    pixel_format: str
    bit_depth: int
    rate: Fraction | None
    duration: Fraction | None
    frames_estimate: int | None
    audio: tuple[str, ...]
    dropped: tuple[str, ...]
    changes: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def describe(
    path: Path, container: InputContainer, stream: VideoStream, first: av.VideoFrame, walk: Walk
) -> VideoInfo:
    """Describe an open file whose first decoded frame is at hand, and what a walk over it found."""
    rate = stream.guessed_rate or stream.average_rate
    duration = _duration(container, stream)
    count = walk.frames or stream.frames or (round(duration * rate) if duration and rate else None)
    kind = layout(first.format.name)
    return VideoInfo(
        path=path,
        container=container.format.name,
        codec=stream.codec_context.codec.canonical_name,
        width=first.width,
        height=first.height,
        rotation=first.rotation % 360,
        sample_aspect=stream.sample_aspect_ratio or Fraction(1),
        pixel_format=first.format.name,
        bit_depth=kind.depth,
        rate=rate,
        duration=duration,
        frames_estimate=count,
        audio=tuple(s.codec_context.name if s.codec_context else "unknown" for s in container.streams.audio),
        dropped=tuple(sorted(set(_dropped(container, stream, first)))),
        changes=tuple(_changes(first)),
        warnings=tuple(_warnings(walk)),
    )


def side_data(frame: av.VideoFrame) -> list[tuple[Type, bytes]]:
    """Copy what the decoder found beside the picture; PyAV's own view dies when the frame is written to."""
    try:
        found: Iterator[SideData] = iter(frame.side_data)  # type: ignore[arg-type]  # the stubs call it a dict
        return [(data.type, bytes(data)) for data in found]
    except ValueError:
        return []  # a kind that PyAV has no name for hides the others


def orientation(frame: av.VideoFrame) -> Orientation | None:
    """Return how the frame must be laid to stand upright; None where the angle is not a right one."""
    matrix = dict(side_data(frame)).get(Type.DISPLAYMATRIX)
    return Orientation.from_angle(frame.rotation) if matrix is None else Orientation.from_matrix(matrix)


def _duration(container: InputContainer, stream: VideoStream) -> Fraction | None:
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    return Fraction(container.duration, 1_000_000) if container.duration else None


def _dropped(container: InputContainer, kept: VideoStream, first: av.VideoFrame) -> Iterator[str]:
    yield from _tags(container.metadata)
    if container.chapters():
        yield "chapters"
    for stream in container.streams:
        yield from _tags(stream.metadata)
        if stream.index != kept.index and stream.type not in ("audio", "attachment"):
            yield _stream_name(stream)
        elif stream.type == "attachment":
            yield "attachments"
    for kind, data in side_data(first):
        if kind in _IN_PICTURE:
            yield "encoder name" if data.startswith(_X264) else _IN_PICTURE[kind]


def _warnings(walk: Walk) -> Iterator[str]:
    if walk.missing:
        count = walk.missing.frames
        yield (
            f"{count} {'frame is' if count == 1 else 'frames are'} missing from a steady rate, the first "
            f"after {walk.missing.after:.2f} s: the input may be damaged there."
        )
    if walk.left_out:
        one = walk.left_out == 1
        yield (
            f"{walk.left_out} {'frame' if one else 'frames'} that the input lists {'is' if one else 'are'} "
            "empty or outside the part that it says to show, and not in the output: the input was trimmed, "
            "or is damaged."
        )


def _stream_name(stream: Stream) -> str:
    if stream.type == "video":
        return "cover art" if Disposition.attached_pic in stream.disposition else "further video stream"
    return _STREAMS.get(stream.type, "stream of unknown kind")


def _tags(metadata: Mapping[str, str]) -> Iterator[str]:
    for key, value in metadata.items():
        if not key.lower().startswith(_STRUCTURE) and value not in _DEFAULT_HANDLERS:
            yield next((name for part, name in _NAMES if part in key.lower()), "other tags")


def _changes(first: av.VideoFrame) -> Iterator[str]:
    laid = orientation(first)
    turn = first.rotation % 360
    if laid is None:
        yield f"the display rotation of {turn} degrees is not right-angled and was left out"
    elif laid != Orientation():
        mirrored = laid.transpose == (laid.mirror_x == laid.mirror_y)
        yield f"rotation of {turn} degrees{' and mirroring' if mirrored else ''} applied to the pixels"
    name = first.format.name
    if layout(name).alpha:
        yield "transparency was dropped"
    if nearest_planar(name) != name:
        yield f"pixel format {name} was converted to {nearest_planar(name)}"
