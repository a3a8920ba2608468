"""Tiny videos, made on the spot: every oddity that a real file may have, and nobody in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream

from eyelid.media.video import VideoEncoding, VideoReader, VideoWriter
from eyelid.types import _SEAL, SafeFrame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.stream import Stream
    from numpy.typing import NDArray

CANARY = "CANARY-7431-canary"
VARIABLE = (0, 512, 600, 2000, 2100, 2113, 9000, 9700, 12800, 13313, 13825, 20000, 20020, 25600)
"""Times of a variable frame rate, in ticks of 1/12800 s."""


@dataclass(frozen=True)
class Clip:
    """How a clip is made; times are in ticks of ``time_base``, None for a constant ``rate``."""

    encoder: str = "libx264"
    pixel_format: str = "yuv420p"
    width: int = 64
    height: int = 48
    frames: int = 24
    rate: int = 25
    time_base: Fraction = Fraction(1, 12800)
    times: Sequence[int] | None = None
    options: dict[str, str] = field(default_factory=lambda: {"preset": "veryfast"})
    rotation: int = 0
    mirrored: bool = False
    aspect: Fraction = Fraction(1)
    colour: tuple[int, int, int, int] = (2, 2, 2, 0)  # primaries, transfer, matrix, range
    interlaced: bool = False
    audio: str | None = None
    languages: tuple[str, ...] = ("eng",)
    secrets: bool = False  # titles, places, chapters, subtitles, timecode, cover art: all with the canary

    def write(self, path: Path) -> Path:
        """Make the clip at a path whose suffix names the container."""
        options = {"movflags": "use_metadata_tags"} if path.suffix == ".mov" else {}
        with av.open(str(path), "w", container_options=options) as container:
            stream = self._add_video(container)
            sounds = [self._add_audio(container, name) for name in self.languages] if self.audio else []
            extras = self._add_secrets(container, path.suffix, stream) if self.secrets else []
            unit = self.time_base
            for index in range(self.frames):
                frame = av.VideoFrame.from_ndarray(picture(index, self.width, self.height), "rgb24")
                frame = frame.reformat(format=self.pixel_format)
                ticks = self.times[index] if self.times else round(index / (self.rate * unit))
                frame.pts, frame.time_base = ticks, unit
                frame.duration = round(1 / (self.rate * unit))
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
            for sound in sounds:
                self._sing(container, sound)
            container.mux(extras)
        return path

    def _add_video(self, container: OutputContainer) -> VideoStream:
        stream = container.add_stream(self.encoder, rate=self.rate, options=dict(self.options))
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = self.width, self.height, self.pixel_format
        context = stream.codec_context
        context.time_base = stream.time_base = self.time_base
        context.sample_aspect_ratio = self.aspect
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = self.colour
        if self.interlaced:
            context.flags |= av.codec.context.Flags.interlaced_dct
            context.field_order = 2
        if self.rotation or self.mirrored:
            stream.set_display_rotation(self.rotation, hflip=self.mirrored)
        return stream

    def _add_audio(self, container: OutputContainer, language: str) -> AudioStream:
        assert self.audio
        stream = container.add_stream(self.audio, rate=48000)
        assert isinstance(stream, av.AudioStream)
        stream.metadata["language"] = language
        return stream

    def _sing(self, container: OutputContainer, stream: AudioStream) -> None:
        size = stream.codec_context.frame_size or 1024
        count = max(1, int(self.frames / self.rate * 48000 / size))
        wave = np.random.default_rng(stream.index).normal(0, 0.1, (2, count * size)).astype(np.float32)
        resampler = av.AudioResampler(stream.codec_context.format.name, "stereo", 48000)
        for index in range(count):
            samples = np.ascontiguousarray(wave[:, index * size : (index + 1) * size])
            sound = av.AudioFrame.from_ndarray(samples, "fltp", "stereo")
            sound.sample_rate, sound.pts, sound.time_base = 48000, index * size, Fraction(1, 48000)
            for piece in resampler.resample(sound):
                container.mux(stream.encode(piece))
        container.mux(stream.encode(None))

    def _add_secrets(
        self, container: OutputContainer, suffix: str, video: VideoStream
    ) -> list[Packet[Stream]]:
        quicktime = suffix in (".mp4", ".mov")
        container.metadata.update(
            title=CANARY,
            comment=CANARY,
            artist=CANARY,
            creation_time="2021-03-04T05:06:07Z",
            location="+48.8577+002.2950/",
        )
        container.metadata["com.apple.quicktime.model"] = CANARY
        container.metadata["com.apple.quicktime.location.ISO6709"] = CANARY
        video.metadata.update(handler_name=CANARY, title=CANARY)
        if quicktime:
            video.metadata["timecode"] = "01:02:03:04"
        chapter = {
            "id": 1,
            "start": 0,
            "end": 500,
            "time_base": Fraction(1, 1000),
            "metadata": {"title": CANARY},
        }
        container.set_chapters([chapter])  # type: ignore[list-item]  # a plain dict is what it takes
        subtitles = container.add_mux_stream("mov_text" if quicktime else "subrip")
        subtitles.time_base = Fraction(1, 1000)
        text = CANARY.encode()
        line = Packet((len(text).to_bytes(2, "big") if quicktime else b"") + text)
        line.stream, line.pts, line.dts, line.duration = subtitles, 0, 0, 400
        line.time_base = Fraction(1, 1000)
        packets = [line]
        if suffix == ".mkv":
            container.add_attachment(f"{CANARY}.txt", "text/plain", CANARY.encode())
        else:
            packets.append(_cover(container))
        return packets


def _cover(container: OutputContainer) -> Packet[Stream]:
    stream = container.add_stream("mjpeg", rate=1)
    assert isinstance(stream, VideoStream)
    stream.width, stream.height, stream.pix_fmt = 32, 32, "yuvj420p"
    stream.disposition = av.stream.Disposition.attached_pic
    packet = stream.encode(
        av.VideoFrame.from_ndarray(picture(1, 32, 32), "rgb24").reformat(format="yuvj420p")
    )[0]
    jpeg = bytes(packet)
    comment = b"\xff\xfe" + (len(CANARY) + 2).to_bytes(2, "big") + CANARY.encode()
    cover = Packet(jpeg[:2] + comment + jpeg[2:])
    cover.stream, cover.pts, cover.dts, cover.time_base = stream, 0, 0, Fraction(1, 1)
    return cover


def picture(index: int, width: int, height: int) -> NDArray[np.uint8]:
    """A moving gradient with a noisy patch, uint8 RGB of shape (height, width, 3); every frame differs."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = (x * 3 + index * 5) % 256, (y * 4 + index * 3) % 256
    blue = np.full_like(red, (index * 11) % 256)
    made = np.stack([red, green, blue], -1).astype(np.uint8)
    patch = np.random.default_rng(index).integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    made[: height // 4, : width // 4] = patch
    return made


def with_messages(source: Path, target: Path) -> Path:
    """Copy an H.264 MP4 with the canary in each frame: as closed captions and as unregistered user data."""
    captions = b"".join(b"\xfc" + pair.encode() for pair in (CANARY[i : i + 2] for i in range(0, 18, 2)))
    count = len(captions) // 3
    registered = b"\xb5\x00\x31GA94\x03" + bytes([0xC0 | count, 0xFF]) + captions + b"\xff"
    unregistered = bytes(range(1, 17)) + CANARY.encode()
    message = b"\x06" + b"".join(
        bytes([kind, len(payload)]) + payload for kind, payload in ((4, registered), (5, unregistered))
    )
    message += b"\x80"
    with av.open(str(source)) as read, av.open(str(target), "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0], opaque=True)
        for packet in read.demux(video=0):
            if packet.size:
                held = Packet(len(message).to_bytes(4, "big") + message + bytes(packet))
                held.pts, held.dts, held.duration = packet.pts, packet.dts, packet.duration
                held.time_base, held.is_keyframe, held.stream = packet.time_base, packet.is_keyframe, stream
                written.mux(held)
    return target


def copy(source: Path, target: Path, encoding: VideoEncoding | None = None) -> VideoWriter:
    """Send every frame of a clip through reader and writer unchanged."""
    with VideoReader(source) as reader:
        with VideoWriter(target, reader, encoding or VideoEncoding()) as writer:
            for frame in reader:
                writer.write(SafeFrame(frame, _SEAL))
        return writer


def times(path: Path) -> list[Fraction]:
    """The display times of all frames in seconds, told by PyAV alone."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [(frame.pts or 0) * (frame.time_base or Fraction(0)) for frame in container.decode(stream)]


def packets(path: Path) -> list[list[tuple[Fraction, bytes]]]:
    """The time and bytes of each audio packet of each audio stream."""
    with av.open(str(path)) as container:
        return [_stream_packets(path, index) for index in range(len(container.streams.audio))]


def _stream_packets(path: Path, index: int) -> list[tuple[Fraction, bytes]]:
    with av.open(str(path)) as container:
        found = container.demux(audio=index)
        return [(p.pts * p.time_base, bytes(p)) for p in found if p.size and p.pts is not None]
