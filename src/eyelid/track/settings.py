"""How far the tracker looks ahead, how long it holds, and what it does when it loses something."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_serializer, model_validator

from eyelid.types import Target

SHORTER = 3.0
"""So many times shorter are the gaps that are filled, and the holds, of ``brief`` targets."""


class OnLost(StrEnum):
    """What happens while a track that should still be in the picture is not detected."""

    HOLD = "hold"
    COVER_FRAME = "cover-frame"


class TrackSettings(BaseModel):
    """Parameters of :class:`eyelid.track.tracker.Tracker`; times in seconds of the video.

    ``look_ahead_s`` and ``look_ahead_frames`` bound how late a plan comes (whichever is reached first), and
    with it the number of frames in memory. ``gap_s``: the longest time without detection that still counts
    as one track and is filled. ``hold_s``: how long a track is covered before its first and after its last
    detection.
    ``growth_per_s``: by how many box sides each edge moves outwards for every second away from the nearest
    detection, at most ``growth_limit`` box sides. ``brief``: targets for which gaps and holds
    are shorter. Raises pydantic's ``ValidationError`` where values contradict each other.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    look_ahead_s: float = Field(1.0, ge=0, le=30)
    look_ahead_frames: int = Field(60, ge=0, le=3000)
    gap_s: float = Field(1.5, ge=0, le=60)
    hold_s: float = Field(0.5, ge=0, le=30)
    growth_per_s: float = Field(1.0, ge=0, le=10)
    growth_limit: float = Field(0.5, ge=0, le=10)
    on_lost: OnLost = OnLost.HOLD
    brief: frozenset[Target] = frozenset()

    @model_validator(mode="after")
    def _no_short_flash(self) -> Self:
        """Keep uncovered runs of a track that comes back long: they last at least gap_s - 2 hold_s."""
        if self.gap_s < 2 * self.hold_s:
            raise ValueError(
                f"gap_s ({self.gap_s}) is below twice hold_s ({self.hold_s}), so a face could flash clean "
                "for a frame; raise gap_s or lower hold_s"
            )
        return self

    @field_serializer("brief")
    def _as_text(self, brief: frozenset[Target]) -> str:
        return ", ".join(sorted(brief)) or "none"

    def gap_for(self, target: Target) -> float:
        """Return ``gap_s`` for the tracks of one target, in seconds."""
        return self.gap_s / SHORTER if target in self.brief else self.gap_s

    def hold_for(self, target: Target) -> float:
        """Return ``hold_s`` for the tracks of one target, in seconds."""
        return self.hold_s / SHORTER if target in self.brief else self.hold_s
