"""Safe frames into a video file, with the sound of the source beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import av

from eyelid.media.video_encoding import AudioMode, VideoEncoding

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from eyelid.media.video_reader import VideoReader
    from eyelid.types import SafeFrame


class VideoWriter:
    """Encode safe frames of one source to a path whose suffix names the container."""

    def __init__(self, path: Path, reader: VideoReader, encoding: VideoEncoding) -> None:
        self._container = av.open(str(path), "w")
        self._source = av.open(str(reader.path))
        self._sound = {}
        video = self._source.streams.video[0]
        self._stream = self._container.add_stream(encoding.encoder or "libx264", rate=video.guessed_rate or 25)
        context = self._stream.codec_context
        context.width, context.height = reader.info.width, reader.info.height
        context.pix_fmt = reader.info.pixel_format
        context.time_base = self._stream.time_base = video.time_base
        context.thread_type = "FRAME"
        context.options = {"crf": str(encoding.crf or 20), "preset": encoding.preset or "veryfast"}
        if encoding.audio is AudioMode.KEEP:
            for stream in self._source.streams.audio:
                self._sound[stream.index] = self._container.add_stream_from_template(stream)
        self._packets = self._source.demux(*self._source.streams.audio) if self._sound else iter(())

    def write(self, frame: SafeFrame) -> None:
        """Encode one frame; frames come in order of time."""
        picture = frame.carrier
        assert isinstance(picture, av.VideoFrame)
        picture.pict_type = 0
        self._container.mux(self._stream.encode(picture))

    def close(self) -> None:
        """Finish the file."""
        self._container.mux(self._stream.encode(None))
        for packet in self._packets:
            if packet.dts is not None:
                packet.stream = self._sound[packet.stream.index]
                self._container.mux(packet)
        self._container.close()
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
