"""Frames out of a video file: every one of them, at its exact time, as memory that may be painted on."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Self

import av

from eyelid.errors import InputError
from eyelid.media import video_pixels
from eyelid.media.video_info import VideoInfo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from eyelid.types import RawFrame


class VideoReader:
    """Read the first video stream of a file, as often as wanted; each pass opens the file anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with av.open(str(path)) as container:
                stream = container.streams.video[0]
                frame = next(container.decode(stream))
        except (av.FFmpegError, IndexError, StopIteration) as error:
            raise InputError(f"{path}: cannot be read as a video; check the file") from error
        self.info = VideoInfo(
            path=path,
            container=container.format.name,
            codec=stream.codec_context.name,
            width=frame.width,
            height=frame.height,
            rotation=0,
            sample_aspect=Fraction(1),
            pixel_format=frame.format.name,
            bit_depth=8,
            rate=None,
            duration=None,
            frames_estimate=None,
            audio=(),
            dropped=(),
            changes=(),
        )

    def __iter__(self) -> Iterator[RawFrame]:
        with av.open(str(self.path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            stream.thread_count = 2
            for index, frame in enumerate(container.decode(stream)):
                frame.make_writable()
                yield video_pixels.raw_frame(frame, index, Fraction(frame.pts) * stream.time_base)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release what the reader holds."""
