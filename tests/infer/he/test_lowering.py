"""Stages are the network they came from, computed here without encryption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from eyelid.errors import InferenceError, UnsupportedError
from eyelid.infer.he.lowering import IMAGE, Lowered, lower
from eyelid.infer.network import (
    INPUT,
    Add,
    AveragePool,
    Convolution,
    Flatten,
    Linear,
    Network,
    Node,
    Polynomial,
    Relu,
    Square,
    output_shape,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyelid.infer.network import Array, Operation

NETWORKS = 300


class Drawn:
    """A random network of maps, then vectors, with branches that meet again."""

    def __init__(self, draw: np.random.Generator) -> None:
        self.draw = draw
        self.nodes: list[Node] = []
        self.shapes: dict[str, tuple[int, ...]] = {INPUT: (self.one_of(1, 2), self.one_of(3, 6), 5)}
        self.last, activations = INPUT, 0
        for _ in range(draw.integers(2, 9)):
            match self.one_of("map", "map", "pool", "pool", "activation", "activation", "line", "join"):
                case "map":
                    self.put(self.convolution(), self.last)
                case "pool":
                    pads = tuple(draw.integers(0, 3, 4).tolist()) if self.one_of(0, 1) else (0, 0, 0, 0)
                    self.put(AveragePool(self.pair(4), self.pair(3), pads), self.last)
                case "activation" if activations < 3:
                    activations += 1
                    self.put(self.activation(), self.last)
                case "line":
                    self.put(Polynomial(tuple(draw.standard_normal(2).tolist())), self.last)
                case "join":
                    alike = [name for name, shape in self.shapes.items() if shape == self.shapes[self.last]]
                    self.put(Add(), *self.one_of((self.last, alike[0]), (alike[0], self.last)))
        self.put(Flatten(), self.last)
        self.put(self.linear(3), self.last)
        if self.one_of(0, 1):
            self.put(self.activation(), self.last)
            self.put(self.linear(2), self.last)
        shape = self.shapes[INPUT]
        self.network = Network((shape[0], shape[1], shape[2]), tuple(self.nodes), "0" * 64)

    def one_of(self, *values: Any) -> Any:
        return values[int(self.draw.integers(len(values)))]

    def pair(self, end: int) -> tuple[int, int]:
        return int(self.draw.integers(1, end)), int(self.draw.integers(1, end))

    def put(self, operation: Operation, *inputs: str) -> None:
        shape = output_shape(operation, self.shapes[inputs[0]])
        if min(shape) > 0:
            self.last = f"n{len(self.nodes)}"
            self.nodes.append(Node(self.last, operation, inputs, shape))
            self.shapes[self.last] = shape

    def convolution(self) -> Convolution:
        inner = self.shapes[self.last][0]
        groups = self.one_of(1, inner)
        weight = self.draw.standard_normal((groups * self.one_of(1, 2), inner // groups, *self.pair(4))) * 0.4
        bias, pads = self.draw.standard_normal(len(weight)), tuple(self.draw.integers(0, 3, 4).tolist())
        return Convolution(weight, bias, self.pair(3), pads, groups)

    def linear(self, out: int) -> Linear:
        weight = self.draw.standard_normal((out, self.shapes[self.last][0])) * 0.3
        return Linear(weight, self.draw.standard_normal(out))

    def activation(self) -> Operation:
        coefficients = self.draw.standard_normal(self.one_of(3, 4, 5)) * 0.5
        return self.one_of(Square(), Relu(), Polynomial(tuple(coefficients.tolist())))  # type: ignore[no-any-return]


def plain(stages: Sequence[Lowered], images: Array) -> Array:
    """Return what stages compute, with nothing left to ranges: squares are of at most 1."""
    made = {IMAGE: images.reshape(len(images), -1)}
    for number, stage in enumerate(stages):
        value = np.tile(stage.bias, (len(images), 1))
        for source, matrix in zip(stage.sources, stage.maps, strict=True):
            value += np.stack([matrix.apply(row) for row in made[source]])
        assert stage.largest == pytest.approx(np.abs(value).max())
        if stage.squares:
            assert np.abs(value).max() < 1 + 1e-9
            value = value**2
        if stage.pool is not None:
            value = np.stack([stage.pool.apply(row) for row in value])
        made[number] = value - stage.center if stage.squares else value
    return made[len(stages) - 1]


@pytest.mark.filterwarnings("ignore::numpy.exceptions.RankWarning")  # a Relu of a few values alone
def test_stages_are_the_network_with_its_activations_as_polynomials() -> None:
    equal = pooled = 0
    for seed in range(NETWORKS):
        draw = np.random.default_rng(seed)
        network = Drawn(draw).network
        images = draw.random((4, *network.input_shape))
        try:
            stages, became = lower(network, images, pooled=bool(seed % 2), degree=2 + seed % 3)
        except (UnsupportedError, InferenceError):  # a Relu that no image crosses, windows of padding alone
            continue
        size = max(float(np.abs(values).max()) for values in became.outputs(images).values())
        assert np.abs(plain(stages, images) - became.run(images)).max() < 1e-8 * size, seed
        equal += 1
        pooled += any(stage.pool is not None for stage in stages)
    assert equal > NETWORKS / 2
    assert pooled > NETWORKS / 50


def vectors(*operations: Operation) -> Network:
    """Return a network of four numbers through and through."""
    nodes = [
        Node(f"n{number}", operation, (f"n{number - 1}" if number else INPUT,), (4,))
        for number, operation in enumerate((Flatten(), *operations))
    ]
    return Network((1, 2, 2), tuple(nodes), "0" * 64)


ONES, DEAD = Linear(np.ones((4, 4)), np.zeros(4)), Linear(np.zeros((4, 4)), np.ones(4))


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        ((ONES, Square(), DEAD), "n3 sees nothing of the image"),
        ((DEAD, Square(), ONES), "n1 sees nothing of the image"),
        ((ONES, Square(), ONES, Polynomial((0.5, 0.0))), "n3 sees nothing of the image"),
        ((ONES, Square(), ONES, Polynomial((-1024.0, 1.0))), "answers 0 to every calibration image"),
        ((ONES, Square()), "ends in an activation"),
    ],
)
def test_a_network_that_has_no_answer_is_refused(operations: tuple[Operation, ...], message: str) -> None:
    with pytest.raises(InferenceError, match=message):
        lower(vectors(*operations), np.full((3, 1, 2, 2), 4.0))
