"""Tracks of people who do not exist, covered in one way or another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from eyelid.attack.context import Sighting
from eyelid.audit.watch import Track
from tests.attack.faces import invented

if TYPE_CHECKING:
    from collections.abc import Callable

    from eyelid.attack.dataset import Picture


def tracks_of(cover: Callable[[Picture], Picture], people: int = 8, each: int = 8) -> list[Track]:
    """Return a track for each of some people, its faces covered by a function of one grey picture."""
    faces = invented(people, each)
    tracks = [Track() for _ in range(people)]
    for picture, person in zip(faces.pictures, faces.people.tolist(), strict=True):
        track = tracks[person]
        track.clear.append(picture)
        track.shown.append(cover(picture))
        body = np.full((96, 48, 3), 100, np.uint8)
        track.sightings.append(Sighting(person, body, np.zeros((96, 48), np.bool_), (0.5, 0.5), 0.2, 0.0))
        track.widest = 92.0
        portraits = [
            np.asarray(cv2.cvtColor(p, cv2.COLOR_GRAY2BGR), np.uint8) for p in (track.shown[-1], picture)
        ]
        track.portrait = (portraits[0], portraits[1])
    return tracks


def black(picture: Picture) -> Picture:
    """Cover all of a picture."""
    return np.zeros_like(picture)


def weak_blur(picture: Picture) -> Picture:
    """Blur with 15 pixels what is 200 pixels wide, as it then looks at the size of the line-up."""
    large = cv2.resize(picture, (200, 244), interpolation=cv2.INTER_CUBIC)
    blurred = cv2.GaussianBlur(large, (15, 15), 0)
    return np.asarray(cv2.resize(blurred, (92, 112), interpolation=cv2.INTER_AREA), np.uint8)
