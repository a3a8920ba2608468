"""The small typed graph that all ways of private inference share, and its plain evaluation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

Array: TypeAlias = NDArray[np.float64]

INPUT: Final = "input"
"""The name by which nodes refer to the image."""


@dataclass(frozen=True, slots=True, eq=False)
class Convolution:
    """A convolution (cross-correlation, as networks have it).

    ``weight`` is float64 (out, in / groups, kernel y, kernel x), ``bias`` (out,); ``stride`` is (y, x) and
    ``padding`` (top, left, bottom, right), in pixels, with zeros.
    """

    weight: Array
    bias: Array
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    groups: int = 1

    def apply(self, x: Array) -> Array:
        """Return the layer's output (n, out, h', w') for ``x`` (n, in, h, w)."""
        patches = windows(pad(x, self.padding), self.weight.shape[2:], self.stride)
        count, channels, height, width = patches.shape[:4]
        split = patches.reshape(count, self.groups, channels // self.groups, height, width, -1)
        kernel = self.weight.reshape(self.groups, -1, channels // self.groups, split.shape[-1])
        result = np.einsum("ngchwk,gock->ngohw", split, kernel, optimize=True)
        return np.asarray(result.reshape(count, -1, height, width) + self.bias[:, None, None])


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """A fully connected layer: ``weight`` is float64 (out, in), ``bias`` (out,)."""

    weight: Array
    bias: Array

    def apply(self, x: Array) -> Array:
        """Return the layer's output (n, out) for ``x`` (n, in)."""
        return np.asarray(x @ self.weight.T + self.bias)


@dataclass(frozen=True, slots=True, eq=False)
class AveragePool:
    """The mean over windows of ``kernel`` (y, x) pixels; zeros of the padding count as pixels."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)

    def apply(self, x: Array) -> Array:
        """Return the layer's output (n, c, h', w') for ``x`` (n, c, h, w)."""
        return np.asarray(windows(pad(x, self.padding), self.kernel, self.stride).mean(axis=(-2, -1)))


@dataclass(frozen=True, slots=True)
class Relu:
    """The rectifier max(x, 0)."""

    def apply(self, x: Array) -> Array:
        """Return the activation of every element."""
        return np.maximum(x, 0.0)


@dataclass(frozen=True, slots=True)
class Square:
    """The activation x * x."""

    def apply(self, x: Array) -> Array:
        """Return the activation of every element."""
        return x * x


@dataclass(frozen=True, slots=True)
class Polynomial:
    """A polynomial activation; ``coefficients`` are in ascending powers."""

    coefficients: tuple[float, ...]

    def apply(self, x: Array) -> Array:
        """Return the activation of every element."""
        return np.asarray(np.polynomial.polynomial.polyval(x, np.asarray(self.coefficients)))


@dataclass(frozen=True, slots=True)
class Add:
    """The sum of two tensors of one shape, as in residual networks."""


@dataclass(frozen=True, slots=True)
class Flatten:
    """The row-major reading (c, h, w) of a tensor as a vector."""

    def apply(self, x: Array) -> Array:
        """Return ``x`` as (n, features)."""
        return x.reshape(len(x), -1)


Operation: TypeAlias = Convolution | Linear | AveragePool | Relu | Square | Polynomial | Add | Flatten
Activation: TypeAlias = Relu | Square | Polynomial


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One layer: its readable name, what it computes, whose outputs it takes, its output shape (no batch)."""

    name: str
    operation: Operation
    inputs: tuple[str, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A network as nodes in order of evaluation; the last node's output is the answer.

    ``input_shape`` is (channels, height, width); ``digest`` is the hexadecimal SHA-256 of the file that
    it was read from.
    """

    input_shape: tuple[int, int, int]
    nodes: tuple[Node, ...]
    digest: str

    def run(self, batch: NDArray[np.floating[Any]]) -> Array:
        """Return the logits, float64 (n, classes), of images, (n, c, h, w): the plain reference."""
        return self.outputs(batch)[self.nodes[-1].name]

    def outputs(self, batch: NDArray[np.floating[Any]]) -> dict[str, Array]:
        """Return every node's output by its name (and the images under ``"input"``)."""
        found: dict[str, Array] = {INPUT: np.asarray(batch, np.float64)}
        for node in self.nodes:
            first = found[node.inputs[0]]
            if isinstance(node.operation, Add):
                found[node.name] = first + found[node.inputs[1]]
            else:
                found[node.name] = node.operation.apply(first)
        return found


def accepts(operation: Operation, shape: tuple[int, ...]) -> bool:
    """Return whether the weights of an operation fit one another and an input of ``shape`` without batch."""
    match operation:
        case Convolution():
            weight, groups = operation.weight, operation.groups
            whole = groups > 0 and len(weight) % groups == 0 and operation.bias.shape == weight.shape[:1]
            return whole and len(shape) == 3 and shape[0] == weight.shape[1] * groups
        case Linear():
            weight = operation.weight
            return weight.shape[1:] == shape and operation.bias.shape == weight.shape[:1]
        case AveragePool():
            return len(shape) == 3
        case _:
            return True


def is_finite(operation: Operation) -> bool:
    """Return whether an operation has no weight that is NaN or infinite."""
    match operation:
        case Convolution() | Linear():
            return bool(np.isfinite(operation.weight).all() and np.isfinite(operation.bias).all())
        case Polynomial():
            return bool(np.isfinite(operation.coefficients).all())
        case _:
            return True


def output_shape(operation: Operation, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape, without batch, that an operation makes of an input of ``shape``."""
    match operation:
        case Convolution():
            size = window_counts(shape, operation.weight.shape[2:], operation.stride, operation.padding)
            return (operation.weight.shape[0], *size)
        case AveragePool():
            return (shape[0], *window_counts(shape, operation.kernel, operation.stride, operation.padding))
        case Linear():
            return (operation.weight.shape[0],)
        case Flatten():
            return (math.prod(shape),)
        case _:
            return shape


def window_counts(
    shape: Sequence[int], kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]
) -> tuple[int, int]:
    """Return how many windows fit, (rows, columns), over an input (channels, height, width)."""
    top, left, bottom, right = padding
    rows = (shape[1] + top + bottom - kernel[0]) // stride[0] + 1
    columns = (shape[2] + left + right - kernel[1]) // stride[1] + 1
    return rows, columns


def pad(x: Array, padding: tuple[int, int, int, int]) -> Array:
    """Return ``x`` (n, c, h, w) with rows and columns of zeros around it."""
    top, left, bottom, right = padding
    return np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right))) if any(padding) else x


def windows(x: Array, kernel: Sequence[int], stride: tuple[int, int]) -> Array:
    """Return the windows of ``x`` (n, c, h, w) as a view (n, c, rows, columns, kernel y, kernel x)."""
    seen = sliding_window_view(x, tuple(kernel), axis=(2, 3))
    return np.asarray(seen[:, :, :: stride[0], :: stride[1]])
