"""Open a video file so that damage, absence and trickery end in one clear error."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import av
from av.stream import Discard, Disposition

from eyelid.errors import InputError, UnsupportedError
from eyelid.media.video_rhythm import Missing, Rhythm
from eyelid.media.video_size import declared_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.video.stream import VideoStream

_DEMUXERS: Final = "mov,matroska,avi"
_OPTIONS: Final = {"protocol_whitelist": "file", "format_whitelist": _DEMUXERS}
_MISCOUNTED: Final = 1  # frames by which a writer may err, and lose none
REPAIR: Final = "repair it with 'ffmpeg -i damaged.mp4 -c copy repaired.mp4' or take a sound copy"


@contextmanager
def opened(path: Path, *, untrimmed: bool = False) -> Iterator[InputContainer]:
    """Open a local file for demuxing; playlists and addresses are refused.

    ``untrimmed``: what an MP4's edit lists leave out is there too. Raises InputError (missing, empty,
    unreadable, damaged) from here and from whatever is read inside.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file; check the path")
    size = path.stat().st_size
    if size == 0:
        raise InputError(f"{path} is empty; copy it again from its origin")
    try:
        if declared_size(path) > size:
            raise InputError(f"{path} is truncated: it ends before the length that it declares; {REPAIR}")
    except PermissionError as error:
        raise InputError(f"{path} may not be read; change its permissions") from error
    options = _OPTIONS | ({"ignore_editlist": "1"} if untrimmed else {})
    try:
        with av.open(f"file:{path}", container_options=options, metadata_errors="replace") as container:
            yield container
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
        if other.index != stream.index:
            other.discard = Discard.all
    return stream


@dataclass(frozen=True, slots=True)
class Walk:
    """What a walk over all packets finds: their number, what is missing between them, what is not shown.

    ``left_out`` counts the frames that an MP4 lists but, by its own word, does not show.
    """

    frames: int | None = None
    missing: Missing | None = None
    left_out: int = 0


def scan(path: Path) -> Walk:
    """Look for frames of an MP4, Matroska or WebM file that its demuxer leaves out without a word.

    A Matroska file does not say how many frames it holds: all its packets are walked over. Raises InputError
    where parts cannot be read.
    """
    with _log_of_errors() as messages, opened(path) as container:  # opening reads the first packets
        if "mp4" in container.format.name:
            return _listed(path, container)
        if "matroska" not in container.format.name:
            return Walk()
        stream = picture_stream(path, container)
        rate, unit, count = stream.guessed_rate, stream.time_base or Fraction(1, 1000), 0
        rhythm = Rhythm(1 / rate, unit) if rate else None
        for packet in container.demux(stream):
            count += packet.size > 0
            if rhythm and packet.size and packet.pts is not None:
                rhythm.see(packet.pts)
    if any("matroska" in name for _, name, _ in messages):
        raise InputError(f"{path} is damaged inside: parts of it cannot be read; {REPAIR}")
    return Walk(count, rhythm.end() if rhythm else None)


def _listed(path: Path, container: InputContainer) -> Walk:
    """Hold the frames that an MP4 shows against the number it declares, which fragments do not have."""
    stream = picture_stream(path, container)
    shown = sum(entry.size > 0 and not entry.is_discard for entry in stream.index_entries)
    left_out = max(stream.frames, len(stream.index_entries)) - shown
    if left_out <= 0:
        return Walk()
    with opened(path, untrimmed=True) as whole:
        if len(picture_stream(path, whole).index_entries) < stream.frames - _MISCOUNTED:
            raise InputError(f"{path} is damaged: it does not say where all its frames lie; {REPAIR}")
    return Walk(shown or None, left_out=left_out)


@contextmanager
def _log_of_errors() -> Iterator[list[tuple[int, str, str]]]:
    """Give what FFmpeg logs as errors in this thread, each time anew: a second file may have the same."""
    level, skips = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture() as messages:
            yield messages
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skips)
