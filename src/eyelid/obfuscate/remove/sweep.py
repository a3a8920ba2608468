"""What lies behind a hole, and how far away, out of views of known cameras.

For each of many depths all views are brought to the target as if everything lay there (Collins, "A
space-sweep approach to true multi-image matching", CVPR 1996). Each pixel takes the depth at which the views
agree, smooth but for edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from eyelid.obfuscate.remove.cameras import plane_of
from eyelid.obfuscate.remove.exposure import exposure, relit
from eyelid.obfuscate.remove.look import Look, judged
from eyelid.obfuscate.remove.picture import dilate
from eyelid.obfuscate.remove.semiglobal import smoothed
from eyelid.obfuscate.remove.sharpness import as_sharp
from eyelid.obfuscate.remove.spread import spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyelid.obfuscate.remove.align import Homography
    from eyelid.obfuscate.remove.cameras import Cameras
    from eyelid.obfuscate.remove.look import Target
    from eyelid.obfuscate.remove.picture import Box, Mask, Picture, Stack

    Floats = NDArray[np.float32]

_MOST_PIXELS: Final = 16_000
_LEAST_DEPTHS, _MOST_DEPTHS = 8, 96
_STEP: Final = 0.7
"""Pixels that the view with most parallax moves from one depth to the next."""
_BEYOND: Final = 0.05
"""How far depths are tried beyond those of the known points, in parts of their range."""
_LEAST_COMMON: Final = 100
_LEAST_VIEWS: Final = 2
_VOTES: Final = 3
"""So many views, the nearest that see a pixel, decide what it shows: those further off are less exact."""

_DIFFERENT: Final = 40.0
"""Of 255, summed over planes: further apart is no worse."""
_NOISE: Final = np.float32(3)
"""Views of one thing differ by so much."""
_UNSEEN: Final = np.float32(6)
"""What it costs to lie where no view shows anything."""
_ELSEWHERE: Final = np.float32(15)
"""What it costs, for each step up to 3, to lie elsewhere than the known point in that place."""
_TREND, _MOST_TREND = np.float32(0.015), np.float32(15)
"""What it costs to lie off the smooth surface through the known points: by square of steps, and at most.

