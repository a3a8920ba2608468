"""From a network to stages: linear layers between two activations become one matrix, and one square each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eyelid.errors import InferenceError
from eyelid.infer.he import sparse
from eyelid.infer.he.activations import curve, squares
from eyelid.infer.he.sparse import Sparse
from eyelid.infer.network import (
    INPUT,
    Add,
    Array,
    AveragePool,
    Convolution,
    Flatten,
    Linear,
    Network,
    Node,
    Polynomial,
    Relu,
    Square,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

BOUND = 1e30
"""Activations whose inputs are larger than this have run away."""
IMAGE = -1
"""The source that stands for the image."""


@dataclass(frozen=True, slots=True, eq=False)
class Lowered:
    """One stage: ``sum of maps of sources + bias``, squared where ``squares``, pooled, less ``center``.

    ``pool`` adds squares up, with ones alone in it, or is None. The center is the mean of what comes out over
    the calibration images: what is left is smaller, and so is what the rounding of the next weights makes of
    it.

    ``largest`` is the largest result before the square over the calibration images (1 by normalisation where
    it is squared), ``spread`` the root mean square of each source, ``fit_error`` the error of a fit, if there
    was one. ``depth`` counts the squares before it.
    """

    name: str
    sources: tuple[int, ...]
    maps: tuple[Sparse, ...]
    bias: Array
    pool: Sparse | None
    center: Array
    shape: tuple[int, ...]
    squares: bool
    largest: float
    spread: tuple[float, ...]
    depth: int
    fit_error: float | None


@dataclass(frozen=True, slots=True, eq=False)
class _Value:
    """A tensor as linear maps of stage outputs: for each source a matrix (None: identity) and a factor."""

    terms: Mapping[int, tuple[Sparse | None, float]]
    bias: Array
    numbers: Array

    @property
    def shape(self) -> tuple[int, ...]:
        return self.numbers.shape[1:]


def lower(
    network: Network, calibration: Array, *, pooled: bool = False, degree: int = 2
) -> tuple[tuple[Lowered, ...], Network]:
    """Return the stages of a network, and the network with every activation as the polynomial it became.

    ``calibration`` is float64 (n, c, h, w): images like those to come; ranges and fits are theirs. The values
    of every squared stage are normalised to at most 1 over them. With ``pooled`` an average pool that alone
    follows an activation is part of its stage, else of the next map. ``degree`` is that of the polynomials
    fitted to rectifiers. Raises :class:`UnsupportedError` and :class:`UsageError` as
    :func:`~eyelid.infer.he.activations.curve` does, and :class:`InferenceError` where the calibration images
    are none, values outgrow all bounds, weights or answers are all 0, or the last layer is not linear.
    """
    return _Lowering(network, calibration, pooled, degree).run()


class _Lowering:
    def __init__(self, network: Network, calibration: Array, pooled: bool, degree: int) -> None:
        if len(calibration) == 0:
            raise InferenceError("calibration needs at least one image; name some")
        self.network, self.pooled, self.degree = network, pooled, degree
        self.stages: list[Lowered] = []
        self.outputs: dict[int, float] = {IMAGE: float(np.sqrt(np.mean(calibration**2)))}
        size = calibration[0].size
        self.values = {INPUT: _Value({IMAGE: (None, 1.0)}, np.zeros(size), calibration)}

    def run(self) -> tuple[tuple[Lowered, ...], Network]:
        nodes = []
        for node in self.network.nodes:
            operation = node.operation
            if node.name in self.values:  # a pool that is part of the stage before it
                nodes.append(node)
                continue
            source = self.values[node.inputs[0]]
            if isinstance(operation, Polynomial) and len(np.trim_zeros(operation.coefficients, "b")) <= 2:
                constant, factor = (*operation.coefficients, 0.0, 0.0)[:2]
                self.values[node.name] = _line(source, factor, constant)
            elif isinstance(operation, Relu | Square | Polynomial):
                operation = self._activate(node, operation, source)
            elif isinstance(operation, Add):
                self.values[node.name] = _add(source, self.values[node.inputs[1]])
            elif isinstance(operation, Flatten):
                flat = source.numbers.reshape(len(source.numbers), -1)
                self.values[node.name] = _Value(source.terms, source.bias, flat)
            else:
                self.values[node.name] = _linear(operation, source)
            nodes.append(Node(node.name, operation, node.inputs, node.shape))
        last = self.values[self.network.nodes[-1].name]
        if self.stages and _is_identity(last):
            raise InferenceError("the network ends in an activation; let its last layer be linear")
        if not last.numbers.any():
            raise InferenceError("the network answers 0 to every calibration image; train it first")
        self._stage(self._name(self.network.nodes[-1].name), last, None, None, np.zeros(0))
        return tuple(self.stages), Network(self.network.input_shape, tuple(nodes), self.network.digest)

    def _name(self, name: str) -> str:
        """Return the last linear layer at or before a node, the name that a stage goes by."""
        by_name = {node.name: node for node in self.network.nodes}
        while name in by_name and not isinstance(by_name[name].operation, Convolution | Linear | AveragePool):
            name = by_name[name].inputs[0]
        return name

    def _activate(self, node: Node, operation: Relu | Square | Polynomial, source: _Value) -> Polynomial:
        if np.abs(source.numbers).max(initial=0.0) > BOUND or not np.isfinite(source.numbers).all():
            raise InferenceError(
                f"{node.name} grows beyond all bounds on the calibration images; normalise before it"
            )
        found = curve(node.name, operation, source.numbers, self.degree)
        parts = squares(found, float(np.abs(source.numbers).max()) or 1.0)
        two = len(parts.gains) > 0
        pool = None if two else self._pool_after(node)
        layer = self._name(node.name)
        first = self._square(layer, _stacked(source, parts.shifts), pool, None if two else found.error)
        if pool is not None:
            mean = _mixed(first, parts.rest[None] / math.prod(pool.operation.kernel))
            # What an activation makes of 0 is not in the padding of the pool behind it.
            constant = parts.constant * pool.operation.apply(np.ones((1, *source.shape)))[0]
            self.values[pool.node.name] = _Value(
                mean.terms, mean.bias + constant.ravel(), mean.numbers + constant
            )
            return Polynomial(found.coefficients)
        result = _mixed(first, parts.rest[None])
        if two:
            inner = _mixed(first, parts.inner)
            offsets = np.repeat(parts.offsets, source.bias.size)
            shifted = inner.numbers + offsets.reshape(inner.shape)
            second = _Value(inner.terms, inner.bias + offsets, shifted)
            outer = self._square(node.name, second, None, found.error)
            result = _add(result, _mixed(outer, parts.gains[None]))
        self.values[node.name] = _line(result, 1.0, parts.constant)
        return Polynomial(found.coefficients)

    def _pool_after(self, node: Node) -> _Pool | None:
        """Return the average pool that is the only one to take a node's output, where pools are taken in.

        One with windows that see nothing but padding is not: they would have no square to add up.
        """
        takers = [other for other in self.network.nodes if node.name in other.inputs]
        if not self.pooled or len(takers) != 1:
            return None
        pool = takers[0].operation
        if not isinstance(pool, AveragePool):
            return None
        (high, wide), (top, left, bottom, right) = pool.kernel, pool.padding
        return _Pool(takers[0], pool) if max(top, bottom) < high and max(left, right) < wide else None

    def _square(self, name: str, value: _Value, pool: _Pool | None, error: float | None) -> _Value:
        """Add a stage and return its value's square, added up over a pool's windows."""
        largest = float(np.abs(value.numbers).max()) or 1.0
        out = (value.numbers / largest) ** 2
        ones = None
        if pool is not None:
            size = math.prod(pool.operation.kernel)
            out = pool.operation.apply(out) * size
            ones = sparse.of_layer(pool.operation, value.shape).times(size)
        center = out.mean(axis=0)
        self._stage(name, value, (1 / largest, error), ones, center.ravel())
        index = len(self.stages) - 1
        self.outputs[index] = float(np.sqrt(np.mean((out - center) ** 2)))
        gain = largest**2
        return _Value({index: (None, gain)}, gain * center.ravel(), gain * out)

    def _stage(
        self,
        name: str,
        value: _Value,
        square: tuple[float, float | None] | None,
        pool: Sparse | None,
        center: Array,
    ) -> None:
        """Add a stage; ``square`` is its square's factor and fit error, None for the last stage."""
        factor, error = square or (1.0, None)
        size = value.bias.size
        maps = tuple(
            (Sparse.identity(size) if matrix is None else matrix).times(by * factor)
            for matrix, by in value.terms.values()
        )
        if not any(matrix.values.any() for matrix in maps):
            raise InferenceError(f"{name} sees nothing of the image: its weights are 0; train it first")
        self.stages.append(
            Lowered(
                name,
                tuple(value.terms),
                maps,
                value.bias * factor,
                pool,
                center,
                value.shape,
                squares=square is not None,
                largest=float(np.abs(value.numbers * factor).max()),
                spread=tuple(self.outputs[key] for key in value.terms),
                depth=max((self.stages[key].depth + 1 for key in value.terms if key != IMAGE), default=0),
                fit_error=error,
            )
        )


