"""What a job needs to know of its input, whatever kind of media it is."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from eyelid.errors import InputError
from eyelid.media.encoding import AudioMode
from eyelid.media.kinds import MediaKind, sniff, sniff_format

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.media.encoding import VideoEncoding
    from eyelid.media.still import StillInfo
    from eyelid.media.video import VideoInfo
    from eyelid.obfuscate.registry import Method


@dataclass(frozen=True, slots=True)
class Source:
    """An input as the evidence describes it.

    ``width`` and ``height`` are those of the output in pixels. ``total`` estimates the number of frames or
    pages. ``rate`` is in frames a second, ``duration`` in seconds; both None for stills. ``audio`` names the
    codecs of the sound that the output keeps, ``warnings`` says what may be wrong with the input.
    """

    kind: MediaKind
    format: str
    width: int
    height: int
    total: int | None
    dropped: tuple[str, ...]
    changes: tuple[str, ...]
    rate: float | None = None
    duration: float | None = None
    audio: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def unit(self) -> Literal["frames", "pages"]:
        """What progress counts."""
        return "frames" if self.kind is MediaKind.VIDEO else "pages"

    def with_changes(self, changes: tuple[str, ...]) -> Source:
        """Return this source with more changes that its output brings."""
        return replace(self, changes=tuple(dict.fromkeys((*self.changes, *changes))))


def of_still(info: StillInfo) -> Source:
    """Describe a still."""
    return Source(
        MediaKind.STILL, info.format, info.width, info.height, info.pages, info.dropped, info.changes
    )


def of_video(info: VideoInfo, encoding: VideoEncoding) -> Source:
    """Describe a video that is to be encoded in a certain way."""
    sideways = info.rotation % 180 != 0
    keeps_sound = encoding.audio is AudioMode.KEEP
    dropped = info.dropped if keeps_sound or not info.audio else (*info.dropped, "sound")
    return Source(
        MediaKind.VIDEO,
        sniff_format(info.path).value,
        info.height if sideways else info.width,
        info.width if sideways else info.height,
        info.frames_estimate,
        dropped,
        info.changes,
        rate=None if info.rate is None else float(info.rate),
        duration=None if info.duration is None else float(info.duration),
        audio=info.audio if keeps_sound else (),
        warnings=info.warnings,
    )


def refusal(method: Method, path: Path) -> str | None:
    """Return why a method cannot treat a file of this kind, None where it can; reads only the file's head.

    A file that is no media has no refusal here: whoever opens it says what is wrong with it.
    """
    if not method.moving:
        with suppress(InputError):
            if sniff(path) is MediaKind.VIDEO:
                return f"--method {method.name} is for photos and {path} is a video; choose --method solid"
    return None
