"""Frames as pictures with holes: what was in a hole is destroyed before any algorithm looks at the frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from eyelid.types import Plane

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from eyelid.types import RawFrame

Mask: TypeAlias = NDArray[np.bool_]
"""True for some pixels of a picture or of a box in it, shape (rows, columns)."""

Stack: TypeAlias = NDArray[np.float32]
"""The colour planes of a box, each at the size of the box: (rows, columns, planes), samples in 0..255."""

CHROMA: Final = ("Cb", "Cr")
_FAR: Final = 12
"""Beyond so many pixels a mask grows by distance: a kernel takes time with the square of its reach."""


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels x0 <= x < x1, y0 <= y < y1."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def area(self) -> int:
        """The number of pixels."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)

    @property
    def slices(self) -> tuple[slice, slice]:
        """The rows and columns of the box in an array of the picture's size."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """The colour planes of a frame and its hole.

    ``hole`` has shape (height, width) and is whole in every block of ``unit`` pixels, so that no chroma
    sample stands for pixels on both sides of its edge. The samples in the hole are black.
    """

    planes: tuple[Plane, ...]
    hole: Mask
    time: Fraction | None = None

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return int(self.hole.shape[1])

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.hole.shape[0])

    @property
    def unit(self) -> tuple[int, int]:
        """The pixels across and down that share one sample of some plane."""
        return unit_of(self.planes)

    @property
    def nbytes(self) -> int:
        """Memory that the samples and the hole take."""
        return sum(plane.samples.nbytes for plane in self.planes) + self.hole.nbytes

    def can_take_from(self, other: Picture) -> bool:
        """Return whether the planes of another mean the same, so that their samples may be pasted here."""
        return [_meaning(p) for p in self.planes] == [_meaning(p) for p in other.planes]

    def box(self, x0: int, y0: int, x1: int, y1: int) -> Box:
        """Return the smallest box of whole blocks around some pixels, cut at the border of the picture."""
        ux, uy = self.unit
        return Box(
            max(x0 // ux * ux, 0),
            max(y0 // uy * uy, 0),
            min(-(-x1 // ux) * ux, self.width),
            min(-(-y1 // uy) * uy, self.height),
        )

    def stack(self, box: Box | None = None) -> Stack:
        """Return all colour planes in a box of whole blocks, or in the whole picture."""
        box = box or Box(0, 0, self.width, self.height)
        shape = (box.y1 - box.y0, box.x1 - box.x0)
        layers = []
        for plane in self.planes:
            sx, sy = plane.step_x, plane.step_y
            samples = plane.samples[box.y0 // sy : -(-box.y1 // sy), box.x0 // sx : -(-box.x1 // sx)]
            if (sx, sy) != (1, 1):
                samples = samples.repeat(sy, axis=0).repeat(sx, axis=1)[: shape[0], : shape[1]]
            layers.append(samples.astype(np.float32) * np.float32(255 / plane.peak))
        return np.stack(layers, axis=-1)

    def small(self, long_side: int) -> tuple[Stack, Mask, float]:
        """Return the picture shrunk to a long side, the pixels there that touch the hole, and the scale.

        The scale is pixels of the small picture for one of the large; it is never enlarged.
        """
        scale = min(1.0, long_side / max(self.width, self.height))
        size = (max(1, round(self.width * scale)), max(1, round(self.height * scale)))
        layers = []
        for plane in self.planes:
            samples = cv2.resize(np.ascontiguousarray(plane.samples), size, interpolation=cv2.INTER_AREA)
            layers.append(samples.astype(np.float32) * np.float32(255 / plane.peak))
        hole = cv2.resize(self.hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
        return np.stack(layers, axis=-1), hole, scale

    def write(self, box: Box, stack: Stack, where: Mask) -> None:
        """Write the pixels ``where`` (whole blocks) of a stack into the samples of the frame."""
        for layer, plane in enumerate(self.planes):
            sx, sy = plane.step_x, plane.step_y
            values, inside = stack[..., layer], where
            if (sx, sy) != (1, 1):
                rows, columns = -(-values.shape[0] // sy), -(-values.shape[1] // sx)
                pad = ((0, rows * sy - values.shape[0]), (0, columns * sx - values.shape[1]))
                blocks = np.pad(values, pad, mode="edge").reshape(rows, sy, columns, sx)
                values, inside = blocks.mean(axis=(1, 3)), where[::sy, ::sx]
            exact = np.clip(np.rint(values * (plane.peak / 255)), 0, plane.peak)
            samples = plane.samples[box.y0 // sy : -(-box.y1 // sy), box.x0 // sx : -(-box.x1 // sx)]
            np.copyto(samples, exact.astype(samples.dtype), where=inside)

    def blacken(self, where: Mask) -> None:
        """Add whole blocks to the hole: their samples are destroyed at once."""
        self.hole[where] = True
        for plane in self.planes:
            inside = where[:: plane.step_y, :: plane.step_x]
            np.copyto(plane.samples, plane.black, where=inside, casting="unsafe")


def unit_of(planes: Sequence[Plane]) -> tuple[int, int]:
    """Return the pixels across and down that share one sample of some plane."""
    return math.lcm(*(p.step_x for p in planes)), math.lcm(*(p.step_y for p in planes))


def whole_blocks(mask: Mask, unit: tuple[int, int]) -> Mask:
    """Return the mask grown to every block of ``unit`` pixels that it touches."""
    ux, uy = unit
    if unit == (1, 1):
        return mask
    height, width = mask.shape
    pad = ((0, -height % uy), (0, -width % ux))
    blocks = np.pad(mask, pad).reshape((height + pad[0][1]) // uy, uy, (width + pad[1][1]) // ux, ux)
    touched = np.asarray(blocks.any(axis=(1, 3)))
    return touched.repeat(uy, axis=0).repeat(ux, axis=1)[:height, :width]


def dilate(mask: Mask, reach: int) -> Mask:
    """Return the mask grown by ``reach`` pixels in every direction."""
    if reach <= 0:
        return mask
    if reach > _FAR:  # by distance, which takes as long for any reach; a little rounder, never less
        apart = cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return np.asarray(apart <= reach + 0.5, np.bool_)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return cv2.dilate(mask.view(np.uint8), kernel).view(np.bool_)


def opened(frame: RawFrame, core: Mask) -> Picture:
    """Return a frame as a picture of its colours from whose samples the core is gone."""
    colours = tuple(plane for plane in frame.planes if plane.name != "A")
    unit = unit_of(colours)
    core = whole_blocks(core, unit)
    picture = Picture(colours, np.zeros((frame.height, frame.width), np.bool_), frame.time)
    picture.blacken(core)
    return picture


def in_layout(picture: Picture, like: Picture, frame: RawFrame) -> Picture:
    """Return the picture with planes of the same meaning as those of another, for pasting from file to file.

    ``frame`` is the frame behind ``picture``, already without its hole; it is drawn as 8-bit RGB and taken
    apart anew unless the planes agree as they are.
    """
    if like.can_take_from(picture):
        return picture
    bgr = frame.bgr()
    luma = cv2.cvtColor(bgr, cv2.COLOR_BGR2YCrCb)
    layers: dict[str, NDArray[Any]] = {
        "L": luma[..., 0],
        "Y": luma[..., 0],
        "Cb": luma[..., 2],
        "Cr": luma[..., 1],
        "B": bgr[..., 0],
        "G": bgr[..., 1],
        "R": bgr[..., 2],
    }
    if [p.name for p in like.planes] == ["C", "M", "Y", "K"]:
        light = np.asarray(255 - bgr, np.uint8)
        layers = {"C": light[..., 2], "M": light[..., 1], "Y": light[..., 0]}
        layers["K"] = np.zeros_like(bgr[..., 0])
    planes = tuple(Plane(p.name, np.ascontiguousarray(layers[p.name]), 0) for p in like.planes)
    return Picture(planes, picture.hole, picture.time)


def _meaning(plane: Plane) -> tuple[str, int, int, int]:
    return plane.name, plane.peak, plane.step_x, plane.step_y


def grey(stack: Stack, names: Sequence[str]) -> Stack:
    """Return the light of a stack as one layer (rows, columns): the mean of the planes without chroma."""
    light = [i for i, name in enumerate(names) if name not in CHROMA]
    return np.ascontiguousarray(stack[..., light].mean(axis=-1))
