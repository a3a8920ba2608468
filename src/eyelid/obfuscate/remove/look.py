"""The part of another view that shows what lies behind a hole, brought into the target's place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from eyelid.obfuscate.remove.changes import STRONG, difference
from eyelid.obfuscate.remove.exposure import exposed
from eyelid.obfuscate.remove.parallax import LEAST_CLEAR, continued, flow, scale_of
from eyelid.obfuscate.remove.picture import dilate, grey
from eyelid.obfuscate.remove.spread import shrunk, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyelid.obfuscate.remove.align import Homography
    from eyelid.obfuscate.remove.picture import Box, Mask, Picture, Stack

_RIM: Final = 0.25
"""The band around a hole in which a view must agree with the target: parts of the hole's side."""
_ALIKE: Final = 0.6
"""The least correlation in the rim where it has texture."""
_FLAT: Final = 5.0
_OFF: Final = 14.0
_EXACT: Final = 0.05
_EDGE: Final = 3
_LIGHT_SIDE: Final = 160
"""Pixels along a box at which the difference in light is carried inside: it is smooth."""
_NEARLY: Final = 3.0
"""A look this far off may come into place by flow."""
_PARTNERS: Final = 2
_LEAST_RIM: Final = 40


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What a view shows in a box of the target: ``stack`` where ``seen``; ``error`` in the rim."""

    stack: Stack
    seen: Mask
    error: float


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """The box around a hole: its stack, the holes in it, the rim in which views are judged."""

    box: Box
    stack: Stack
    hole: Mask
    rim: Mask
    names: tuple[str, ...]


def target_of(picture: Picture, box: Box, part: Mask) -> Target:
    """Return the box as views are compared with it; ``part``: the hole to fill there."""
    hole = picture.hole[box.slices]
    side = np.sqrt(max(int(part.sum()), 1))
    rim = dilate(part, max(8, round(_RIM * side))) & ~hole
    return Target(box, picture.stack(box), hole, rim, tuple(plane.name for plane in picture.planes))


def look(target: Target, source: Picture, maps: Sequence[Homography]) -> Look | None:
    """Return what a source shows in the target's box by the plane that fits its rim best, if one fits.

    Nothing comes from a pixel within a few pixels of the source's own hole, or what was smoothed into it.
    """
    found = [plain for matrix in maps if (plain := _warped(target, source, matrix)) is not None]
    best = min(found, key=lambda plain: plain.error, default=None)
    return best if best is not None and best.error <= _NEARLY else None


def aligned(target: Target, looks: Sequence[Look]) -> list[Look]:
    """Return the looks that fit the target, those that no plane brings into place moved by dense flow.

    The flow is measured around the hole and carried into it with the help of the flow between two looks,
    which both see behind the hole. What one look shows helps to bring the next into place.
    """
    lights = [grey(found.stack, target.names) for found in looks]
    light, known = grey(target.stack, target.names), ~target.hole
    fitting: list[Look] = []
    for index, found in enumerate(looks):
        if found.error > _EXACT:
            found = _moved(target, looks, lights, index, (light, known))
        if found.error > 1.0:
            continue
        fitting.append(found)
        fresh = found.seen & ~known
        if fresh.any():
            light[fresh] = grey(blended(target, found.stack, found.seen), target.names)[fresh]
            known = known | fresh
    return fitting


def _moved(
    target: Target, looks: Sequence[Look], lights: Sequence[Stack], index: int, sight: tuple[Stack, Mask]
) -> Look:
    """Return a look moved by flow to the light known of the target, or as it is where that is better."""
    plain, light = looks[index], lights[index]
    if min(target.hole.shape) < 24:
        return plain
    onward, clear = flow(light, sight[0], plain.seen, sight[1])
    if int(clear.sum()) < LEAST_CLEAR:
        return plain
    size = (clear.shape[1], clear.shape[0])
    hole = cv2.resize(target.hole.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).view(np.bool_)
    near = dilate(hole, max(16, round(np.sqrt(float(hole.sum())))))
    best, least = continued(onward, clear, near, None)
    behind = [int((plain.seen & other.seen & target.hole).sum()) for other in looks]
    behind[index] = 0
    for other in sorted(range(len(looks)), key=lambda i: -behind[i])[:_PARTNERS]:
        if behind[other] < LEAST_CLEAR:
            continue
        between, sure = flow(light, lights[other], plain.seen, looks[other].seen)
        if int((sure & clear).sum()) < LEAST_CLEAR:
            continue
        common = (plain.seen & looks[other].seen).astype(np.float32)
        between = spread(between, cv2.resize(common, size, interpolation=cv2.INTER_AREA) > 0.999)
        tried, left = continued(onward, clear, near, between)
        if left < least:
            best, least = tried, left
    shifted = _shifted(target, plain, best)
    return shifted if shifted is not None and shifted.error < plain.error else plain


def _shifted(target: Target, plain: Look, onward: Stack) -> Look | None:
    """Return a look moved by the flow from its own pixels to those of the target."""
    rows, columns = onward.shape[:2]
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    back: Stack = -onward
    for _ in range(4):  # the flow from the target's pixels: onward(p + back(p)) = -back(p)
        there = (x + back[..., 0], y + back[..., 1])
        back = -np.asarray(
            cv2.remap(onward, *there, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
        )
    rows, columns = target.hole.shape
    back = cv2.resize(back, (columns, rows)) / np.float32(scale_of(target.hole.shape))
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    x, y = x + back[..., 0], y + back[..., 1]
    moved = cv2.remap(plain.stack, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    free = cv2.remap(plain.seen.astype(np.float32), x, y, cv2.INTER_LINEAR, borderValue=0)
    return judged(target, np.asarray(moved, np.float32).reshape(target.stack.shape), free > 0.999)


def _warped(target: Target, source: Picture, matrix: Homography) -> Look | None:
    box = target.box
    corners = np.array(
        [[[box.x0, box.y0]], [[box.x1, box.y0]], [[box.x1, box.y1]], [[box.x0, box.y1]]], np.float64
    )
    mapped = cv2.perspectiveTransform(corners, matrix)[:, 0]
    if not np.isfinite(mapped).all() or np.abs(mapped).max() > 1e5:
        return None
    low, high = np.floor(mapped.min(axis=0)).astype(int) - 4, np.ceil(mapped.max(axis=0)).astype(int) + 4
    part = source.box(max(low[0], 0), max(low[1], 0), min(high[0], source.width), min(high[1], source.height))
    if part.x1 - part.x0 < 8 or part.y1 - part.y0 < 8 or part.area > 16 * box.area + 4096:
        return None
    to_part = np.array([[1, 0, -part.x0], [0, 1, -part.y0], [0, 0, 1]], np.float64)
    from_box = np.array([[1, 0, box.x0], [0, 1, box.y0], [0, 0, 1]], np.float64)
    inverse = to_part @ matrix @ from_box
    stack, reach = source.stack(part), _EDGE
    shrink = np.sqrt(part.area / box.area)
    if shrink > 1.5:
        sigma = 0.4 * shrink
        reach += math.ceil(4 * sigma)  # as far as OpenCV's kernel reaches for float samples
        stack = np.asarray(cv2.GaussianBlur(stack, (0, 0), sigma), np.float32).reshape(stack.shape)
    hole = dilate(source.hole[part.slices], reach)
    size, flags = (box.x1 - box.x0, box.y1 - box.y0), cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    warped = cv2.warpPerspective(stack, inverse, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    free = cv2.warpPerspective(
        (~hole).astype(np.float32), inverse, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    return judged(target, np.asarray(warped, np.float32).reshape(target.stack.shape), free > 0.999)


def judged(target: Target, stack: Stack, seen: Mask) -> Look | None:
    """Return the look with its error: above 1 where it does not show the target's surroundings."""
    both = target.rim & seen
    if int(both.sum()) < _LEAST_RIM or not (seen & target.hole).any():
        return None
    stack = exposed(stack, target.stack, seen & ~target.hole)
    apart = np.abs(target.stack[both] - stack[both]).mean(axis=0).max()
    light = [grey(s, target.names) for s in (target.stack, stack)]
    a, b = (layer[both] - layer[both].mean() for layer in light)
    spread_a, spread_b = float(a.std()), float(b.std())
    if max(spread_a, spread_b) < _FLAT:
        return Look(stack, seen, float(apart) / _OFF)
    alike = float((a * b).mean()) / max(spread_a * spread_b, 1e-6)
    return Look(stack, seen, max((1 - alike) / (1 - _ALIKE), float(apart) / (2 * _OFF)))


def blended(target: Target, stack: Stack, seen: Mask) -> Stack:
    """Return a stack plus the difference to the target at the rim of the hole, carried smoothly inside.

    What differs by more than light does (something stands there) does not count.
    """
    both = ~target.hole & seen & dilate(target.hole, 12)
    residual = target.stack - stack
    if not both.any():
        return stack
    drift = np.median(residual[both], axis=0)
    plain = both & (difference(target.stack, stack + drift, both, target.names) < STRONG)
    if int(plain.sum()) < _LEAST_RIM:
        return np.asarray(stack + drift, np.float32)
    rows, columns = plain.shape
    scale = min(1.0, _LIGHT_SIDE / max(rows, columns))
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    light, lit = shrunk(residual, plain, size)
    wide = (7, 7) if scale > 0.5 else (3, 3)
    weight = cv2.blur(lit.astype(np.float32), wide)
    light[~lit] = 0
    mean = cv2.blur(light, wide).reshape(light.shape) / np.maximum(weight, 1e-6)[..., None]
    light = spread(np.asarray(mean, np.float32), lit)
    return np.asarray(stack + cv2.resize(light, (columns, rows)).reshape(stack.shape), np.float32)
