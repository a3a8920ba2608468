"""Frames out of a video file: every one of them, at its exact time, as memory that may be painted on."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Self

from av.error import InvalidDataError

from eyelid.errors import InputError, UnsupportedError
from eyelid.media import video_pixels
from eyelid.media.video_info import describe, orientation, side_data
from eyelid.media.video_source import REPAIR, opened, picture_stream, scan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream

    from eyelid.types import RawFrame

_DECODER_THREADS: Final = max(1, (os.cpu_count() or 1) // 2)  # the encoder needs the rest
_ONE_FRAME_A_PACKET: Final = frozenset({"h264", "hevc", "vp9", "av1", "mjpeg", "prores", "ffv1"})
_LARGEST_STEP_BACK: Final = Fraction(1)  # seconds


class VideoReader:
    """Read the video of a file, as often as wanted; each pass opens the file anew.

    Frames come in order of display, upright, in a planar pixel format without alpha. Their memory belongs
    to them alone. Raises InputError where the file is missing, empty, damaged or truncated, and
    UnsupportedError where it holds no video; while reading too: a file whose frames do not all decode is an
    error, not a short video.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        walk = scan(path)
        with opened(path) as container:
            stream = picture_stream(path, container)
            found = next(self._decode(container, stream), None)
            if found is None:
                raise InputError(f"{path} holds no frame that can be decoded; {REPAIR}")
            self.start, first = found
            """The time of the first frame in seconds."""
            self.info = describe(path, container, stream, first, walk)
            self._orientation = orientation(first) or video_pixels.Orientation()
            self.side_data = dict(side_data(first))
            self.field_order = stream.codec_context.field_order
        self.blank = self._prepare(first)
        """A frame without picture, for the writer to learn format, size, time base and colour from."""
        for samples in video_pixels.views(self.blank):
            samples[...] = 0

    @property
    def turned(self) -> bool:
        """Whether width and height of the frames are those of the stored picture, exchanged."""
        return self._orientation.transpose

    @property
    def frames_estimate(self) -> int | None:
        """How many frames a pass will give, as far as the container tells."""
        return self.info.frames_estimate

    @property
    def end(self) -> Fraction:
        """The time in seconds when the last frame ends, as far as the container tells."""
        duration = self.info.duration or Fraction(0)
        counts_from_zero = "matroska" in self.info.container and duration > self.start
        return duration if counts_from_zero else self.start + duration

    def __iter__(self) -> Iterator[RawFrame]:
        return self.frames()

    def frames(self, start: Fraction | None = None, end: Fraction | None = None) -> Iterator[RawFrame]:
        """Yield the frames with ``start <= time < end`` in seconds; ``index`` counts from 0."""
        with opened(self.path) as container:
            stream = picture_stream(self.path, container)
            if start is not None and stream.time_base:
                # files are sought by times of decoding, which lie before those of display
                held_back = (stream.codec_context.reorder_depth + 1) / (stream.guessed_rate or Fraction(25))
                before = max(start - held_back, min(start, Fraction(0)))
                container.seek(int(before / stream.time_base), stream=stream)
            index = 0
            for time, frame in self._decode(container, stream, whole=start is None):
                if end is not None and time >= end:
                    return
                if start is None or time >= start:
                    yield video_pixels.raw_frame(self._prepare(frame), index, time)
                    index += 1

    def read_at(self, seconds: float) -> RawFrame | None:
        """Return the first frame at or after a time; None after the last."""
        return next(self.frames(Fraction(seconds)), None)

    def close(self) -> None:
        """Do nothing: each pass closes what it opened."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _prepare(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Make the frame planar and upright, and part its memory from the decoder's references."""
        planar = video_pixels.convert(frame, video_pixels.nearest_planar(frame.format.name))
        if self._orientation != video_pixels.Orientation():
            return self._orientation.apply(planar)
        if planar is frame:
            frame.make_writable()
        return planar

    def _decode(
        self, container: InputContainer, stream: VideoStream, *, whole: bool = False
    ) -> Iterator[tuple[Fraction, av.VideoFrame]]:
        """Yield frames with their times, which their pts equal; ``whole`` checks that none is missing."""
        stream.thread_type = "AUTO"
        stream.thread_count = _DECODER_THREADS
        clock = _Clock(self.path, container, stream)
        shape: tuple[int, int, str] | None = None
        frames = samples = promised = 0
        indexed = container.format.name == "avi" or "mp4" in container.format.name
        starts_on_key = indexed and any(entry.is_keyframe for entry in stream.index_entries[:1])
        entry: int | None = None  # the time of the first key frame; what is shown before it cannot be decoded
        for packet in container.demux(stream):
            clock.see(packet)
            if packet.is_corrupt:
                raise self._damaged(clock)
            if packet.size:
                samples += 1
                if entry is None and packet.is_keyframe:
                    entry = packet.pts or 0
                if (
                    entry is not None
                    and not packet.is_discard
                    and (packet.pts is None or packet.pts >= entry)
                ):
                    promised += 1
            try:
                decoded = stream.decode(packet)
            except InvalidDataError as error:
                if not frames and not packet.is_keyframe and not starts_on_key:
                    continue  # the file begins amid a group of pictures that no decoder can show
                raise self._damaged(clock) from error
            for frame in decoded:
                if frame.is_corrupt:
                    raise self._damaged(clock)
                if shape is not None and shape != (frame.width, frame.height, frame.format.name):
                    raise UnsupportedError(
                        f"{self.path} changes its picture size or pixel format after {clock.seconds}; "
                        "cut it there and give eyelid the parts"
                    )
                shape = (frame.width, frame.height, frame.format.name)
                frames += 1
                yield clock.set(frame), frame
        undecoded = stream.codec_context.codec.canonical_name in _ONE_FRAME_A_PACKET and frames < promised
        listed = sum(entry.size > 0 for entry in stream.index_entries) if whole and indexed else 0
        if whole and (undecoded or samples < listed):
            raise self._damaged(clock)

    def _damaged(self, clock: _Clock) -> InputError:
        return InputError(f"{self.path} is truncated or damaged after {clock.seconds}; {REPAIR}")


