"""What is to be covered in each frame, and the covering of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eyelid.evidence.model import CoverReason
from eyelid.track.tracker import LOST
from eyelid.types import Detections

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from eyelid.jobs.coco import CocoDetections
    from eyelid.jobs.finder import Finder
    from eyelid.jobs.keep import Keeper
    from eyelid.jobs.tally import Tally
    from eyelid.obfuscate.base import Obfuscator
    from eyelid.types import RawFrame, SafeFrame


@dataclass(frozen=True, slots=True, eq=False)
class PlannedFrame:
    """A frame that still shows everything, and what to cover in it.

    ``whole`` is the reason why all of it is to be covered, or None. ``held`` counts the entries that no
    detector saw in this frame. ``tracked``: the entries are tracks of a moving picture.
    """

    frame: RawFrame
    found: Detections
    whole: CoverReason | None = None
    held: int = 0
    tracked: bool = False


def look_at_pages(frames: Iterable[RawFrame], finder: Finder) -> Iterator[PlannedFrame]:
    """Yield pages that have nothing to do with one another, with what the detectors see in each."""
    for frame in frames:
        found = finder.find(frame)
        if found is LOST:
            yield PlannedFrame(frame, Detections.none(), CoverReason.DETECTOR_FAILED)
        else:
            yield PlannedFrame(frame, found)


def take_from_file(
    frames: Iterable[RawFrame], coco: CocoDetections, name: str, *, tracked: bool
) -> Iterator[PlannedFrame]:
    """Yield frames with what a file of detections says; a frame that it does not list is covered whole.

    Raises InputError where the file lists frames that do not come.
    """
    count = 0
    for frame in frames:
        count += 1
        found = coco.of(name, frame)
        if found is None:
            yield PlannedFrame(frame, Detections.none(), CoverReason.NOT_LISTED)
        else:
            yield PlannedFrame(frame, found, tracked=tracked)
    coco.check_end(name, count)


def cover(
    planned: Iterable[PlannedFrame],
    obfuscator: Obfuscator,
    keeper: Keeper | None,
    tally: Tally,
    write: Callable[[SafeFrame], None],
) -> None:
    """Destroy what was planned in every frame, count it, and hand the safe frames on."""
    for safe in obfuscator.stream(_decided(planned, keeper, tally)):
        write(safe)


def looking(finder: Finder, keeper: Keeper | None) -> Callable[[RawFrame], Detections | None]:
    """Return what looks for what is still to be hidden in a page, None where a detector fails."""

    def look(frame: RawFrame) -> Detections | None:
        found = finder.find(frame)
        if found is LOST:
            return None
        return found if keeper is None else keeper.without_kept(frame, found)

    return look


def _decided(
    planned: Iterable[PlannedFrame], keeper: Keeper | None, tally: Tally
) -> Iterator[tuple[RawFrame, Detections | None]]:
    """Yield each frame with what to cover in it, None for all of it, and count it."""
    for item in planned:
        if item.whole is not None:
            tally.add_covered(item.whole)
            if keeper is not None:
                keeper.skip()
            yield item.frame, None
            continue
        found = item.found
        if keeper is not None:
            found = (keeper.uncover_tracked if item.tracked else keeper.uncover)(item.frame, found)
        tally.add(found, item.held)
        yield item.frame, found
