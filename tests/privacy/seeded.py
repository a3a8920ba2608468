"""Noise of the laws of ``privacy.noise`` from a seed, for tests whose outcome a rare draw would change."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from eyelid.privacy import noise

if TYPE_CHECKING:
    import pytest
    from numpy.typing import NDArray


def seed_noise(monkeypatch: pytest.MonkeyPatch, seed: int = 0) -> None:
    """Draw discrete Laplace noise and the noise of vectors alike in each run of a test."""
    random = np.random.default_rng(seed)

    def discrete_laplace(values: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
        ends = -math.expm1(-1 / scale)
        there, back = (random.geometric(ends, len(values)) for _ in range(2))
        return values + there - back

    monkeypatch.setattr(noise, "discrete_laplace", discrete_laplace)
    monkeypatch.setattr(noise, "_uniform", random.random)
