"""From detections to the exact samples of each plane that must be destroyed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from eyelid.types import Detections, Plane, Shape, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


ELLIPSE_MARGIN: Final = 0.21
"""(sqrt(2) - 1) / 2, rounded up: the ellipse then holds the whole box with its corners."""

MARGINS: Final = {
    Target.FACE: ELLIPSE_MARGIN,
    Target.PLATE: 0.10,
    Target.PERSON: 0.05,
    Target.TEXT: 0.10,
    Target.SCREEN: 0.05,
    Target.VEHICLE: 0.05,
}
LEAST_GROWTH: Final = {Target.FACE: 4.0}
"""Pixels by which each side grows at the least by default: a detection of a small face is off by pixels, not
by a part of it, since the network marks faces on a grid of 4 pixels."""

_CACHED_PIXELS: Final = 1 << 16
_POLYGON_LIMIT: Final = 30_000.0  # OpenCV draws lines of at most 32,767 pixels width


class Coverage(BaseModel):
    """How much around a detection is covered.

    ``shape``: the outline; None means ellipses for faces and boxes for everything else. ``margin``: the part
    of the box's width added left and right, and of its height above and below; None means the target's own,
    for ellipses at least what makes them hold the whole box, and for small faces at least four pixels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    shape: Shape | None = None
    margin: float | None = Field(default=None, ge=0.0, le=4.0)

    def shape_for(self, target: Target) -> Shape:
        """Return the outline for a target."""
        return self.shape or (Shape.ELLIPSE if target is Target.FACE else Shape.BOX)

    def margin_for(self, target: Target) -> float:
        """Return the margin for a target, in parts of the box's sides."""
        if self.margin is not None:
            return self.margin
        return max(MARGINS[target], ELLIPSE_MARGIN if self.shape_for(target) is Shape.ELLIPSE else 0.0)

    def growth_for(self, target: Target, width: float, height: float) -> tuple[float, float]:
        """Return by how many pixels a box of that size grows to each side, and above and below."""
        margin = self.margin_for(target)
        least = LEAST_GROWTH.get(target, 0.0) if self.margin is None else 0.0
        return max(margin * width, least), max(margin * height, least)


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A region in one plane: ``plane.samples[rows, columns]`` where ``mask`` holds (None: everywhere)."""

    rows: slice
    columns: slice
    mask: NDArray[np.bool_] | None

    @property
    def height(self) -> int:
        """The number of rows."""
        return int(self.rows.stop - self.rows.start)

    @property
    def width(self) -> int:
        """The number of columns."""
        return int(self.columns.stop - self.columns.start)


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Pixels x0 <= x < x1, y0 <= y < y1 of a frame, where ``mask`` of that shape holds (None: everywhere)."""

    x0: int
    y0: int
    x1: int
    y1: int
    mask: NDArray[np.bool_] | None = None

    def patch(self, plane: Plane) -> Patch:
        """Return the samples of a plane that stand for at least one pixel of the region."""
        sx, sy = plane.step_x, plane.step_y
        top, left = self.y0 // sy, self.x0 // sx
        bottom, right = -(-self.y1 // sy), -(-self.x1 // sx)
        mask = self.mask
        if mask is not None and (sx, sy) != (1, 1):
            pixels = np.zeros(((bottom - top) * sy, (right - left) * sx), np.bool_)
            y, x = self.y0 - top * sy, self.x0 - left * sx
            pixels[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
            mask = pixels[::sy].copy()
            for row in range(1, sy):
                mask |= pixels[row::sy]
            pixels, mask = mask, mask[:, ::sx].copy()
            for column in range(1, sx):
                mask |= pixels[:, column::sx]
        return Patch(slice(top, bottom), slice(left, right), mask)


def whole(width: int, height: int) -> Region:
    """Return the region that covers a frame of that size, in pixels."""
    return Region(0, 0, width, height)


def is_finite(detections: Detections) -> bool:
    """Return whether it is known where every detection lies."""
    polygons = (p for p in detections.polygons if p is not None)
    return bool(np.isfinite(detections.boxes).all() and all(np.isfinite(p).all() for p in polygons))


def regions(detections: Detections, coverage: Coverage, width: int, height: int) -> list[Region]:
    """Return what to destroy in a frame of ``width`` by ``height`` pixels, for finite detections.

    Any pixel that a grown outline touches is inside; a polygon counts as its convex hull. Corners in
    reverse are put in order; a box without area covers the pixel it lies on; what lies outside gives nothing.
    """
    found: list[Region] = []
    boxes = detections.boxes.astype(np.float64)
    for box, target, polygon in zip(boxes, detections.targets, detections.polygons, strict=True):
        if polygon is not None and len(polygon) >= 3:
            margin = coverage.margin_for(target)
            found.extend(_polygon(polygon.astype(np.float64), margin, width, height))
        else:
            low, high = np.minimum(box[:2], box[2:]), np.maximum(box[:2], box[2:])
            grow = coverage.growth_for(target, *(high - low).tolist())
            found.extend(_box(low - grow, high + grow, coverage.shape_for(target), width, height))
    return found


def _box(
    low: NDArray[np.float64], high: NDArray[np.float64], shape: Shape, width: int, height: int
) -> Iterator[Region]:
    (x0, y0), (x1, y1) = low.tolist(), high.tolist()
    left, top = int(x0 // 1), int(y0 // 1)
    right, bottom = max(left + 1, int(-(-x1 // 1))), max(top + 1, int(-(-y1 // 1)))
    cut = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if cut[0] >= cut[2] or cut[1] >= cut[3]:
        return
    mask = None
    if shape is Shape.ELLIPSE:
        key = (right - left, bottom - top, cut[0] - left, cut[1] - top, cut[2] - cut[0], cut[3] - cut[1])
        small = key[4] * key[5] <= _CACHED_PIXELS
        mask = _ellipse_cached(*key) if small else _ellipse(*key)
    yield Region(*cut, mask)


def _ellipse(width: int, height: int, left: int, top: int, columns: int, rows: int) -> NDArray[np.bool_]:
    """Return the part (rows, columns) at (left, top) of the ellipse that touches all sides of a box."""
    down = np.minimum(_nearest(height, top, rows) / height, 1.0)
    reach = np.floor(width * np.sqrt(1.0 - down * down) + 1e-6)  # what lies on the outline is inside
    across = _nearest(width, left, columns)
    # One comparison a pixel, since faces of a film change their size in nearly every frame. Whole numbers in
    # single precision keep their order: where they are too large to be told apart, more is covered.
    with np.errstate(over="ignore"):
        return np.asarray(across.astype(np.float32)[None, :] <= reach.astype(np.float32)[:, None])


def _nearest(side: int, start: int, count: int) -> NDArray[np.float64]:
    """Return how near each pixel comes to the middle of the side, in half pixels."""
    centres = np.arange(start, start + count, dtype=np.float64) + 0.5
    return np.asarray(np.maximum(np.abs(2 * centres - side) - 1, 0.0))


_ellipse_cached = lru_cache(maxsize=256)(_ellipse)


def _polygon(polygon: NDArray[np.float64], margin: float, width: int, height: int) -> Iterator[Region]:
    import cv2  # only polygons need it, and the command line must start fast

    # The hull, because corners in the wrong order would leave holes.
    # OpenCV has none for corners that all coincide.
    hull: NDArray[np.float32] | None = cv2.convexHull(polygon.astype(np.float32))  # type: ignore[assignment]
    polygon = polygon[:1] if hull is None else hull[:, 0].astype(np.float64)
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    grow = margin * float((high - low).min())
    if max(np.abs(polygon).max(), grow) > _POLYGON_LIMIT / 2:
        grow_box = margin * (high - low)
        yield from _box(low - grow_box, high + grow_box, Shape.BOX, width, height)
        return
    # Corners are rounded to pixels and OpenCV's thick lines are not exact: two pixels more are always enough.
    reach = int(np.ceil(grow)) + 2
    left, top = max(int(np.floor(low[0])) - reach, 0), max(int(np.floor(low[1])) - reach, 0)
    right, bottom = min(int(np.ceil(high[0])) + reach, width), min(int(np.ceil(high[1])) + reach, height)
    if left >= right or top >= bottom:
        return
    corners = np.rint(polygon - (left + 0.5, top + 0.5)).astype(np.int32)
    drawn = np.zeros((bottom - top, right - left), np.uint8)
    cv2.fillConvexPoly(drawn, corners, 1)
    cv2.polylines(drawn, [corners], isClosed=True, color=1, thickness=2 * reach + 1)
    yield Region(left, top, right, bottom, drawn.view(np.bool_))
