"""Which faces stay visible because the user asked for it; in doubt, none."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from eyelid.types import Quality, Target

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from eyelid.detect.identity import KeepList
    from eyelid.models.session import Device
    from eyelid.types import Detections, RawFrame

_SURE_AFTER = 3
"""Frames in a row that must match before a track is uncovered."""


class Keeper:
    """Takes kept people out of what is to be covered.

    In a video a track stays covered until its face matches a person to keep in several frames in a row, and
    is covered again in the very frame that does not match: a stranger who takes over a track is not shown.
    ``detections`` and ``tracks`` count what was left visible.
    """

    def __init__(self, people: KeepList) -> None:
        self._people = people
        self._matches: defaultdict[int, int] = defaultdict(int)
        self.tracks: set[int] = set()
        self.detections = 0

    def uncover(self, frame: RawFrame, found: Detections) -> Detections:
        """Return the detections of a still without those of people to keep."""
        keep = self._matching(frame, found)
        self.detections += int(keep.sum())
        return found.select(~keep)

    def without_kept(self, frame: RawFrame, found: Detections) -> Detections:
        """Return the detections of a still that was counted before, without those of people to keep."""
        return found.select(~self._matching(frame, found))

    def uncover_tracked(self, frame: RawFrame, found: Detections) -> Detections:
        """Return the detections of a video frame without the tracks of people to keep."""
        matching = self._matching(frame, found)
        keep = np.zeros(len(found), np.bool_)
        for entry, track in enumerate(found.tracks.tolist()):
            if found.targets[entry] is not Target.FACE or track < 0:
                continue
            self._matches[track] = self._matches[track] + 1 if matching[entry] else 0
            keep[entry] = self._matches[track] >= _SURE_AFTER
            if keep[entry]:
                self.tracks.add(track)
        self.detections += int(keep.sum())
        return found.select(~keep)

    def skip(self) -> None:
        """Take note of a frame that is covered whole: matches on both sides of it are not in a row."""
        self._matches.clear()

    def _matching(self, frame: RawFrame, found: Detections) -> NDArray[np.bool_]:
        faces = np.array([target is Target.FACE for target in found.targets], np.bool_)
        matching = np.zeros(len(found), np.bool_)
        if faces.any():
            matching[faces] = self._people.matches(frame, found.select(faces))
        return matching


def load_people(pictures: Sequence[Path], *, device: Device, threads: int | None) -> KeepList:
    """Return the people to keep, from pictures that show one face each; raises InputError and ModelError."""
    from eyelid.detect.identity import FaceEmbedder, KeepList
    from eyelid.detect.registry import build
    from eyelid.media.still import StillReader

    detector = build(Target.FACE, Quality.THOROUGH, device=device, threads=threads, moving=False)
    frames: dict[str, RawFrame] = {}
    for path in pictures:
        with StillReader(path) as reader:
            frames[str(path)] = next(iter(reader))
    return KeepList(frames, detector, FaceEmbedder(device=device, threads=threads))
