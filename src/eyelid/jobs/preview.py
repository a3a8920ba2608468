"""Three seconds of a long video first, where most is to hide, and what the whole run would take."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from eyelid.errors import UsageError
from eyelid.jobs.cover import cover
from eyelid.jobs.progress import Progress, silent
from eyelid.jobs.scan import Scan, stride_for, tracking
from eyelid.jobs.source import refusal
from eyelid.jobs.tally import Tally
from eyelid.media.atomic import atomic_output, check_output
from eyelid.media.kinds import MediaKind, sniff
from eyelid.media.video import AudioMode, VideoReader, VideoWriter
from eyelid.obfuscate.held import NoisyParameters
from eyelid.obfuscate.lock import Lock
from eyelid.obfuscate.registry import build as build_obfuscator
from eyelid.obfuscate.solid import Solid
from eyelid.track.tracker import LOST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from eyelid.jobs.cover import PlannedFrame
    from eyelid.jobs.finder import Finder
    from eyelid.jobs.progress import ProgressListener
    from eyelid.jobs.search import Searcher
    from eyelid.types import RawFrame

PARTS: Final = 3
PART_S: Final = Fraction(1)
LOOKS: Final = 36
"""How many frames, spread over the video, are searched to choose the parts."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A preview: the ``starts`` of its parts in seconds, and how long (in ``seconds``) and large (``size`` in
    bytes) the full run would be.
    """

    output: Path
    starts: tuple[float, ...]
    seconds: float
    size: int


def preview(
    source: Path,
    output: Path | None,
    searcher: Searcher,
    *,
    force: bool = False,
    listener: ProgressListener = silent,
) -> Preview:
    """Anonymise the three seconds of a video that show most targets, without sound, and estimate the rest.

    Locked pixels are not kept and no epsilon is spent: ``lock`` and the methods with noise show as ``solid``,
    for a preview has no evidence that could count it. Raises UsageError for a still, for a file of
    detections and for a method that takes photos only, InputError and OutputError.
    """
    refused = refusal(searcher.settings.method, source)
    if refused:
        raise UsageError(refused)
    finder = searcher.video_finder
    if finder is None:
        raise UsageError("--preview chooses by detecting; leave out --detections, or --preview")
    if sniff(source) is not MediaKind.VIDEO:
        raise UsageError(f"{source} is a still; a preview is for video, anonymise it directly")
    output = output or source.with_name(f"{source.stem}.preview{source.suffix}")
    check_output(source, output, force=force)
    settings = searcher.settings
    method = Solid() if isinstance(settings.method, Lock | NoisyParameters) else settings.method
    encoding = settings.encoding.model_copy(update={"audio": AudioMode.DROP})
    with VideoReader(source) as reader:
        starts = _best_starts(reader, finder, source, listener)
        rate = None if reader.info.rate is None else float(reader.info.rate)
        obfuscator = build_obfuscator(method, settings.coverage)
        tally = Tally(searcher.targets)
        began = time.perf_counter()
        with atomic_output(output, force=force) as partial:
            with VideoWriter(partial, reader, encoding) as writer:
                for number, start in enumerate(starts):
                    scan = Scan(finder, tracking(settings), stride_for(settings.quality, rate))
                    planned = scan.over(reader.frames(start, start + PART_S))
                    moved = _moved(planned, number * PART_S - start, tally.total)
                    cover(moved, obfuscator, None, tally, writer.write)
            size = partial.stat().st_size
        spent = time.perf_counter() - began
    whole = (reader.info.frames_estimate or tally.total) / max(tally.total, 1)
    return Preview(output, tuple(float(start) for start in starts), spent * whole, round(size * whole))


def _best_starts(
    reader: VideoReader, finder: Finder, source: Path, listener: ProgressListener
) -> list[Fraction]:
    """Return the starts in seconds, in order, of the parts that show most targets."""
    room = max(reader.end - reader.start - PART_S, Fraction(0))
    looks = max(1, min(LOOKS, int(room / PART_S) + 1))
    times = [reader.start + room * number / max(looks - 1, 1) for number in range(looks)]
    found: list[tuple[int, Fraction]] = []
    for number, moment in enumerate(times, start=1):
        frame = reader.read_at(float(moment))
        if frame is not None:
            seen = finder.find(frame)
            found.append((-1_000_000 if seen is LOST else -len(seen), moment))
        listener(Progress(source, number, looks, "frames"))
    chosen: list[Fraction] = []
    for _, moment in sorted(found):
        if len(chosen) < PARTS and all(abs(moment - other) >= PART_S for other in chosen):
            chosen.append(moment)
    return sorted(chosen)


def _moved(planned: Iterator[PlannedFrame], by: Fraction, first: int) -> Iterator[PlannedFrame]:
    """Yield frames moved in time, numbered on from ``first``."""

    def move(frame: RawFrame) -> RawFrame:
        assert frame.time is not None
        return replace(frame, time=frame.time + by, index=frame.index + first)

    for item in planned:
        yield replace(item, frame=move(item.frame))
