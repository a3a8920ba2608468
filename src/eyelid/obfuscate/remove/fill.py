"""Fills the holes of one picture: from the empty place, from other views, and only then by invention."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

import cv2
import numpy as np

from eyelid.obfuscate.remove.cameras import cameras
from eyelid.obfuscate.remove.changes import changed
from eyelid.obfuscate.remove.invent import invent
from eyelid.obfuscate.remove.look import Look, aligned, blended, look, target_of
from eyelid.obfuscate.remove.picture import Box, Mask, Picture, Stack, dilate, whole_blocks
from eyelid.obfuscate.remove.sweep import swept
from eyelid.obfuscate.remove.tracks import tracks
from eyelid.obfuscate.remove.vote import vote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eyelid.obfuscate.remove.align import Homography
    from eyelid.obfuscate.remove.background import Background
    from eyelid.obfuscate.remove.cameras import Cameras
    from eyelid.obfuscate.remove.look import Target

_JOIN: Final = 12
_CONTEXT: Final = 0.5
"""How much around a hole is looked at, in parts of its longer side."""
_LEAST_CONTEXT: Final = 24
_LOOK_SAMPLES: Final = 24_000_000
"""Samples of all looks at one hole together that are held at once."""
_ENOUGH: Final = 3
"""So many looks that see a place decide what is behind it."""
_EXACT: Final = 0.15
"""Two looks that fit so well can tell a shadow from a seam."""
_EDGE: Final = 2
_MARGIN: Final = 32
_ONE_PLANE: Final = 0.05
"""Where every look fits so well, what is behind the hole lies in one plane with what is around it."""

_AS_WELL: Final = 1.5
"""What is known of depth is believed where the looks by it fit the rim about as well as those by planes."""


class Source(Protocol):
    """Another picture of the place, and the maps from the target to it, found when they are asked for."""

    @property
    def picture(self) -> Picture:
        """The picture."""

    @property
    def maps(self) -> Sequence[Homography]:
        """Maps from pixels of the target to pixels of the picture; none where they show nothing in common."""


def fill_from_place(picture: Picture, place: Background) -> Mask:
    """Fill the holes with what the fixed camera saw there at other times; the edge is lit like the frame.

    Return the pixels that were invented.
    """
    invented = np.zeros_like(picture.hole)
    for part, box in _parts(picture, _LEAST_CONTEXT, 0.0):
        target = target_of(picture, box, part)
        stack = blended(target, place.picture.stack(box), ~place.doubtful[box.slices])
        picture.write(box, stack, part)
        invented[box.slices][part] = place.doubtful[box.slices][part]
    return invented


def fill_from_views(picture: Picture, sources: Sequence[Source]) -> Mask:
    """Fill the holes with what the sources show there by one of their maps, nearest source first.

    Return the pixels that were invented: all of them where there are no sources.
    """
    invented = np.zeros_like(picture.hole)
    scene = _Scene(picture, sources)
    for part, box in _parts(picture, _LEAST_CONTEXT, _CONTEXT):
        target = target_of(picture, box, part)
        looks = _looks(target, part, sources)
        if any(found.error > _ONE_PLANE for found in looks):
            nearer, inside = _nearer(picture, target, part)
            deep = scene.looks(nearer)
            if deep and _error(deep[: len(looks)]) <= _AS_WELL * _error(looks):
                looks, target, part = deep, nearer, inside
        stack, known = target.stack.copy(), ~target.hole
        if looks:
            part, target, (voted, seen) = _agreed(picture, target, part, looks)
            seen &= target.hole
            stack, known = target.stack.copy(), ~target.hole | seen
            stack[seen] = voted[seen]
        picture.write(target.box, invent(stack, ~known), part)
        invented[target.box.slices][part] = ~known[part]
    return invented


def _looks(target: Target, part: Mask, sources: Sequence[Source]) -> list[Look]:
    looks: list[Look] = []
    most = max(1, _LOOK_SAMPLES // target.stack.size)
    times_seen = np.zeros(part.shape, np.int64)
    for source in sources:
        found = look(target, source.picture, source.maps)
        if found is None or not (found.seen & part & (times_seen < _ENOUGH)).any():
            continue
        looks.append(found)
        times_seen += found.seen
        if len(looks) >= most or (times_seen[part] >= _ENOUGH).all():
            break
    return aligned(target, looks)


def _error(looks: Sequence[Look]) -> float:
    return float(np.median([found.error for found in looks]))


def _nearer(picture: Picture, target: Target, part: Mask) -> tuple[Target, Mask]:
    """Return the target and the part cut to what lies near: depth is measured there."""
    columns, rows = np.flatnonzero(part.any(axis=0)), np.flatnonzero(part.any(axis=1))
    whole = target.box
    box = picture.box(
        max(whole.x0 + int(columns[0]) - _MARGIN, whole.x0),
        max(whole.y0 + int(rows[0]) - _MARGIN, whole.y0),
        min(whole.x0 + int(columns[-1]) + 1 + _MARGIN, whole.x1),
        min(whole.y0 + int(rows[-1]) + 1 + _MARGIN, whole.y1),
    )
    inside = part[box.y0 - whole.y0 : box.y1 - whole.y0, box.x0 - whole.x0 : box.x1 - whole.x0]
    return target_of(picture, box, inside), inside


class _Scene:
    """What the sources show by the depth of each pixel, once it is known where they were taken from."""

    def __init__(self, picture: Picture, sources: Sequence[Source]) -> None:
        self._picture = picture
        self._sources = sources

    def looks(self, target: Target) -> list[Look]:
        """Return the looks at a target in this scene, none where the cameras are not clear."""
        found = self._cameras
        return [] if found is None else swept(target, [source.picture for source in self._sources], found)

    @cached_property
    def _cameras(self) -> Cameras | None:
        planes = [source.maps for source in self._sources]
        views = [source.picture for source in self._sources]
        size = (self._picture.width, self._picture.height)
        return cameras(tracks(self._picture, list(zip(views, planes, strict=True))), planes, size)


def _agreed(
    picture: Picture, target: Target, part: Mask, looks: Sequence[Look]
) -> tuple[Mask, Target, tuple[Stack, Mask]]:
    """Return what the looks agree on; what touches the hole and disagrees with them becomes hole."""
    stack, known, sure = vote(_lit(target, looks))
    sure &= np.sum([found.seen for found in looks if found.error < _EXACT], axis=0) >= 2
    moved = changed(target.stack, stack, target.hole | ~sure, target.names, moving=True)
    more = whole_blocks(dilate(moved & ~target.hole, _EDGE), picture.unit) & ~target.hole
    if more.any():
        whole = np.zeros_like(picture.hole)
        whole[target.box.slices] = more
        picture.blacken(whole)
        part = part | more
        target = target_of(picture, target.box, part)
        stack, known, _ = vote(_lit(target, looks))
    return part, target, (stack, known)


def _lit(target: Target, looks: Sequence[Look]) -> list[Look]:
    return [Look(blended(target, found.stack, found.seen), found.seen, found.error) for found in looks]


def _parts(picture: Picture, least: int, context: float) -> Iterator[tuple[Mask, Box]]:
    """Yield the parts of the hole that lie apart, each as a mask in the box of it and its surroundings."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(dilate(picture.hole, _JOIN).view(np.uint8))
    for number in range(1, count):
        x, y, width, height = (int(value) for value in stats[number, :4])
        margin = least + round(context * max(width, height))
        box = picture.box(x - margin, y - margin, x + width + margin, y + height + margin)
        part = picture.hole[box.slices] & (labels[box.slices] == number)
        if part.any():
            yield part, box
