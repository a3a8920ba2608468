"""Gives the holder of the key the original pixels back."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from eyelid.errors import LockError
from eyelid.jobs.progress import Progress, silent
from eyelid.media.atomic import atomic_output, check_output
from eyelid.media.encoding import LOSSLESS
from eyelid.media.kinds import MediaKind, sniff
from eyelid.media.still import Decode, StillReader, write_lossless
from eyelid.media.video import VideoReader, VideoWriter
from eyelid.obfuscate.keys import read_key
from eyelid.obfuscate.lock import Lock
from eyelid.obfuscate.lock_format import LockReader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from eyelid.jobs.progress import ProgressListener
    from eyelid.types import SafeFrame


def unlock(
    locked: Path,
    key: Path,
    output: Path | None = None,
    *,
    force: bool = False,
    listener: ProgressListener = silent,
) -> Path:
    """Write a copy of ``locked`` in which what was covered shows the exact pixels decoded from the original.

    The copy is lossless: FFV1 in MKV for a video (whose times are
    whole milliseconds), PNG for a still of one page without CMYK, else TIFF. Its usual name is
    ``a.unlocked.mkv`` for ``a.anon.mp4``. Returns its path. Raises LockError (no or wrong key, no sidecar,
    altered files), InputError and OutputError.
    """
    secret = read_key(key)
    video = sniff(locked) is MediaKind.VIDEO
    sidecar = locked.with_name(f"{locked.name}{Lock.sidecar}")
    if not sidecar.exists():
        raise LockError(
            f"{sidecar} with the locked pixels is missing; was {locked.name} made with --method lock?"
        )
    with LockReader(sidecar, secret, locked) as lock:
        if video:
            output = output or _unlocked(locked, ".mkv")
            check_output(locked, output, force=force)
            with (
                VideoReader(locked) as reader,
                atomic_output(output, force=force) as partial,
                VideoWriter(partial, reader, LOSSLESS) as writer,
            ):
                for frame in reader:
                    writer.write(lock.restore(frame))
                    listener(Progress(locked, frame.index + 1, reader.info.frames_estimate, "frames"))
            return output
        with StillReader(locked, decode=Decode.RGB) as still:
            pages = still.info.pages

            def restored() -> Iterator[SafeFrame]:
                for frame in still:
                    yield lock.restore(frame)
                    listener(Progress(locked, frame.index + 1, pages, "pages"))

            frames = restored()
            first = next(frames)
            output = output or _unlocked(locked, ".png" if pages == 1 and _fits_png(first) else ".tiff")
            check_output(locked, output, force=force)
            with atomic_output(output, force=force) as partial:
                write_lossless(partial, chain([first], frames))
        return output


def _fits_png(frame: SafeFrame) -> bool:
    return all(plane.name in {"L", "R", "G", "B", "A"} for plane in frame.planes)


def _unlocked(locked: Path, suffix: str) -> Path:
    return locked.with_name(f"{locked.stem.removesuffix('.anon')}.unlocked{suffix}")
