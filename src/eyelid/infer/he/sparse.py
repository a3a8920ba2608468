"""Linear layers as sparse matrices over flattened tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eyelid.infer.network import AveragePool, Convolution, Linear, window_counts

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Sparse:
    """A matrix of ``shape`` (outputs, inputs) as its entries: int64 rows and columns, float64 values."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float64]
    shape: tuple[int, int]

    @classmethod
    def identity(cls, size: int) -> Sparse:
        """Return the identity of ``size`` elements."""
        index = np.arange(size, dtype=np.int64)
        return cls(index, index, np.ones(size), (size, size))

    @classmethod
    def blocks(cls, weights: NDArray[np.float64], size: int) -> Sparse:
        """Return the matrix of blocks (j, k), each ``weights[j, k]`` times the identity of ``size``."""
        j, k = np.nonzero(weights)
        index = np.arange(size, dtype=np.int64)
        rows, columns = (part[:, None] * size + index for part in (j, k))
        values = np.repeat(weights[j, k], size)
        shape = (weights.shape[0] * size, weights.shape[1] * size)
        return cls(rows.ravel().astype(np.int64), columns.ravel().astype(np.int64), values, shape)

    def times(self, factor: float) -> Sparse:
        """Return the matrix with every entry multiplied."""
        return Sparse(self.rows, self.columns, self.values * factor, self.shape)

    def apply(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the product with a vector (inputs,)."""
        return np.bincount(self.rows, self.values * x[self.columns], self.shape[0]).astype(np.float64)

    def after(self, first: Sparse) -> Sparse:
        """Return the matrix of ``first`` followed by this one."""
        order = np.argsort(first.rows, kind="stable")
        counts = np.bincount(first.rows, minlength=first.shape[0])
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        repeats = counts[self.columns]
        within = np.arange(repeats.sum()) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        taken = order[np.repeat(starts[self.columns], repeats) + within]
        rows, values = np.repeat(self.rows, repeats), np.repeat(self.values, repeats) * first.values[taken]
        return Sparse(rows, first.columns[taken], values, (self.shape[0], first.shape[1])).summed()

    def plus(self, other: Sparse) -> Sparse:
        """Return the sum of two matrices of one shape."""
        return Sparse(
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.columns, other.columns]),
            np.concatenate([self.values, other.values]),
            self.shape,
        ).summed()

    def summed(self) -> Sparse:
        """Return the matrix with one entry for each place, and none that is zero."""
        keys, place = np.unique(self.rows * self.shape[1] + self.columns, return_inverse=True)
        values = np.bincount(place, self.values, len(keys))
        keep = values != 0
        rows, columns = np.divmod(keys[keep], self.shape[1])
        return Sparse(rows, columns, values[keep], self.shape)


def of_layer(layer: Convolution | Linear | AveragePool, shape: tuple[int, ...]) -> Sparse:
    """Return the matrix of a layer whose input has ``shape`` (channels, height, width) or (features,)."""
    match layer:
        case Linear():
            rows, columns = np.nonzero(layer.weight)
            return Sparse(rows, columns, layer.weight[rows, columns], layer.weight.shape)
        case AveragePool():
            kernel = np.full((shape[0], 1, *layer.kernel), 1 / math.prod(layer.kernel))
            return _windows(kernel, shape, layer.stride, layer.padding, shape[0])
        case Convolution():
            return _windows(layer.weight, shape, layer.stride, layer.padding, layer.groups)


def _windows(
    weight: NDArray[np.float64],
    shape: tuple[int, ...],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    groups: int,
) -> Sparse:
    channels, height, width = shape
    out, inner, tall, wide = weight.shape
    high, broad = window_counts(shape, (tall, wide), stride, padding)
    o, i, ky, kx, y, x = np.ogrid[:out, :inner, :tall, :wide, :high, :broad]
    source_y, source_x = y * stride[0] + ky - padding[0], x * stride[1] + kx - padding[1]
    columns = ((o // (out // groups)) * inner + i) * height * width + source_y * width + source_x
    rows = (o * high + y) * broad + x
    inside = (source_y >= 0) & (source_y < height) & (source_x >= 0) & (source_x < width)
    values = weight[..., None, None]
    full = (out, inner, tall, wide, high, broad)
    keep = np.broadcast_to(inside & (values != 0), full)
    rows, columns, values = (np.broadcast_to(item, full)[keep] for item in (rows, columns, values))
    return Sparse(rows, columns, values.astype(np.float64), (out * high * broad, channels * height * width))
