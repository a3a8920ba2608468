"""What a video file is, and what of it an output will not carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a video file is.

    ``width`` and ``height`` are as stored, in pixels; ``rotation`` is in degrees counter-clockwise, and frames
    are delivered with it applied. ``rate`` is in frames a second, ``duration`` in seconds. ``dropped`` names
    what the file holds and an output will not, ``changes`` says in sentences what reading alters.
    """

    path: Path
    container: str
    codec: str
    width: int
    height: int
    rotation: int
    sample_aspect: Fraction
    pixel_format: str
    bit_depth: int
    rate: Fraction | None
    duration: Fraction | None
    frames_estimate: int | None
    audio: tuple[str, ...]
    dropped: tuple[str, ...]
    changes: tuple[str, ...]
