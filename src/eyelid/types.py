"""The words that every room of eyelid shares: targets, frames, detections, guarantees.

A :class:`RawFrame` shows people; a :class:`SafeFrame` does not. Only obfuscators turn the first into the
second, and everything that writes, encodes or sends takes the second alone, so the type checker finds a leak.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from fractions import Fraction

Bgr: TypeAlias = NDArray[np.uint8]
"""A picture for detectors: uint8, shape (height, width, 3), channels blue, green, red."""

Samples: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]
"""The samples of one colour plane, shape (rows, columns)."""


class Target(StrEnum):
    """What can be hidden."""

    FACE = "face"
    PLATE = "plate"
    PERSON = "person"
    TEXT = "text"
    SCREEN = "screen"
    VEHICLE = "vehicle"


class Quality(StrEnum):
    """How much work a detector spends on a frame."""

    FAST = "fast"
    BALANCED = "balanced"
    THOROUGH = "thorough"


class Shape(StrEnum):
    """The outline of what is covered around a detection without a polygon of its own."""

    ELLIPSE = "ellipse"
    BOX = "box"


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One colour plane of a frame, as a writable view into the frame's own memory.

    ``samples`` has shape (ceil(height / step_y), ceil(width / step_x)); one sample stands for ``step_x``
    by ``step_y`` pixels. ``black`` is the sample value of opaque black in this plane (128 for 8-bit chroma,
    255 for 8-bit alpha), ``peak`` the largest value a sample can take.
    """

    name: Literal["L", "R", "G", "B", "C", "M", "Y", "K", "A", "Cb", "Cr"]
    samples: Samples
    black: int
    peak: int = 255
    step_x: int = 1
    step_y: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class RawFrame:
    """A decoded picture that may show people: one page of a still, or one frame of a video.

    ``width`` and ``height`` are in pixels, orientation already applied for stills. ``index`` counts from 0,
    ``time`` is in seconds (None for stills without timing). ``carrier`` is the media library's own object
    whose memory ``planes`` view; only :mod:`eyelid.media` looks at it. ``render(width, height)`` draws the
    frame at that size for a detector.
    """

    width: int
    height: int
    planes: tuple[Plane, ...]
    render: Callable[[int, int], Bgr]
    index: int = 0
    time: Fraction | None = None
    carrier: object = None

    def bgr(self, width: int | None = None, height: int | None = None) -> Bgr:
        """Return the frame as uint8 BGR of shape (height, width, 3), by default at its own size."""
        return self.render(width or self.width, height or self.height)


class Seal:
    """Permission to call a frame safe; :data:`_SEAL` is the only instance."""

    __slots__ = ()


_SEAL: Final = Seal()
"""Imported by :mod:`eyelid.obfuscate` alone (a test reads the import graph)."""


@final
class SafeFrame:
    """A frame whose targets are destroyed; made by obfuscators only, accepted by writers only."""

    __slots__ = ("carrier", "height", "index", "planes", "time", "width")

    def __init__(self, frame: RawFrame, seal: Seal) -> None:
        if seal is not _SEAL:
            raise TypeError("a SafeFrame comes from an obfuscator; call Obfuscator.apply")
        self.width = frame.width
        self.height = frame.height
        self.planes = frame.planes
        self.index = frame.index
        self.time = frame.time
        self.carrier = frame.carrier


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What was found in one frame: ``n`` parallel entries.

    ``boxes`` float32 (n, 4), x0 y0 x1 y1 in pixels of the frame; ``scores`` float32 (n,) in 0..1;
    ``targets`` n targets; ``tracks`` int64 (n,), -1 where not tracked; ``polygons`` n entries, float32 (k, 2)
    pixel corners or None.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    targets: tuple[Target, ...]
    tracks: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    polygons: tuple[NDArray[np.float32] | None, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.boxes)
        if self.boxes.shape != (n, 4):
            raise ValueError(f"boxes must have shape (n, 4), not {self.boxes.shape}")
        if len(self.tracks) == 0 and n:
            object.__setattr__(self, "tracks", np.full(n, -1, np.int64))
        if not self.polygons:
            object.__setattr__(self, "polygons", (None,) * n)
        lengths = {n, len(self.scores), len(self.targets), len(self.tracks), len(self.polygons)}
        if lengths != {n}:
            raise ValueError(
                f"boxes, scores, targets, tracks and polygons differ in length: {sorted(lengths)}"
            )

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def none(cls) -> Detections:
        """Return detections of nothing."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), ())

    @classmethod
    def concatenate(cls, parts: Sequence[Detections]) -> Detections:
        """Join the detections of one frame from several detectors, in order."""
        if not parts:
            return cls.none()
        return cls(
            np.concatenate([p.boxes for p in parts]),
            np.concatenate([p.scores for p in parts]),
            tuple(t for p in parts for t in p.targets),
            np.concatenate([p.tracks for p in parts]),
            tuple(g for p in parts for g in p.polygons),
        )

    def select(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> Detections:
        """Return the entries that a boolean mask or an index array of shape (m,) names."""
        index = np.arange(len(self))[keep]
        return Detections(
            self.boxes[index],
            self.scores[index],
            tuple(self.targets[i] for i in index),
            self.tracks[index],
            tuple(self.polygons[i] for i in index),
        )


class GuaranteeKind(StrEnum):
    """What stands behind a protection."""

    NONE = "none"
    EMPIRICAL = "empirical"
    METRIC_DP = "metric-dp"
    DP = "dp"
    CRYPTOGRAPHIC = "cryptographic"
    ATTESTED = "attested"


class Guarantee(BaseModel):
    """What a method promises, under which assumption, and what it does not cover."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: GuaranteeKind
    statement: str
    assumption: str
    not_covered: tuple[str, ...]


class Fill(BaseModel):
    """Where the pixels came from that replaced removed regions, summed over all frames."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixels_from_views: int = Field(ge=0, description="taken from another view or another time")
    pixels_invented: int = Field(ge=0, description="seen by no camera")
