"""Safe frames into a video file, with the sound of the source beside them."""

from __future__ import annotations

import math
import os
from contextlib import contextmanager, suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import av
from av.codec.context import Flags as CodecFlags
from av.codec.context import ThreadType
from av.video.frame import PictureType
from av.video.stream import VideoStream

from eyelid.errors import OutputError, UsageError
from eyelid.media.encoding import AudioMode
from eyelid.media.kinds import CONTAINERS
from eyelid.media.priority import kept_priority
from eyelid.media.video_encoding import plan
from eyelid.media.video_hdr import hdr_options
from eyelid.media.video_pixels import convert, copy_planes, views
from eyelid.media.video_sound import SoundCopy
from eyelid.media.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from av.packet import Packet

    from eyelid.media.encoding import VideoEncoding
    from eyelid.media.video_reader import VideoReader
    from eyelid.types import SafeFrame

_FINEST_MOVIE_CLOCK: Final = 10_000_000  # ticks a second
_BITEXACT: Final = 0x400  # AVFMT_FLAG_BITEXACT: no version names, no random identifiers
_LAMBDA: Final = 118  # FFmpeg's units to one step of the quantiser
_BY_QUANTISER: Final = {"mpeg4": 3 * _LAMBDA, "mpeg2video": 3 * _LAMBDA, "mjpeg": 3 * _LAMBDA}  # have no crf


