"""A closer look at those places of a picture where the first look hesitates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from eyelid.detect.centerface import Faces, decode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from eyelid.models.session import Session
    from eyelid.types import RawFrame

WINDOW: Final = 256
"""The side of a window in pixels of the closer look; one size, so that the network is compiled once."""
CONTEXT: Final = 32
"""How much is seen around what a window is meant for, in pixels of the closer look."""
CLEAR: Final = 0.7
"""Faces of this score need no closer look."""


def hesitant(faces: Faces, closer: float) -> Faces:
    """Return what a look is neither sure of nor can be expected to see better if it were larger.

    ``closer`` is how many pixels of the closer look one of the boxes is. What fills more than a window
    without its context is large enough for the look that found it.
    """
    sides = (faces.boxes[:, 2:] - faces.boxes[:, :2]).max(axis=1)
    keep = (faces.scores < CLEAR) & (sides * closer <= WINDOW - 2 * CONTEXT)
    return Faces(faces.boxes[keep], faces.scores[keep])


def windows(points: NDArray[np.float32], width: int, height: int) -> list[tuple[int, int]]:
    """Return the corners (x, y) of few windows of a picture that together see every point with its context.

    ``points`` (n, 2) are x and y in the picture, whose sides are at least one window. From above, each window
    starts at the first point that is not seen yet and lies where it sees most.
    """
    inner = WINDOW - 2 * CONTEXT
    left = points[np.argsort(points[:, 1], kind="stable")]
    corners = []
    while len(left):
        x, y = left[0]
        row = left[left[:, 1] < y + inner]
        starts = row[(row[:, 0] > x - inner) & (row[:, 0] <= x), 0]
        seen = (row[None, :, 0] >= starts[:, None]) & (row[None, :, 0] < starts[:, None] + inner)
        start = starts[seen.sum(axis=1).argmax()]
        corners.append(
            (
                int(np.clip(start - CONTEXT, 0, width - WINDOW)),
                int(np.clip(y - CONTEXT, 0, height - WINDOW)),
            )
        )
        inside = (left[:, 0] >= start) & (left[:, 0] < start + inner) & (left[:, 1] < y + inner)
        left = left[~inside]
    return corners


def look_closer(
    session: Session, frame: RawFrame, size: tuple[int, int], corners: list[tuple[int, int]], least: float
) -> Iterator[Faces]:
    """Yield the faces in each window of the frame drawn at ``size`` (width, height), boxes in its pixels."""
    picture = frame.bgr(*size)
    factor = np.array([frame.width / size[0], frame.height / size[1]] * 2, np.float32)
    for x, y in corners:
        view = np.ascontiguousarray(picture[y : y + WINDOW, x : x + WINDOW])
        faces = decode(session.run(view[None]), least)
        yield Faces((faces.boxes + np.array([x, y, x, y], np.float32)) * factor, faces.scores)
