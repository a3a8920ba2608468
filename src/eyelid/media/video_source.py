"""Open a video file so that damage, absence and trickery end in one clear error."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import av
from av.stream import Discard, Disposition

from eyelid.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.video.stream import VideoStream

_DEMUXERS: Final = "mov,matroska,avi"
_OPTIONS: Final = {"protocol_whitelist": "file", "format_whitelist": _DEMUXERS}
REPAIR: Final = "repair it with 'ffmpeg -i damaged.mp4 -c copy repaired.mp4' or take a sound copy"


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Open a local file for demuxing; playlists and addresses are refused.

    Raises InputError (missing, empty, unreadable, damaged) from here and from whatever is read inside.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file; check the path")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty; copy it again from its origin")
    try:
        with av.open(f"file:{path}", container_options=_OPTIONS, metadata_errors="replace") as container:
            yield container
    except PermissionError as error:
        raise InputError(f"{path} may not be read; change its permissions") from error
    except (av.FFmpegError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is damaged or not a video that eyelid reads; {REPAIR}") from error


def picture_stream(path: Path, container: InputContainer) -> VideoStream:
    """Return the stream that is the video, and keep the demuxer from reading what nobody uses."""
    streams = [s for s in container.streams.video if Disposition.attached_pic not in s.disposition]
    if not streams:
        raise UnsupportedError(f"{path} has no video stream; eyelid covers pictures only")
    stream = streams[0]
    if stream.codec_context is None:
        raise UnsupportedError(f"{path} holds a video codec that eyelid does not know; convert it to H.264")
    if not stream.codec_context.width:
        raise InputError(f"{path} holds no readable video stream; {REPAIR}")
    for other in container.streams:
        if other.index != stream.index and other.type != "audio":
            other.discard = Discard.all
    return stream


def check_table(path: Path, container: InputContainer) -> None:
    """Raise InputError where the container lists samples that lie beyond the end of the file."""
    if "mp4" not in container.format.name:
        return  # others list no samples in advance
    end = path.stat().st_size
    for stream in (*container.streams.video, *container.streams.audio):
        if any(entry.pos + entry.size > end for entry in stream.index_entries):
            raise InputError(f"{path} is truncated: its table lists more than the file holds; {REPAIR}")
