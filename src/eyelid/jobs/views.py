"""Other pictures of the place that a file shows, with what is to be hidden in them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from eyelid.errors import InputError
from eyelid.media.kinds import MediaKind, sniff
from eyelid.track.tracker import LOST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from eyelid.jobs.finder import Finder
    from eyelid.types import Detections, RawFrame

MOST_PHOTOS: Final = 40
"""So many photos of one command help one another; more are hardly of one place."""

_SAMPLES: Final = 40
_SAMPLE_BYTES: Final = 256 * 2**20
_LEAST_STEP_S: Final = 0.4


def views_of(path: Path, photos: Sequence[Path], finder: Finder) -> Iterator[tuple[RawFrame, Detections]]:
    """Yield moments spread over a whole video, or the photos that go with a photo, and what is seen in them.

    Where a detector fails, the picture is left out, and a photo that cannot be read: it helps nobody. Raises
    InputError and UnsupportedError for ``path``.
    """
    frames = _photos(photos) if sniff(path) is MediaKind.STILL else _moments(path)
    for frame in frames:
        found = finder.find(frame)
        if found is not LOST:
            yield frame, found


def photos_in(folder: Path) -> tuple[Path, ...]:
    """Return the stills in a folder in order of name; raises InputError where there is none."""
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give --views a folder with photos of the same place")
    found = tuple(path for path in sorted(folder.iterdir()) if path.is_file() and is_still(path))
    if not found:
        raise InputError(f"{folder} holds no photo; give --views a folder with photos of the same place")
    return found


def is_still(path: Path) -> bool:
    """Return whether a file is a photo that can be read."""
    try:
        return sniff(path) is MediaKind.STILL
    except InputError:
        return False


def _photos(paths: Sequence[Path]) -> Iterator[RawFrame]:
    from eyelid.media.still import StillReader

    for path in paths:
        with suppress(InputError), StillReader(path) as reader:
            if not reader.info.encoding.animated:
                yield from reader


def _moments(path: Path) -> Iterator[RawFrame]:
    from eyelid.media.video import VideoReader

    with VideoReader(path) as reader:
        seconds = float(reader.end - reader.start)
        size = 3 * reader.info.width * reader.info.height * (2 if reader.info.bit_depth > 8 else 1)
        count = min(_SAMPLES, _SAMPLE_BYTES // max(size, 1), int(seconds / _LEAST_STEP_S))
        for number in range(count):
            frame = reader.read_at(float(reader.start) + seconds * (number + 0.5) / count)
            if frame is not None:
                yield frame
