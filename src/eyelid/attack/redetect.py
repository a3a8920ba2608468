"""Re-detection: what do detectors, at their most thorough, still find in the output?

For people this is another network than the one that found the faces to cover. It finds what looks like a
target, hidden well or not: a covered face on a body is still a person. What counts is what should be gone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

from eyelid.attack.base import Attack, AttackResult, Knowledge, Threat
from eyelid.attack.statistics import clopper_pearson
from eyelid.detect.registry import build_all
from eyelid.errors import UsageError
from eyelid.media.kinds import MediaKind, sniff
from eyelid.media.still import StillReader
from eyelid.media.video import VideoReader
from eyelid.models.session import Device
from eyelid.types import Detections, Quality, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from eyelid.detect.base import Detector
    from eyelid.types import RawFrame

THRESHOLD: Final = 0.3
EVERY_S: Final = 0.5


class Seen(BaseModel):
    """One target: the ``times`` in seconds (in a still: pages) at which it was found, and the best score."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: Target
    times: tuple[float, ...]
    best_score: float


class Redetection(BaseModel):
    """What was found in ``frames`` frames, and in ``original_frames`` of the original, if it was given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames: int
    threshold: float
    seen: tuple[Seen, ...]
    original: tuple[Seen, ...] | None = None
    original_frames: int = 0

    @property
    def times(self) -> tuple[float, ...]:
        """The times at which any target was found, in order."""
        return tuple(sorted({time for seen in self.seen for time in seen.times}))


class RedetectAttack(Attack["Path"]):
    """Run detectors over a photo or video, at one frame every ``every`` seconds; 0 means all frames.

    ``detectors`` take the place of the shipped ones for their targets; ``original`` gives the base rate;
    ``listener`` is told which file it is and how many frames are done. Raises UsageError for a negative
    ``every`` or a threshold outside 0..1, ModelError where a network cannot be used.
    """

    name = "re-detection"

    def __init__(
        self,
        targets: Sequence[Target] = (Target.FACE, Target.PERSON),
        *,
        threshold: float = THRESHOLD,
        every: float = EVERY_S,
        original: Path | None = None,
        detectors: Sequence[Detector] = (),
        device: Device = Device.CPU,
        threads: int | None = None,
        listener: Callable[[Path, int], None] = lambda _path, _done: None,
    ) -> None:
        if not 0 <= every < math.inf:
            raise UsageError(f"a frame every {every} seconds cannot be looked at; give 0 or more")
        if not 0 < threshold <= 1:
            raise UsageError(f"no detection has a score of {threshold}; give a threshold up to 1")
        if not targets:
            raise UsageError("no target is named; name what should no longer be found")
        self._targets = tuple(dict.fromkeys(targets))
        self._threshold = threshold
        self._every = every
        self._original = original
        self._listener = listener
        found_by_own = {target for detector in detectors for target in detector.targets}
        left = [target for target in self._targets if target not in found_by_own]
        self._detectors = [
            *detectors,
            *build_all(left, Quality.THOROUGH, device=device, threads=threads, moving=False),
        ]

    @property
    def threat(self) -> Threat:
        """The attacker: whoever searches many files for people."""
        return Threat(
            goal="find people that were missed or covered in part",
            knowledge=Knowledge.NAIVE,
            capability="the file, and public detectors at their most thorough",
        )

    def run(self, target: Path) -> AttackResult:
        """Measure the share of the frames of ``target`` in which something is found."""
        return self.result(self.measure(target))

    def result(self, found: Redetection) -> AttackResult:
        """Return the share of the frames in which something was found."""
        times = found.times
        note = _told(found.seen, found.frames)
        if found.original is not None:
            note += "; in the original " + _told(found.original, found.original_frames)
        return AttackResult(
            attack=self.name,
            threat=self.threat,
            measure="share of frames with a detection",
            success=len(times) / found.frames,
            chance=0.0,
            interval=clopper_pearson(len(times), found.frames),
            n=found.frames,
            note=note,
        )

    def measure(self, target: Path) -> Redetection:
        """Look at ``target`` and the original; raises InputError, UnsupportedError and DetectionError."""
        frames, seen = self._search(target)
        count, original = self._search(self._original) if self._original else (0, None)
        return Redetection(
            frames=frames, threshold=self._threshold, seen=seen, original=original, original_frames=count
        )

    def _search(self, path: Path) -> tuple[int, tuple[Seen, ...]]:
        times: dict[Target, list[float]] = {target: [] for target in self._targets}
        best = dict.fromkeys(self._targets, 0.0)
        count = 0
        for time, frame in _frames(path, self._every):
            found = Detections.concatenate([detector.detect([frame])[0] for detector in self._detectors])
            for target in self._targets:
                scores = [s for s, t in zip(found.scores, found.targets, strict=True) if t is target]
                score = float(max(scores, default=0.0))
                best[target] = max(best[target], score)
                if score >= self._threshold:
                    times[target].append(time)
            count += 1
            self._listener(path, count)
        seen = [Seen(target=t, times=tuple(times[t]), best_score=best[t]) for t in self._targets]
        return count, tuple(seen)


def _frames(path: Path, every: float) -> Iterator[tuple[float, RawFrame]]:
    """Yield frames with their times: all pages of a still, of a video one in each interval."""
    if sniff(path) is MediaKind.STILL:
        with StillReader(path) as still:
            yield from ((float(frame.index), frame) for frame in still)
        return
    with VideoReader(path) as video:
        wanted = float("-inf")
        for frame in video:
            time = float(frame.time or 0)
            if time >= wanted:
                yield time, frame
                wanted = time + every


def _told(seen: Sequence[Seen], frames: int) -> str:
    return ", ".join(f"{one.target.value} in {len(one.times)} of {frames} frames" for one in seen)