class _Clock:
    """Gives every frame a time that is later than the one before."""

    def __init__(self, path: Path, container: InputContainer, stream: VideoStream) -> None:
        self._path = path
        self._unit = stream.time_base or Fraction(1, 1_000_000)
        self._step = max(1, round(1 / ((stream.guessed_rate or Fraction(25)) * self._unit)))
        self._decode_order = container.format.name == "avi"  # which stores no display times
        self._first_packet: int | None = None
        self._delay = 0
        self._last: int | None = None

    @property
    def seconds(self) -> str:
        """The time of the last frame, for people."""
        return f"{float((self._last or 0) * self._unit):.2f} s"

    def see(self, packet: av.Packet[VideoStream]) -> None:
        """Note the first packet, from which frames in decode order are counted."""
        if self._first_packet is None:
            self._first_packet = packet.dts

    def set(self, frame: av.VideoFrame) -> Fraction:
        """Write the frame's exact time into it and return it in seconds."""
        moment = self._moment(frame)
        if self._last is not None and moment <= self._last:
            if (self._last - moment) * self._unit > _LARGEST_STEP_BACK:
                raise InputError(
                    f"{self._path} has times that run backwards after {self.seconds}; "
                    "write new ones with 'ffmpeg -fflags +genpts -i input -c copy output'"
                )
            moment = self._last + 1
        self._last = moment
        frame.pts, frame.time_base = moment, self._unit
        return moment * self._unit

    def _moment(self, frame: av.VideoFrame) -> int:
        if not self._decode_order and frame.pts is not None:
            return frame.pts
        if frame.dts is not None:
            if self._last is None and self._first_packet is not None:
                self._delay = frame.dts - self._first_packet  # by which the decoder holds frames back
            return frame.dts - self._delay
        return 0 if self._last is None else self._last + self._step
