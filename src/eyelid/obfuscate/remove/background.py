"""A fixed camera's place without anything that moves: what most samples over time agree on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from eyelid.obfuscate.remove.align import features, homographies
from eyelid.obfuscate.remove.changes import changed, lit_like
from eyelid.obfuscate.remove.invent import invent
from eyelid.obfuscate.remove.picture import Box, Picture, whole_blocks
from eyelid.types import Plane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyelid.obfuscate.remove.picture import Mask, Stack

LEAST_SAMPLES: Final = 5
"""Fewer pictures do not tell what moves in them."""

_LEAST_SEEN: Final = 3
_AGREE: Final = 0.6
_TOLERANCE: Final = 14.0  # of 255
_LOOK: Final = 800
_STILL: Final = 1.0
_STANDS: Final = 0.5
_ROWS: Final = 32


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """The empty place.

    ``picture``: its planes; the hole is what too few samples saw or agreed on, which is invented once for
    all frames, so that it does not flicker. ``standing``: where most samples have a hole, something to be
    removed stands all the time, even in frames in which no detector sees it. ``thumbnail``: the place at the
    size at which changes are looked for.
    """

    picture: Picture
    standing: Mask
    thumbnail: Stack

    @property
    def doubtful(self) -> Mask:
        """The pixels that are invented."""
        return self.picture.hole

    def fits(self, frame: Picture) -> bool:
        """Return whether a frame shows this place from this camera, but for what moves in it."""
        if [(p.name, p.samples.shape) for p in frame.planes] != [
            (p.name, p.samples.shape) for p in self.picture.planes
        ]:
            return False
        small, hole, _ = frame.small(self.long_side)
        if hole.mean() > 0.9:
            return True
        here, place = small[~hole], self.thumbnail[~hole]
        drift = np.median(here - place, axis=0)
        return bool(np.median(np.abs(here - place - drift)) < _TOLERANCE / 2) and not _is_elsewhere(
            small, self.thumbnail, hole
        )

    @property
    def long_side(self) -> int:
        """The long side of the thumbnail in pixels."""
        return int(max(self.thumbnail.shape[:2]))

    def movement(self, frame: Picture) -> Mask:
        """Return the pixels of a frame that disagree with the place, its light taken into account."""
        small, hole, _ = frame.small(self.long_side)
        names = [plane.name for plane in frame.planes]
        moved = changed(small, lit_like(small, self.thumbnail, ~hole), hole, names)
        size = (frame.width, frame.height)
        return cv2.resize(moved.astype(np.uint8), size, interpolation=cv2.INTER_LINEAR).view(np.bool_)


def background(views: Sequence[Picture], long_side: int) -> Background | None:
    """Return what pictures of a fixed camera agree on, None where it moved or they are too few."""
    still = _unmoved(views)
    if len(still) < max(LEAST_SAMPLES, 0.8 * len(views)):
        return None
    planes, doubtful = [], np.zeros(still[0].hole.shape, np.bool_)
    light = _light(still)
    for number, plane in enumerate(still[0].planes):
        is_light = plane.name not in ("Cb", "Cr")
        drift = light if is_light else np.zeros(len(still))
        samples, doubt = _agreed([v.planes[number] for v in still], [v.hole for v in still], drift)
        planes.append(Plane(plane.name, samples, plane.black, plane.peak, plane.step_x, plane.step_y))
        large = doubt.repeat(plane.step_y, axis=0).repeat(plane.step_x, axis=1)
        doubtful |= large[: still[0].height, : still[0].width]
    doubtful = cv2.morphologyEx(doubtful.view(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)).view(
        np.bool_
    )
    place = Picture(tuple(planes), np.zeros_like(doubtful), still[0].time)
    place.blacken(whole_blocks(doubtful, place.unit))
    everything = Box(0, 0, place.width, place.height)
    place.write(everything, invent(place.stack(), place.hole), place.hole)
    standing = np.mean([view.hole for view in still], axis=0) >= _STANDS
    return Background(place, whole_blocks(standing, place.unit), place.small(long_side)[0])


def _unmoved(views: Sequence[Picture]) -> list[Picture]:
    """Return the pictures that agree with the middle one in size and camera."""
    if len(views) < LEAST_SAMPLES:
        return []
    middle = views[len(views) // 2]
    reference = features(middle, _LOOK, 1500)
    corners = np.array(
        [[[0, 0]], [[middle.width, 0]], [[0, middle.height]], [[middle.width, middle.height]]], np.float64
    )
    still = []
    for view in views:
        if [(p.name, p.samples.shape) for p in view.planes] != [
            (p.name, p.samples.shape) for p in middle.planes
        ]:
            continue
        here = features(view, _LOOK, 1500)
        maps = [np.eye(3)] if view is middle else homographies(reference, here, 1)
        if maps and np.abs(cv2.perspectiveTransform(corners, maps[0]) - corners).max() < _STILL * here.pixel:
            still.append(view)
    return still


def _light(views: Sequence[Picture]) -> NDArray[np.float64]:
    """Return how much brighter each picture is than the middle one, in units of 0..255."""
    small = [view.small(256) for view in views]
    reference, reference_hole, _ = small[len(small) // 2]
    drift = []
    for picture, hole, _ in small:
        both = ~(hole | reference_hole)
        drift.append(float(np.median((picture - reference)[..., 0][both])) if both.any() else 0.0)
    return np.array(drift)


def _agreed(
    planes: Sequence[Plane], holes: Sequence[Mask], drift: NDArray[np.float64]
) -> tuple[NDArray[np.uint8] | NDArray[np.uint16], Mask]:
    """Return the median of each sample over the pictures that see it, and where they do not agree on it."""
    first = planes[0]
    unit = first.peak / 255
    out = np.zeros(first.samples.shape, first.samples.dtype)
    doubt = np.zeros(first.samples.shape, np.bool_)
    masks = [hole[:: first.step_y, :: first.step_x] for hole in holes]
    shifts = np.rint(drift * unit).astype(np.int32)
    for top in range(0, len(out), _ROWS):
        rows = slice(top, top + _ROWS)
        seen = np.stack([~mask[rows] for mask in masks], axis=-1)
        samples = np.stack(
            [
                plane.samples[rows].astype(np.int32) - shift
                for plane, shift in zip(planes, shifts, strict=True)
            ],
            axis=-1,
        )
        count = seen.sum(axis=-1)
        ordered = np.sort(np.where(seen, samples, np.iinfo(np.int32).max), axis=-1)
        middle = np.take_along_axis(ordered, (np.maximum(count, 1) - 1)[..., None] // 2, axis=-1)
        agree = (np.abs(samples - middle) <= _TOLERANCE * unit) & seen
        out[rows] = np.clip(np.where(count > 0, middle[..., 0], first.black), 0, first.peak)
        doubt[rows] = (count < _LEAST_SEEN) | (agree.sum(axis=-1) < _AGREE * count)
    return out, doubt


def _is_elsewhere(small: Stack, place: Stack, hole: Mask) -> bool:
    """Return whether the frame would fit the place better a pixel or more to some side: the camera moved."""
    weight = (
        cv2.createHanningWindow((hole.shape[1], hole.shape[0]), cv2.CV_32F) if min(hole.shape) > 8 else None
    )
    if weight is None:
        return False
    weight[hole] = 0
    here, there = ((s[..., 0] - s[..., 0].mean()) * weight for s in (small, place))
    (dx, dy), response = cv2.phaseCorrelate(there.astype(np.float32), here.astype(np.float32))
    return bool(max(abs(dx), abs(dy)) > _STILL and response > 0.1)
