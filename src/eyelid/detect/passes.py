"""Which of a detector's passes a frame is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from eyelid.types import RawFrame

LARGEST_SCALE: Final = 2.0


def worthwhile(long_sides: tuple[int, ...], frame: RawFrame) -> tuple[int, ...]:
    """Return a detector's first pass, and of the others those that enlarge the frame twofold at most.

    A pass is named by the long side of the network's input in pixels. Enlarging a small frame further shows
    nothing new, and blown-up noise looks like plates and writing.
    """
    longest = LARGEST_SCALE * max(frame.width, frame.height)
    return long_sides[:1] + tuple(side for side in long_sides[1:] if side <= longest)
