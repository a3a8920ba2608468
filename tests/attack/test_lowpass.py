"""The twins of the filters are the filters, to the last bit, and their gradients are those of the filter."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from eyelid.attack.lowpass import Lowpass, OpenCvBlur, PillowBlur, rounded

FILTERS = [
    *(OpenCvBlur(kernel=kernel) for kernel in (1, 3, 8, 25, 99)),
    *(PillowBlur(radius=radius) for radius in (0.5, 1.0, 2.3, 4.0, 20.0)),
]


def pictures() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (2, 33, 20)).astype(np.uint8)


@pytest.mark.parametrize("blur", FILTERS, ids=str)
def test_the_twin_computes_what_the_library_computes(blur: Lowpass) -> None:
    given = pictures()
    expected = np.stack([blur.release(picture) for picture in given])
    result = blur.through(torch.from_numpy(given.astype(np.float64)))
    assert np.array_equal(result.numpy(), expected)


@pytest.mark.parametrize("blur", FILTERS, ids=str)
def test_gradients_are_those_of_the_filter_without_rounding(blur: Lowpass) -> None:
    weights = blur.weights()
    side = 2 * len(weights) + 1
    values = torch.full((1, side, side), 100.0, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(blur.through(values)[0, len(weights), len(weights)], values)
    reach = len(weights) // 2
    middle = slice(len(weights) - reach, len(weights) + reach + 1)
    np.testing.assert_allclose(slope[0, middle, middle].numpy(), np.outer(weights, weights), atol=1e-12)
    assert slope.sum() == pytest.approx(weights.sum() ** 2)


def test_rounding_keeps_to_levels_and_has_a_slope() -> None:
    values = torch.tensor([-3.0, 0.5, 1.49, 254.6, 300.0], requires_grad=True)
    levels = rounded(values)
    assert levels.tolist() == [0.0, 1.0, 1.0, 255.0, 255.0]
    (slope,) = torch.autograd.grad(levels.sum(), values)
    assert slope.tolist() == [1.0] * 5
