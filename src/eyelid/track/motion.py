"""Where a box is between, before and after its detections, and how far it must grow to be sure.

A box moves as its *state*: centre x, centre y in pixels, and the logarithms of width and height, so that a
constant zoom is a straight line. All arrays are float64 with one row a box.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

DAMPING_S = 0.5
"""An unseen box is not trusted to keep its speed: its travel tends to that of this many seconds."""

LONGEST_TRAVEL = 4.0
"""An unseen box is not moved further than this many box sides, whatever its speed seemed to be."""


def to_states(boxes: Array) -> Array:
    """Return the states (n, 4) of boxes (n, 4); corners may be swapped, sides under one pixel count as 1."""
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
    return np.concatenate([(low + high) / 2, np.log(np.maximum(high - low, 1.0))], axis=1)


def to_boxes(states: Array, grow: Array | None = None) -> Array:
    """Return the boxes (n, 4) of states (n, 4), each edge moved out by ``grow`` (n, 2) pixels in x and y."""
    half = np.exp(states[:, 2:]) / 2
    if grow is not None:
        half = half + grow
    return np.concatenate([states[:, :2] - half, states[:, :2] + half], axis=1)


def hull(a: Array, b: Array) -> Array:
    """Return the smallest boxes (n, 4) around each pair of boxes."""
    return np.concatenate([np.minimum(a[:, :2], b[:, :2]), np.maximum(a[:, 2:], b[:, 2:])], axis=1)


def between(
    first: Array,
    last: Array,
    speeds: tuple[Array, Array],
    since: Array,
    until: Array,
    rates: Array,
    limits: Array,
) -> Array:
    """Return boxes (n, 4) between two detections, ``since`` seconds (n,) after one, ``until`` before another.

    ``first`` and ``last`` are states (n, 4), ``speeds`` their rates of change before the first and after the
    last (n, 4), in units a second. The centre goes in a straight line; a body that enters and leaves the gap
    with those speeds strays from it by at most u (1 - u) max |speed * gap - way| (the cubic Hermite curve),
    and the box grows by that, plus ``rates`` (n,) sides a second from the nearer detection, up to ``limits``
    (n,) sides.
    """
    gap = since + until
    u = (since / np.maximum(gap, 1e-9))[:, None]
    states = (1 - u) * first + u * last
    sides = np.exp(states[:, 2:])
    way = (last - first)[:, :2]
    strays = [np.abs(speed[:, :2] * gap[:, None] - way) for speed in speeds]
    stray = np.minimum(np.maximum(*strays), np.abs(way) + 2 * sides)
    unseen = np.minimum(rates * np.minimum(since, until), limits)[:, None] * sides
    return to_boxes(states, u * (1 - u) * stray + unseen)


def beyond(states: Array, speeds: Array, away: Array, rates: Array, limits: Array) -> Array:
    """Return boxes (n, 4) ``away`` seconds (n,) from the only detection on this side.

    ``speeds`` (n, 4) point away from the detection in time. The box spans from where it was to where its
    damped motion takes it, and grows by ``rates`` (n,) sides a second, at most ``limits`` (n,) sides.
    """
    sides = np.exp(states[:, 2:])
    travel = speeds * (DAMPING_S * (1 - np.exp(-away / DAMPING_S)))[:, None]
    reach = LONGEST_TRAVEL * sides
    moved = states + np.concatenate(
        [np.clip(travel[:, :2], -reach, reach), np.clip(travel[:, 2:], 0, np.log(2))], axis=1
    )
    grow = np.minimum(rates * away, limits)[:, None] * sides
    return hull(to_boxes(states, grow), to_boxes(moved, grow))


def touches_border(boxes: Array, width: int, height: int) -> NDArray[np.bool_]:
    """Return whether each box touches a border of the picture: bool (n,)."""
    size = np.array([width, height], np.float64)
    slack = np.maximum(2.0, 0.01 * size)
    touching: NDArray[np.bool_] = np.any((boxes[:, :2] <= slack) | (boxes[:, 2:] >= size - slack), axis=1)
    return touching
