"""Looks through files, whatever their kind, for what is to be covered."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from eyelid.jobs.coco import CocoDetections
from eyelid.jobs.cover import look_at_pages, take_from_file
from eyelid.jobs.finder import build_finder
from eyelid.jobs.memory import keep_freed_memory, return_freed_frames
from eyelid.jobs.prefetch import prefetch
from eyelid.jobs.scan import Scan, stride_for, tracking
from eyelid.jobs.source import of_still, of_video
from eyelid.jobs.views import MOST_PHOTOS, is_still, photos_in, views_of
from eyelid.media.kinds import MediaKind, sniff
from eyelid.models.session import cores
from eyelid.obfuscate.lock import Lock
from eyelid.obfuscate.remove.parameters import Remove
from eyelid.types import Quality

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from eyelid.detect.base import Detector
    from eyelid.jobs.cover import PlannedFrame
    from eyelid.jobs.finder import Finder
    from eyelid.jobs.settings import Settings
    from eyelid.jobs.source import Source
    from eyelid.media.writer import Writer
    from eyelid.types import Detections, RawFrame, Target

_QUEUE = 2
"""Frames between two stages of the video pipeline."""


@dataclass(frozen=True, slots=True)
class Search:
    """One opened file: what it is, its frames with what to cover in them, and how to write its like.

    ``finder`` is None where a file of detections took its place.
    """

    source: Source
    finder: Finder | None
    planned: Iterator[PlannedFrame]
    open_writer: Callable[[Path], Writer]


class Searcher:
    """Searches files by one set of settings; its detectors are loaded once, before the first file is read.

    ``detectors`` are the user's own, in place of the shipped ones for their targets. Raises ModelError,
    UsageError and InputError where the settings name what cannot be used.
    """

    def __init__(self, settings: Settings, detectors: Sequence[Detector] = ()) -> None:
        self.settings = settings
        self._own = (*detectors, *_specified(settings))
        self._coco = CocoDetections(settings.detections) if settings.detections else None

    @property
    def targets(self) -> tuple[Target, ...]:
        """What is covered: what was asked for, and what the user's detectors or detections bring."""
        own = [target for detector in self._own for target in sorted(detector.targets)]
        listed = self._coco.targets if self._coco is not None else ()
        return tuple(dict.fromkeys((*self.settings.targets, *own, *listed)))

    @cached_property
    def still_finder(self) -> Finder | None:
        """The detectors for stills."""
        return self._finder(moving=False)

    @cached_property
    def video_finder(self) -> Finder | None:
        """The detectors for video."""
        return self._finder(moving=True)

    @cached_property
    def view_finder(self) -> Finder | None:
        """The detectors for pictures that others are filled from: in doubt nothing is taken out of them."""
        if self._coco is not None:
            return None
        settings = self.settings
        return build_finder(
            settings.targets,
            Quality.THOROUGH,
            own=self._own,
            device=settings.device,
            threads=settings.threads,
            moving=False,
        )

    def views(self, path: Path, others: Sequence[Path]) -> Iterator[tuple[RawFrame, Detections]]:
        """Yield other pictures of the place that a file shows, and what is to be hidden in them.

        ``others``: photos of the same command, which count where the settings name no folder. Nothing comes
        where a file of detections takes the place of the detectors. Raises InputError and UnsupportedError.
        """
        finder = self.view_finder
        if finder is None:
            return
        photos = photos_in(self.settings.views) if self.settings.views else others[:MOST_PHOTOS]
        same = [p for p in photos if p.resolve() != path.resolve() and is_still(p)]
        yield from views_of(path, same, finder)

    def _finder(self, *, moving: bool) -> Finder | None:
        """Build the detectors; in a video they leave half of the cores to decoder and encoder."""
        if self._coco is not None:
            return None
        settings = self.settings
        return build_finder(
            settings.targets,
            settings.quality,
            own=self._own,
            device=settings.device,
            threads=settings.threads or (max(1, cores() // 2) if moving else None),
            moving=moving,
        )

    def describe(self, path: Path) -> Source:
        """Say what a file is, without searching it; raises InputError and UnsupportedError."""
        if sniff(path) is MediaKind.STILL:
            from eyelid.media.still import StillReader

            with StillReader(path) as still:
                return of_still(still.info)
        from eyelid.media.video import VideoReader

        with VideoReader(path) as video:
            return of_video(video.info, self.settings.encoding)

    @contextmanager
    def search(self, path: Path, name: str) -> Iterator[Search]:
        """Open a file, which the file of detections calls ``name``; raises InputError, UnsupportedError."""
        with ExitStack() as stack:
            if sniff(path) is MediaKind.STILL:
                yield self._still(path, name, stack)
            else:
                yield self._video(path, name, stack)

    def _still(self, path: Path, name: str, stack: ExitStack) -> Search:
        from eyelid.media.still import Decode, StillReader, StillWriter  # only for stills: memory

        finder = self.still_finder and self.still_finder.afresh()
        decode = Decode.RGB if isinstance(self.settings.method, Lock) else Decode.NATIVE
        reader = stack.enter_context(StillReader(path, decode=decode))
        animated = reader.info.encoding.animated
        if finder is None:
            planned = self._listed(iter(reader), name, tracked=animated)
        elif animated:
            planned = Scan(finder, tracking(self.settings), stride=1).over(reader)
        else:
            planned = look_at_pages(reader, finder)
        return Search(
            of_still(reader.info), finder, planned, lambda partial: StillWriter(partial, reader.info)
        )

    def _video(self, path: Path, name: str, stack: ExitStack) -> Search:
        from eyelid.media.video import VideoReader, VideoWriter  # only for video: memory

        if isinstance(self.settings.method, Remove):
            keep_freed_memory()
        else:
            return_freed_frames()
        finder, encoding = self.video_finder and self.video_finder.afresh(), self.settings.encoding
        reader = stack.enter_context(VideoReader(path))
        source = of_video(reader.info, encoding)
        frames = stack.enter_context(prefetch(reader, _QUEUE))
        if finder is None:
            planned = self._listed(frames, name, tracked=True)
        else:
            stride = stride_for(self.settings.quality, source.rate)
            planned = Scan(finder, tracking(self.settings), stride).over(frames)
        ahead = stack.enter_context(prefetch(planned, _QUEUE))
        return Search(source, finder, ahead, lambda partial: VideoWriter(partial, reader, encoding))

    def _listed(self, frames: Iterator[RawFrame], name: str, *, tracked: bool) -> Iterator[PlannedFrame]:
        assert self._coco is not None
        self._coco.check(name)
        return take_from_file(frames, self._coco, name, tracked=tracked)


def _specified(settings: Settings) -> list[Detector]:
    """Load the detectors that the settings name."""
    if not settings.detectors:
        return []
    from eyelid.detect.custom import load_detector

    device, threads = settings.device, settings.threads
    return [load_detector(spec, device=device, threads=threads) for spec in settings.detectors]
