"""How a video is encoded: the user's wishes, and what the encoder of this installation makes of them."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class AudioMode(StrEnum):
    """What happens to the sound: its packets are copied untouched, or left out."""

    KEEP = "keep"
    DROP = "drop"


class VideoEncoding(BaseModel):
    """How the output video is encoded.

    ``encoder`` is a name of FFmpeg; None takes the usual one of the container: libx264, or libvpx-vp9 in WebM.
    ``crf`` is the encoder's constant quality (lower is better and larger), ``preset`` its speed; None takes a
    value that keeps detail at close to the encoder's highest useful speed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder: str | None = None
    crf: int | None = Field(default=None, ge=0, le=63)
    preset: str | None = None
    audio: AudioMode = AudioMode.KEEP