It decides where nothing else does: plain darkness agrees with itself at any depth.
"""
_MEDIAN: Final = 5
_EDGE: Final = 3
_AROUND: Final = 8
_LEAST_SIDE: Final = 8
_FAR: Final = 1e5
_MOST_LARGER: Final = 16


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """The part of a view that may show the box, in the exposure of the target.

    ``matrix`` (3, 4) takes (x, y, 1, depth) of the target to pixels of the part; ``free`` is 1 outside holes.
    """

    matrix: NDArray[np.float64]
    stack: Stack
    free: Floats


def swept(target: Target, views: Sequence[Picture], cameras: Cameras) -> list[Look]:
    """Return what each view shows in the target's box by the depth of each pixel, where it shows anything.

    The looks are in the order of the views, nearest first; a pixel is seen by a few of them.
    """
    ends = _ends(cameras)
    lit = _lit(target, views, cameras, ends)
    if len(lit) < _LEAST_VIEWS:
        return []
    depth = _depth(target, lit, cameras, ends)
    rows, columns = depth.shape
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    space = np.stack([x + target.box.x0, y + target.box.y0, np.ones_like(x), depth], axis=-1)
    times = np.zeros((rows, columns), np.int64)
    looks: list[Look] = []
    for view in lit:
        there = space @ view.matrix.T.astype(np.float32)
        at = (there[..., 0] / there[..., 2], there[..., 1] / there[..., 2])
        shown = cv2.remap(view.stack, *at, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        seen = cv2.remap(view.free, *at, cv2.INTER_LINEAR, borderValue=0) > 0.999
        stack = as_sharp(np.asarray(shown, np.float32).reshape(target.stack.shape), seen, target)
        found = judged(target, stack, seen)
        if found is not None and found.error <= 1.0:
            looks.append(Look(found.stack, found.seen & (times < _VOTES), found.error))
            times += found.seen
    return looks


def _ends(cameras: Cameras) -> tuple[float, float]:
    """Return the depths between which all is looked for."""
    low, high = np.percentile(cameras.depths, (1, 99)).tolist()
    beyond = _BEYOND * (high - low)
    return low - beyond, high + beyond


def _lit(
    target: Target, views: Sequence[Picture], cameras: Cameras, ends: tuple[float, float]
) -> list[_View]:
    """Return of each view of known camera what shows the target's surroundings, in its exposure."""
    box = target.box
    from_box = np.array([[1, 0, box.x0], [0, 1, box.y0], [0, 0, 1]], np.float64)
    size = (box.x1 - box.x0, box.y1 - box.y0)
    middle = float(np.median(cameras.depths))
    lit = []
    for number, view in enumerate(views):
        if not cameras.known(number):
            continue
        matrix = cameras.matrices[number]
        part = _reach(target, view, [plane_of(matrix, end) for end in ends])
        if part is None:
            continue
        moved = np.array([[1, 0, -part.x0], [0, 1, -part.y0], [0, 0, 1]]) @ matrix
        stack, free = view.stack(part), (~dilate(view.hole[part.slices], _EDGE)).astype(np.float32)
        plane = plane_of(moved, middle) @ from_box
        both = (_warped(free, plane, size) > 0.999) & ~target.hole
        if int(both.sum()) >= _LEAST_COMMON:
            plain = _warped(stack, plane, size).reshape(target.stack.shape)
            lit.append(_View(moved, relit(stack, exposure(plain, target.stack, both)), free))
    return lit


def _reach(target: Target, view: Picture, planes: Sequence[Homography]) -> Box | None:
    """Return the part of a view in which the target's box may be shown, None where it would be too large."""
    box = target.box
    corners = np.array([[[x, y]] for x in (box.x0, box.x1) for y in (box.y0, box.y1)], np.float64)
    mapped = np.concatenate([cv2.perspectiveTransform(corners, plane)[:, 0] for plane in planes])
    if not np.isfinite(mapped).all() or np.abs(mapped).max() > _FAR:
        return None
    (x0, y0), (x1, y1) = np.floor(mapped.min(axis=0)).astype(int), np.ceil(mapped.max(axis=0)).astype(int)
    low, high = np.clip([x0, y0], _AROUND, None) - _AROUND, [x1 + _AROUND, y1 + _AROUND]
    part = view.box(int(low[0]), int(low[1]), min(int(high[0]), view.width), min(int(high[1]), view.height))
    if part.x1 - part.x0 < _LEAST_SIDE or part.y1 - part.y0 < _LEAST_SIDE:
        return None
    return part if part.area <= _MOST_LARGER * box.area else None


def _depth(target: Target, lit: Sequence[_View], cameras: Cameras, ends: tuple[float, float]) -> Floats:
    """Return the depth of each pixel of the box, (rows, columns)."""
    rows, columns = target.hole.shape
    scale = min(1.0, np.sqrt(_MOST_PIXELS / target.hole.size))
    size = (max(16, round(columns * scale)), max(16, round(rows * scale)))
    across, down = columns / size[0], rows / size[1]
    corner = (target.box.x0 + (across - 1) / 2, target.box.y0 + (down - 1) / 2)
    grown = np.array([[across, 0, corner[0]], [0, down, corner[1]], [0, 0, 1]])
    depths = np.linspace(*ends, _steps(target, lit, ends))
    volume = _volume(target, lit, depths, grown, size)
    volume += _prior(cameras, depths, grown, size)
    chosen = cv2.medianBlur(smoothed(volume), _MEDIAN)
    found = np.interp(chosen, np.arange(len(depths)), depths).astype(np.float32)
    return np.asarray(cv2.resize(found, (columns, rows)), np.float32)


