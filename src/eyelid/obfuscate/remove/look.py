"""The part of another view that shows what lies behind a hole, brought into the target's place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from eyelid.obfuscate.remove.changes import STRONG, difference
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
_FLOW_SIDE: Final = 512
_FIT_POINTS: Final = 4000
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
    """Return what a source shows in the target's box by the map that fits its rim best, if one fits.

    Nothing comes from a pixel within a few pixels of the source's own hole. Where no single plane fits, dense
    flow measured in the surroundings of the hole (Kroeger et al., "Fast optical flow using dense inverse
    search", ECCV 2016) is carried smoothly into it.
    """
    best: Look | None = None
    for matrix in maps:
        plain = _warped(target, source, matrix)
        if plain is None:
            continue
        moved = _flowed(target, plain) if plain.error > _EXACT else None
        for found in (plain, moved):
            if found is not None and (best is None or found.error < best.error):
                best = found
    return best if best is not None and best.error <= 1.0 else None


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
    stack, hole = source.stack(part), dilate(source.hole[part.slices], _EDGE)
    shrink = np.sqrt(part.area / box.area)
    if shrink > 1.5:
        stack = np.asarray(cv2.GaussianBlur(stack, (0, 0), 0.4 * shrink), np.float32).reshape(stack.shape)
    size, flags = (box.x1 - box.x0, box.y1 - box.y0), cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    warped = cv2.warpPerspective(stack, inverse, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    free = cv2.warpPerspective(
        (~hole).astype(np.float32), inverse, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    return _judged(target, np.asarray(warped, np.float32).reshape(target.stack.shape), free > 0.999)


def _judged(target: Target, stack: Stack, seen: Mask) -> Look | None:
    """Return the look with its error: above 1 where it does not show the target's surroundings."""
    both = target.rim & seen
    if int(both.sum()) < _LEAST_RIM or not (seen & target.hole).any():
        return None
    ours, theirs = target.stack[both], stack[both]
    shift = np.median(ours - theirs, axis=0)
    apart = np.abs(ours - theirs - shift).mean(axis=0).max()
    light = [grey(s, target.names) for s in (target.stack, stack)]
    a, b = (layer[both] - layer[both].mean() for layer in light)
    spread_a, spread_b = float(a.std()), float(b.std())
    if max(spread_a, spread_b) < _FLAT:
        return Look(stack, seen, float(apart) / _OFF)
    alike = float((a * b).mean()) / max(spread_a * spread_b, 1e-6)
    return Look(stack, seen, max((1 - alike) / (1 - _ALIKE), float(apart) / (2 * _OFF)))


def _flowed(target: Target, plain: Look) -> Look | None:
    """Return the look moved by the flow that its surroundings show, carried into the hole."""
    rows, columns = target.hole.shape
    if min(rows, columns) < 24:
        return None
    scale = min(1.0, _FLOW_SIDE / max(rows, columns))
    size = (max(16, round(columns * scale)), max(16, round(rows * scale)))
    both = ~target.hole & plain.seen
    pair = []
    for stack in (target.stack, plain.stack):
        small, known = shrunk(grey(stack, target.names)[..., None], both, size)
        pair.append(np.clip(spread(small, known)[..., 0], 0, 255).astype(np.uint8))
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(
        pair[0], pair[1], np.zeros((*pair[0].shape, 2), np.float32)
    )
    clear = cv2.resize(both.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.999
    clear &= ~dilate(~clear, 4) & (_texture(pair[0]) > 1.0)
    if int(clear.sum()) < _LEAST_RIM:
        return None
    smooth = _continued(flow.astype(np.float32), clear)
    shift = cv2.resize(smooth, (columns, rows)) / scale
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    x, y = x + shift[..., 0], y + shift[..., 1]
    moved = cv2.remap(plain.stack, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    free = cv2.remap(plain.seen.astype(np.float32), x, y, cv2.INTER_LINEAR, borderValue=0)
    return _judged(target, np.asarray(moved, np.float32).reshape(target.stack.shape), free > 0.999)


def _continued(flow: Stack, clear: Mask) -> Stack:
    """Return the flow, continued from where it is clear: a quadratic trend and a smooth rest.

    The trend is fitted to what is near it, again and again, because things at other depths are no part of it.
    """
    rows, columns = clear.shape
    y, x = np.mgrid[:rows, :columns].astype(np.float32) / np.float32(max(rows, columns)) - np.float32(0.5)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    every = max(1, int(clear.sum()) // _FIT_POINTS)
    known, values = terms[clear][::every], flow[clear][::every]
    keep = np.ones(len(known), np.bool_)
    for _ in range(4):
        fit = np.linalg.lstsq(known[keep], values[keep], rcond=None)[0]
        off = np.abs(values - known @ fit).max(axis=1)
        keep = off <= max(0.5, 2.5 * float(np.median(off)))
    trend = np.asarray(terms @ fit, np.float32)
    rest = spread(flow - trend, clear)
    return np.asarray(trend + cv2.GaussianBlur(rest, (0, 0), 3.0), np.float32)


def _texture(light: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Stack:
    """Return the local spread of light, where flow can be measured."""
    values = light.astype(np.float32)
    mean = cv2.blur(values, (9, 9))
    return np.asarray(np.sqrt(np.maximum(cv2.blur(values * values, (9, 9)) - mean * mean, 0)), np.float32)


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
