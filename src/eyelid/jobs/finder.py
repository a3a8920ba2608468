"""All detectors of a run as one, which says that it failed rather than that it saw nothing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np

from eyelid.detect.registry import build_all
from eyelid.errors import UsageError
from eyelid.track.tracker import LOST, Lost
from eyelid.types import Detections, Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eyelid.detect.base import Detector
    from eyelid.models.session import Device
    from eyelid.types import Quality, RawFrame

FARTHEST: Final = 16.0
"""A box that reaches further than so many frame sizes outside the frame comes from a broken detector."""


class Finder:
    """Runs every detector on a frame and joins what they find.

    ``failures`` counts the kinds of exceptions that detectors raised, by class name: their messages may
    quote what the detector read.
    """

    def __init__(self, detectors: Sequence[Detector]) -> None:
        self.detectors = tuple(detectors)
        self.failures: Counter[str] = Counter()

    def afresh(self) -> Finder:
        """Return the same detectors for another file, with no failure counted yet."""
        return Finder(self.detectors)

    def find(self, frame: RawFrame) -> Detections | Lost:
        """Return what the detectors see in a frame, or ``LOST`` where one of them fails."""
        parts = []
        for detector in self.detectors:
            try:
                (found,) = detector.detect([frame])
                sound = _is_sound(found, frame)
            except Exception as error:  # a detector may fail in any way; the frame is then covered whole
                self.failures[type(error).__name__] += 1
                return LOST
            if not sound:
                self.failures["impossible boxes"] += 1
                return LOST
            parts.append(found)
        return Detections.concatenate(parts)

    @property
    def start_scores(self) -> Mapping[Target, float]:
        """The score at which a track of each target may start: the lowest that one of its detectors asks."""
        scores: dict[Target, float] = {}
        for detector in self.detectors:
            for target in detector.targets:
                scores[target] = min(scores.get(target, 1.0), detector.start_score)
        return scores


def _is_sound(found: Detections, frame: RawFrame) -> bool:
    limit = FARTHEST * max(frame.width, frame.height)
    boxes = found.boxes
    return bool(
        np.isfinite(boxes).all()
        and np.isfinite(found.scores).all()
        and (np.abs(boxes) <= limit).all()
        and (boxes[:, 2:] >= boxes[:, :2]).all()
        and all(polygon is None or np.isfinite(polygon).all() for polygon in found.polygons)
    )


def build_finder(
    targets: Sequence[Target],
    quality: Quality,
    *,
    own: Sequence[Detector] = (),
    device: Device,
    threads: int | None,
    moving: bool,
) -> Finder:
    """Return the user's ``own`` detectors, and the shipped one for each target that none of them finds.

    Raises :class:`~eyelid.errors.ModelError` where a detector cannot be loaded and
    :class:`~eyelid.errors.UsageError` where nothing is asked for: a run never begins without its detectors.
    """
    if not targets:
        raise UsageError(f"name at least one target to hide: {', '.join(Target)}")
    found_by_own = frozenset(target for detector in own for target in detector.targets)
    left = [target for target in dict.fromkeys(targets) if target not in found_by_own]
    return Finder([*own, *build_all(left, quality, device=device, threads=threads, moving=moving)])