def _steps(target: Target, lit: Sequence[_View], ends: tuple[float, float]) -> int:
    """Return how many depths to try, so that from one to the next no view moves by more than a step."""
    box = target.box
    centre = np.array([[[(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2]]])
    most = 0.0
    for view in lit:
        near, far = (cv2.perspectiveTransform(centre, plane_of(view.matrix, end))[0, 0] for end in ends)
        most = max(most, float(np.linalg.norm(near - far)))
    return int(np.clip(round(most / _STEP), _LEAST_DEPTHS, _MOST_DEPTHS))


def _volume(
    target: Target,
    lit: Sequence[_View],
    depths: NDArray[np.float64],
    grown: Homography,
    size: tuple[int, int],
) -> Floats:
    """Return how much speaks against each depth of each pixel, (rows, columns, depths)."""
    here = cv2.resize(target.stack, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
    clear_here = cv2.resize((~target.hole).astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.999
    volume = np.empty((size[1], size[0], len(depths)), np.float32)
    counts = np.empty_like(volume)
    for step, depth in enumerate(depths):
        shown = [(np.asarray(here, np.float32), clear_here)]
        for view in lit:
            back = plane_of(view.matrix, float(depth)) @ grown
            there = _warped(view.stack, back, size).reshape(size[1], size[0], -1)
            shown.append((there, _warped(view.free, back, size) > 0.999))
        volume[..., step], counts[..., step] = _disagreement(shown)
    share = counts / np.maximum(counts.max(axis=-1, keepdims=True), 1)
    return np.asarray(volume + _UNSEEN * (1 - share), np.float32)


def _disagreement(shown: Sequence[tuple[Stack, Mask]]) -> tuple[Floats, Floats]:
    """Return how far what is shown in each pixel is off its mean, and how many views show anything."""
    count = np.sum([clear for _, clear in shown], axis=0).astype(np.float32)
    most = np.maximum(count, 1)
    mean = np.sum([stack * clear[..., None] for stack, clear in shown], axis=0) / most[..., None]
    cost = np.zeros_like(count)
    for stack, clear in shown:
        cost += np.minimum(np.abs(stack - mean).sum(axis=-1), _DIFFERENT) * clear
    around = np.asarray(cv2.blur(cost / most, (3, 3)), np.float32)
    return np.maximum(around - _NOISE, 0), count


def _prior(cameras: Cameras, depths: NDArray[np.float64], grown: Homography, size: tuple[int, int]) -> Floats:
    """Return what the known points say against each depth of each pixel, (rows, columns, depths)."""
    out = np.zeros((size[1], size[0], len(depths)), np.float32)
    at = cv2.perspectiveTransform(cameras.points[None], np.linalg.inv(grown))[0]
    pixels = np.rint(at).astype(int)
    inside = ((pixels >= 1) & (pixels < np.array(size) - 1)).all(axis=1)
    if not inside.any():
        return out
    steps = np.arange(len(depths), dtype=np.float32)
    known = np.zeros((size[1], size[0]), np.bool_)
    values = np.zeros((size[1], size[0], 1), np.float32)
    labels = np.interp(cameras.depths[inside], depths, steps)
    for (x, y), label in zip(pixels[inside], labels, strict=True):
        out[y - 1 : y + 2, x - 1 : x + 2] += _ELSEWHERE * np.minimum(np.abs(steps - np.float32(label)), 3)
        values[y, x], known[y, x] = label, True
    out += np.minimum(np.square(steps - spread(values, known)) * _TREND, _MOST_TREND)
    return out


def _warped(stack: Stack, back: Homography, size: tuple[int, int]) -> Stack:
    """Return what a picture shows at a size, ``back``: the map from there to it; 0 outside."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpPerspective(stack, back, size, flags=flags), np.float32)
