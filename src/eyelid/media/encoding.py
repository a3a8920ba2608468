"""What a user asks of the encoding of a video."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field


class AudioMode(StrEnum):
    """What happens to the sound: its packets are copied untouched, or left out."""

    KEEP = "keep"
    DROP = "drop"


class VideoEncoding(BaseModel):
    """How the output video is encoded.

    ``encoder`` is a name of FFmpeg; None takes the container's usual one: libx264, or libvpx-vp9 in WebM.
    ``crf`` is the encoder's constant quality (lower is better and larger), ``preset`` its speed; None takes
    crf 20 and veryfast for libx264: finer than its own 23, since the picture was encoded once before, and the
    fastest preset that loses no visible detail, since encoding is half of the work.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder: str | None = None
    crf: int | None = Field(default=None, ge=0, le=63)
    preset: str | None = None
    audio: AudioMode = AudioMode.KEEP


LOSSLESS: Final = VideoEncoding(encoder="ffv1")
"""Keeps every sample exactly; for a path that ends in .mkv."""
