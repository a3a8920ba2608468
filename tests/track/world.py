"""A small world of moving boxes whose truth is known, and a detector that misses some of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from eyelid.track.settings import TrackSettings
from eyelid.track.tracker import Lost, Tracker
from eyelid.types import Detections, Target

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyelid.track.plan import FramePlan

WIDTH, HEIGHT, RATE = 640, 360, 25.0
START = 0.6
Box: TypeAlias = tuple[float, float, float, float]
Found: TypeAlias = Detections | Lost | None
Path: TypeAlias = Callable[[float], Box | None]
"""Where a thing is at a time in seconds; None while it is not there or hidden."""


def linear(x: float, y: float, vx: float, vy: float, side: float) -> Path:
    return accelerated(x, y, vx, vy, 0, 0, side)


def accelerated(x: float, y: float, vx: float, vy: float, ax: float, ay: float, side: float) -> Path:
    def at(t: float) -> Box | None:
        cx, cy = x + vx * t + ax * t * t / 2, y + vy * t + ay * t * t / 2
        box = clipped((cx - side / 2, cy - side / 2, cx + side / 2, cy + side / 2))
        return box if area(box) >= 0.1 * side * side else None

    return at


def during(path: Path, start: float, end: float) -> Path:
    return lambda t: path(t) if start <= t < end else None


def clipped(box: Box) -> Box:
    x0, y0, x1, y1 = box
    return max(x0, 0.0), max(y0, 0.0), min(x1, float(WIDTH)), min(y1, float(HEIGHT))


def area(box: Sequence[float] | NDArray[np.float32]) -> float:
    return max(0.0, float(box[2] - box[0])) * max(0.0, float(box[3] - box[1]))


def share_covered(box: Box, plan: FramePlan) -> float:
    """The share of a truth box that the best single planned box covers."""
    if plan.cover_frame:
        return 1.0
    shared = [
        area((max(box[0], b[0]), max(box[1], b[1]), min(box[2], b[2]), min(box[3], b[3])))
        for b in plan.detections.boxes.tolist()
    ]
    return max(shared, default=0.0) / area(box)


def found(
    boxes: Sequence[Box], scores: Sequence[float] | float = 0.9, target: Target = Target.FACE
) -> Detections:
    listed = [scores] * len(boxes) if isinstance(scores, float) else list(scores)
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4), np.array(listed, np.float32), (target,) * len(boxes)
    )


@dataclass
class Detector:
    """Runs every ``every``-th frame; misses a box with chance ``dropout``, at most ``longest`` in a row."""

    every: int = 1
    dropout: float = 0.0
    jitter: float = 0.0
    weak: float = 0.0
    longest: int = 3
    seed: int = 0
    _missed: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)

    def detect(self, index: int, truth: Sequence[Box | None]) -> Found:
        if index % self.every:
            return None
        boxes, scores = [], []
        for number, box in enumerate(truth):
            if box is None:
                continue
            missed = self._missed.get(number, 0)
            if missed < self.longest and self._random.random() < self.dropout:
                self._missed[number] = missed + 1
                continue
            self._missed[number] = 0
            side = np.sqrt(area(box))
            noise = np.clip(self._random.normal(0, self.jitter, 4), -2 * self.jitter, 2 * self.jitter) * side
            x0, y0, x1, y1 = (float(v + e) for v, e in zip(box, noise, strict=True))
            boxes.append((x0, y0, x1, y1))
            scores.append(0.3 if self._random.random() < self.weak else 0.9)
        return found(boxes, scores)


def new_tracker(settings: TrackSettings | None = None) -> Tracker:
    return Tracker(WIDTH, HEIGHT, settings or TrackSettings(), {Target.FACE: START, Target.PLATE: START})


def run(
    finds: Sequence[Found],
    *,
    settings: TrackSettings | None = None,
    cuts: Sequence[int] = (),
    rate: float = RATE,
) -> list[FramePlan]:
    """All plans of a clip, checked for order, number and delay."""
    settings = settings or TrackSettings()
    tracker = new_tracker(settings)
    plans: list[FramePlan] = []
    for i, find in enumerate(finds):
        plans += tracker.push(i, i / rate, find, i in cuts)
        held = i + 1 - len(plans)
        assert held <= settings.look_ahead_frames
        assert held <= np.ceil(settings.look_ahead_s * rate + 1e-9)
    plans += tracker.finish()
    assert [p.index for p in plans] == list(range(len(finds)))
    assert tracker.finish() == []
    return plans


def film(
    paths: Sequence[Path], detector: Detector, frames: int
) -> tuple[list[list[Box | None]], list[Found]]:
    """The truth and the detections of a clip, frame by frame."""
    truth = [[path(i / RATE) for path in paths] for i in range(frames)]
    return truth, [detector.detect(i, boxes) for i, boxes in enumerate(truth)]