class VideoWriter(Writer):
    """Encode safe frames of one source into the container that the suffix of ``path`` names.

    Timestamps are those of the source. Nothing of the source but its safe frames and, if asked, its audio
    packets reaches the output. Raises UsageError for a suffix, encoder or option that cannot be had, and
    OutputError where the file cannot be written or cannot hold the sound.
    """

    def __init__(self, path: Path, reader: VideoReader, encoding: VideoEncoding) -> None:
        self._path = path
        form = CONTAINERS.get(path.suffix.lower())
        if form is None:
            raise UsageError(f"{path} names no video container; end it in one of {', '.join(CONTAINERS)}")
        first = reader.blank
        self._plan = plan(encoding, form, first.format.name, first.width, first.height)
        self._changes = list(self._plan.changes)
        self._sound: SoundCopy | None = None
        self._rounds = form == "avi" and reader.info.container != "avi"  # to a constant rate
        unit = first.time_base or Fraction(1, 1000)
        self._unit = 1 / (reader.info.rate or Fraction(25)) if self._rounds else unit
        self._last: int | None = None
        with self._reported():
            self._container = av.open(f"file:{path}", "w", format=form)
        try:
            self._start(form, reader, encoding)
        except BaseException:
            self.abandon()
            raise

    @property
    def changes(self) -> tuple[str, ...]:
        """What encoding alters beside the picture's compression, in sentences."""
        return tuple(self._changes)

    @property
    def encoder(self) -> Mapping[str, str]:
        """The encoder in use, under ``encoder``, and the options that it was given."""
        return {"encoder": self._plan.encoder, **self._plan.options}

    def write(self, frame: SafeFrame) -> None:
        """Encode one frame; frames come in order of time.

        Raises ValueError where they do not, and OutputError where the file cannot be written.
        """
        carrier = frame.carrier
        if not isinstance(carrier, av.VideoFrame) or frame.time is None:
            raise TypeError("the frame was not read by a VideoReader")
        picture = self._fit(carrier)
        moment = round(frame.time / self._unit)
        if self._last is not None and moment <= self._last:
            if not self._rounds:
                raise ValueError(f"the frame at {float(frame.time):.3f} s comes after a later one")
            moment = self._last + 1
        self._last = moment
        duration = (picture.duration or 0) * (picture.time_base or self._unit)
        picture.pts, picture.time_base = moment, self._unit
        picture.duration = max(1, round(duration / self._unit)) if duration else 0
        picture.pict_type = PictureType.NONE
        with self._reported():
            self._mux(self._stream.encode(picture))

    def close(self) -> None:
        """Write what is still held back and finish the file. Raises OutputError where that fails."""
        with self._reported():
            self._mux(self._stream.encode(None))
            if self._sound:
                self._sound.copy(None)
                self._sound.close()
            self._container.close()

    def _start(self, form: str, reader: VideoReader, encoding: VideoEncoding) -> None:
        """Add the streams and write the header, so that what cannot work fails before the first frame."""
        self._container.flags |= _BITEXACT
        self._stream = self._add_picture(form, reader)
        if encoding.audio is AudioMode.KEEP and reader.info.audio:
            foreign = form in ("matroska", "webm", "avi") and form not in reader.info.container
            self._sound = SoundCopy(reader.path, self._container, self._path.suffix, from_zero=foreign)
            if self._sound.left_out:
                self._changes.append(
                    f"the sound's lead-in before 0 s was left out, which {self._path.suffix} lacks"
                )
        if form in ("mp4", "mov"):
            self._container.container_options["movie_timescale"] = str(self._movie_clock())
        with self._reported(), kept_priority():
            try:
                self._container.start_encoding()
            except av.FFmpegError as error:
                if isinstance(error, OSError):
                    raise
                raise self._refused(encoding) from error
        finest = self._unit if self._rounds else self._stream.time_base or self._unit
        if self._rounds or (self._unit / finest).denominator != 1:
            self._changes.append(f"times are kept to {finest} s, the finest that {self._path.suffix} holds")

    def _add_picture(self, form: str, reader: VideoReader) -> VideoStream:
        first, info = self._fit(reader.blank), reader.info
        name, options = self._plan.encoder, self._plan.options
        rate = info.rate or Fraction(25)
        try:
            stream = self._container.add_stream(name, rate=rate)
        except ValueError as error:
            raise UsageError(
                f"{self._path.suffix} cannot hold what {name} writes; choose another --encoder"
            ) from error
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = first.width, first.height, first.format.name
        context.time_base = stream.time_base = self._unit
        aspect = info.sample_aspect
        context.sample_aspect_ratio = 1 / aspect if reader.turned else aspect
        context.color_range, context.colorspace = first.color_range, first.colorspace
        context.color_primaries, context.color_trc = first.color_primaries, first.color_trc
        context.flags |= CodecFlags.frame_duration
        context.thread_type = ThreadType.FRAME  # PyAV's default, slices, costs quality
        context.thread_count = (
            os.cpu_count() or 1
        )  # x264's own choice is half as many again, and their frames
        if form == "avi":
            context.max_b_frames = 0  # AVI stores no display times
        if name in _BY_QUANTISER:
            context.qscale = True
            context.global_quality = _BY_QUANTISER[name]
        if reader.blank.interlaced_frame:
            if name == "libx264" and not reader.turned:
                context.flags |= CodecFlags.interlaced_dct
                context.field_order = reader.field_order
            else:
                self._changes.append("interlaced fields were encoded as progressive frames")
        hdr, lost = hdr_options(reader.side_data, name)
        if lost:
            self._changes.append(f"HDR mastering metadata was left out, which {name} does not take")
        merged = {key: ":".join(filter(None, (options.get(key), value))) for key, value in hdr.items()}
        context.options = {**options, **merged}
        return stream

    def _movie_clock(self) -> int:
        """Return ticks a second that count the start offsets of picture and sound exactly, if few do."""
        rates = self._sound.rates if self._sound else ()
        exact = math.lcm(self._unit.denominator, *rates)
        return exact if exact <= _FINEST_MOVIE_CLOCK else min(self._unit.denominator, _FINEST_MOVIE_CLOCK)

    def _fit(self, frame: av.VideoFrame) -> av.VideoFrame:
        fitted = convert(frame, self._plan.pixel_format)
        if (fitted.width, fitted.height) == (self._plan.width, self._plan.height):
            return fitted
        return copy_planes(fitted, self._plan.width, self._plan.height, fitted.format.name, views(fitted))

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            if self._sound and packet.dts is not None:
                self._sound.copy(packet.dts * packet.time_base)
            self._container.mux_one(packet)

    def _refused(self, encoding: VideoEncoding) -> UsageError:
        wishes = {"--crf": encoding.crf, "--preset": encoding.preset}
        asked = " and ".join(f"{name} {value}" for name, value in wishes.items() if value is not None)
        return UsageError(
            f"{self._plan.encoder} cannot write this video into {self._path.suffix}"
            f"{asked and ' with '}{asked}; choose another --encoder, such as libx264 or libvpx-vp9"
        )

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except (av.FFmpegError, OSError) as error:
            reason = (
                error.strerror if isinstance(error, OSError) and error.strerror else "the muxer refused it"
            )
            raise OutputError(
                f"{self._path} cannot be written ({reason}); check its folder and free space"
            ) from error

    def abandon(self) -> None:
        """Let go of both files; what is written so far is of no use."""
        if self._sound:
            self._sound.close()
        with suppress(av.FFmpegError, OSError):
            self._container.close()