@dataclass(frozen=True, slots=True)
class _Pool:
    node: Node
    operation: AveragePool


def _line(source: _Value, factor: float, constant: float) -> _Value:
    terms = {key: (matrix, by * factor) for key, (matrix, by) in source.terms.items()}
    return _Value(terms, source.bias * factor + constant, source.numbers * factor + constant)


def _stacked(value: _Value, shifts: Array) -> _Value:
    """Return copies of a value, each moved by its shift, one after the other along the first axis."""
    size, copies = value.bias.size, np.ones((len(shifts), 1))
    whole = value if len(shifts) == 1 else _mixed(value, copies)
    moved = np.repeat(shifts, size)
    return _Value(whole.terms, whole.bias + moved, whole.numbers + moved.reshape(whole.shape))


def _mixed(value: _Value, weights: Array) -> _Value:
    """Return ``weights`` (j, k) times the k parts along a value's first axis, j parts of the same size."""
    rows, columns = weights.shape
    if rows == columns == 1:
        return _line(value, float(weights[0, 0]), 0.0)
    size = value.bias.size // columns
    matrix = Sparse.blocks(weights, size)
    terms: dict[int, tuple[Sparse | None, float]] = {}
    if weights.any():
        terms = {
            key: (matrix if first is None else matrix.after(first), by)
            for key, (first, by) in value.terms.items()
        }
    parts = value.numbers.reshape(len(value.numbers), columns, -1)
    numbers = np.einsum("jk,nks->njs", weights, parts)
    shape = (value.shape[0] // columns * rows, *value.shape[1:])
    return _Value(terms, matrix.apply(value.bias), numbers.reshape(-1, *shape))


def _is_identity(value: _Value) -> bool:
    return all(matrix is None for matrix, _ in value.terms.values())


def _linear(layer: Convolution | Linear | AveragePool, source: _Value) -> _Value:
    matrix = sparse.of_layer(layer, source.shape)
    terms = {
        key: (matrix if first is None else matrix.after(first), by)
        for key, (first, by) in source.terms.items()
    }
    numbers = layer.apply(source.numbers)
    own = np.zeros(numbers.shape[1]) if isinstance(layer, AveragePool) else layer.bias
    bias = matrix.apply(source.bias) + np.repeat(own, numbers[0].size // len(own))
    return _Value(terms, bias, numbers)


def _add(one: _Value, two: _Value) -> _Value:
    terms = dict(one.terms)
    size = one.bias.size
    for key, (matrix, by) in two.terms.items():
        if key in terms:
            other, factor = terms[key]
            whole = [
                (Sparse.identity(size) if item is None else item).times(gain)
                for item, gain in ((other, factor), (matrix, by))
            ]
            terms[key] = (whole[0].plus(whole[1]), 1.0)
        else:
            terms[key] = (matrix, by)
    return _Value(terms, one.bias + two.bias, one.numbers + two.numbers)
