"""Polynomials of degree 2 to 4 as squares, in numbers and in ciphertexts; what does not fit is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelid.errors import InferenceError, UnsupportedError, UsageError
from eyelid.infer.he.activations import Curve, curve, squares
from eyelid.infer.he.artefact import Artefact, Target
from eyelid.infer.he.compile import compile as compiled
from eyelid.infer.he.evaluate import Evaluator
from eyelid.infer.he.lowering import lower
from eyelid.infer.network import AveragePool, Convolution, Polynomial, Relu, Square
from tests.infer.he.test_compile import Client, chain, conv, flat_linear

if TYPE_CHECKING:
    from eyelid.infer.network import Operation

pytest.importorskip("seal", reason="needs SEAL: pip install 'eyelid[he]'")

SMALL = st.floats(-2, 2).map(lambda value: round(value, 3))


@settings(max_examples=200, deadline=None)
@given(st.lists(SMALL, min_size=3, max_size=5), st.sampled_from([0.1, 1.0, 30.0]))
def test_any_polynomial_is_a_sum_of_squares(coefficients: list[float], largest: float) -> None:
    if coefficients[-1] == 0:
        coefficients[-1] = 1.0
    parts = squares(Curve(tuple(coefficients), None), largest)
    x = np.linspace(-largest, largest, 101)
    inner = (x[:, None] + parts.shifts) ** 2
    outer = (inner @ parts.inner.T + parts.offsets) ** 2
    found = parts.constant + inner @ parts.rest + outer @ parts.gains
    exact = np.polynomial.polynomial.polyval(x, coefficients)
    terms = sum(abs(value) * largest**power for power, value in enumerate(coefficients))
    assert np.abs(found - exact).max() < 1e-9 * max(terms, 1e-6) * (1 + largest / 0.1)
    assert len(parts.gains) == (0 if len(coefficients) == 3 else len(parts.gains))


def test_a_higher_degree_fits_a_rectifier_better() -> None:
    values = np.random.default_rng(0).standard_normal(2000)
    errors = [curve("relu", Relu(), values, degree).error or 0.0 for degree in (2, 3, 4)]
    assert errors[0] > 1.3 * errors[2] > 0
    assert errors[1] <= errors[0]


POLYNOMIALS = [
    (0.1, 0.5, 0.2, 0.1),
    (0.0, 0.0, 0.0, 0.3),
    (0.1, 0.5, 0.2, 0.0, -0.05),
    (0.0, 0.3, 0.1, 0.2, 0.02),
    (0.0, 0.0, 0.0, 0.0, 0.1),
    (0.2, 0.5, 0.4, 0.001, 0.0002),
]


@pytest.mark.parametrize("target", list(Target))
@pytest.mark.parametrize("coefficients", POLYNOMIALS)
def test_degrees_three_and_four_on_ciphertexts(
    coefficients: tuple[float, ...], target: Target, rng: np.random.Generator
) -> None:
    network = chain(
        (1, 6, 6),
        conv(rng, 2, 1, 3),
        Polynomial(coefficients),
        AveragePool((2, 2), (2, 2)),
        *flat_linear(rng, 3, 8),
    )
    images = rng.random((8, 1, 6, 6)).astype(np.float32)
    artefact = Artefact.load(compiled(network, images, target).save())
    assert [stage.record.primes for stage in artefact.stages] == [3, 2, 1]  # two levels
    found = Client(artefact).infer(Evaluator(artefact), images[:1])
    assert np.abs(found - network.run(images[:1])).max() < 0.01


def test_rectifiers_of_degree_four_in_both_targets(rng: np.random.Generator) -> None:
    network = chain((1, 6, 6), conv(rng, 2, 1, 3), Relu(), *flat_linear(rng, 4, 32))
    images = rng.random((20, 1, 6, 6)).astype(np.float32)
    truth = lower(network, images.astype(np.float64), degree=4)[1].run(images[:1])
    for target in Target:
        artefact = compiled(network, images, target, degree=4)
        found = Client(artefact).infer(Evaluator(artefact), images[:1])
        assert np.abs(found - truth).max() < 0.02


def test_a_degree_of_two_levels_counts_twice(rng: np.random.Generator) -> None:
    one = Convolution(np.full((1, 1, 1, 1), 0.9), np.zeros(1))
    layers: list[Operation] = [item for _ in range(6) for item in (one, Polynomial((0, 1, 0, 0.01)))]
    network = chain((1, 4, 4), *layers, *flat_linear(rng, 2, 16))
    artefact = compiled(network, rng.random((4, 1, 4, 4)))
    assert artefact.stages[0].record.primes == 13
    layers *= 2
    network = chain((1, 4, 4), *layers, *flat_linear(rng, 2, 16))
    with pytest.raises(InferenceError, match=r"^layer\d+ needs \d+ more levels: the network has 24 squares"):
        compiled(network, rng.random((4, 1, 4, 4)))


def test_what_is_refused_is_named(rng: np.random.Generator) -> None:
    images = rng.random((4, 1, 4, 4))
    network = chain((1, 4, 4), conv(rng, 1, 1, 1), Polynomial((0, 0, 0, 0, 0, 1.0)), *flat_linear(rng, 2, 16))
    with pytest.raises(UnsupportedError, match="layer1 is a polynomial of degree 5; encrypted layers take 4"):
        compiled(network, images)
    network = chain((1, 4, 4), conv(rng, 1, 1, 1), Relu(), *flat_linear(rng, 2, 16))
    with pytest.raises(UsageError, match="degree 5"):
        compiled(network, images, degree=5)


def test_pools_behind_squares_add_up_before_the_keys_are_used(rng: np.random.Generator) -> None:
    pools = (AveragePool((2, 2), (2, 2)), AveragePool((3, 3), (1, 1), (1, 1, 1, 1)))
    network = chain(
        (1, 8, 8),
        conv(rng, 2, 1, 3),
        Square(),
        pools[0],
        conv(rng, 3, 2, 2),
        Square(),
        pools[1],
        *flat_linear(rng, 4, 12),
    )
    images = rng.random((30, 1, 8, 8)).astype(np.float32)
    artefact = Artefact.load(compiled(network, images, Target.THROUGHPUT).save())
    pooled = [stage.pool for stage in artefact.stages[:2]]
    assert [pool.shape for pool in pooled if pool is not None] == [(18, 72), (12, 12)]
    found = Client(artefact).infer(Evaluator(artefact), images)
    assert np.abs(found - network.run(images)).max() < 1e-3
    assert all(stage.pool is None for stage in compiled(network, images).stages)


def test_dead_channels_in_slots(rng: np.random.Generator) -> None:
    layer = conv(rng, 2, 1, 3)
    layer.weight[1] = 0.0
    network = chain((1, 6, 6), layer, Square(), *flat_linear(rng, 3, 32))
    images = rng.random((5, 1, 6, 6)).astype(np.float32)
    artefact = compiled(network, images, Target.THROUGHPUT)
    found = Client(artefact).infer(Evaluator(artefact), images)
    assert np.abs(found - network.run(images)).max() < 1e-3
