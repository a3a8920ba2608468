"""An output beside its original: opened together, and the people who are seen in both."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from eyelid.attack.context import Sightings
from eyelid.audit.watch import Watched, Watcher
from eyelid.errors import UsageError
from eyelid.jobs.finder import Finder
from eyelid.jobs.progress import Progress, silent
from eyelid.jobs.search import Searcher
from eyelid.media.kinds import MediaKind, sniff
from eyelid.obfuscate.regions import Coverage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from eyelid.audit.watch import Track
    from eyelid.jobs.progress import ProgressListener
    from eyelid.jobs.settings import Settings
    from eyelid.jobs.source import Source
    from eyelid.types import RawFrame


def kind_of_both(output: Path, original: Path) -> MediaKind:
    """Return what both files are; raises UsageError where they differ in it, InputError, UnsupportedError."""
    kind = sniff(output)
    if sniff(original) is not kind:
        raise UsageError(f"{original} is no {kind}, as {output} is; name the original that it was made from")
    return kind


@contextmanager
def frames_of(path: Path, kind: MediaKind) -> Iterator[Iterator[RawFrame]]:
    """Open a photo or video for its frames."""
    if kind is MediaKind.STILL:
        from eyelid.media.still import StillReader  # only for stills: memory

        with StillReader(path) as still:
            yield iter(still)
    else:
        from eyelid.media.video import VideoReader  # only for video: memory

        with VideoReader(path) as video:
            yield iter(video)


def sightings_of(tracks: Iterable[Track]) -> Sightings:
    """Return the earlier half of the sightings of each person as known, the later half as probes."""
    halves = [(t.sightings[: len(t.sightings) // 2], t.sightings[len(t.sightings) // 2 :]) for t in tracks]
    return Sightings(
        [one for known, _ in halves for one in known],
        [one for known, later in halves if known for one in later],
    )


def watch(
    output: Path, original: Path, watcher: Watcher, settings: Settings, listener: ProgressListener = silent
) -> tuple[Watched, Source]:
    """Watch ``output`` beside ``original``, in which people are followed; say what the latter is.

    Raises InputError and UnsupportedError for files that cannot be read, UsageError where the two do not
    belong together, ModelError.
    """
    kind = kind_of_both(output, original)
    watched = Watched()
    with Searcher(settings).search(original, original.name) as search, frames_of(output, kind) as frames:
        for watched in watcher.watch(search.planned, frames):
            listener(Progress(output, watched.frames, search.source.total, search.source.unit))
        return watched, search.source


def sightings(
    output: Path, original: Path, settings: Settings, listener: ProgressListener = silent
) -> Sightings:
    """Follow the faces of ``original`` through time, and return what ``output`` shows around each.

    ``settings`` say by which detectors, and where they run. Raises as :func:`watch`.
    """
    nobody = Finder(())
    watched, _ = watch(output, original, Watcher(nobody, nobody, frozenset(), Coverage()), settings, listener)
    return sightings_of(watched.tracks.values())
