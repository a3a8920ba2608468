"""Noise follows its declared law, and nobody chooses it."""

from __future__ import annotations

import ast
import inspect
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from eyelid.errors import UsageError
from eyelid.obfuscate.registry import NAMES, parse
from eyelid.privacy import noise
from tests.privacy.laws import distance, gamma_law, laplace_law, table_law, threshold
from tests.privacy.seeded import seed_noise

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

DRAWS = 20_000


def zeros(count: int = DRAWS) -> NDArray[np.int64]:
    return np.zeros(count, np.int64)


@pytest.mark.parametrize("scale", [0.4, 3.0, 12_240.0])
def test_discrete_laplace_has_its_law(scale: float) -> None:
    drawn = noise.discrete_laplace(zeros(), scale)
    assert distance(drawn, laplace_law(scale)) < threshold(DRAWS)


@pytest.mark.parametrize("scale", [0.7, 5.0])
def test_discrete_gaussian_has_its_law(scale: float) -> None:
    drawn = noise.discrete_gaussian(zeros(), scale)
    assert distance(drawn, table_law(lambda k: math.exp(-k * k / (2 * scale**2)))) < threshold(DRAWS)


def test_the_seeded_stand_in_of_the_tests_has_the_laws_too(monkeypatch: pytest.MonkeyPatch) -> None:
    seed_noise(monkeypatch)
    for scale in (0.4, 12_240.0):
        assert distance(noise.discrete_laplace(zeros(), scale), laplace_law(scale)) < threshold(DRAWS)
    lengths = [float(np.linalg.norm(noise.vector_laplace(4, 1.0))) for _ in range(6_000)]
    assert distance(np.array(lengths), gamma_law(4)) < threshold(6_000)


def test_the_laws_tell_mutants() -> None:
    """Half the scale, another law and one draw shared by several cells are far from what is declared."""
    declared = laplace_law(12_240.0)
    mutants = (
        noise.discrete_laplace(zeros(), 6_120.0),
        noise.discrete_gaussian(zeros(), 12_240.0 * math.sqrt(2)),
        np.repeat(noise.discrete_laplace(zeros(20), 12_240.0), DRAWS // 20),
    )
    for mutant in mutants:
        assert distance(mutant, declared) > threshold(DRAWS)


@pytest.mark.parametrize(("dimensions", "epsilon"), [(1, 2.0), (4, 0.001), (7, 1.0), (40, 0.1)])
def test_vector_noise_has_its_length_and_no_direction(dimensions: int, epsilon: float) -> None:
    count = 6_000
    drawn = np.array([noise.vector_laplace(dimensions, epsilon) for _ in range(count)])
    lengths = np.linalg.norm(drawn, axis=1)
    assert distance(lengths * epsilon, gamma_law(dimensions)) < threshold(count)
    assert distance(lengths * epsilon / 2, gamma_law(dimensions)) > threshold(count)
    directions = drawn / lengths[:, None]
    # Each coordinate has mean 0 and variance 1 / dimensions, and no two go together; six standard errors.
    assert np.abs(directions.mean(axis=0)).max() < 6 / math.sqrt(count * dimensions)
    together = directions.T @ directions / count - np.eye(dimensions) / dimensions
    assert np.abs(together).max() < 6 * math.sqrt(2) / (dimensions * math.sqrt(count))


def test_values_at_the_edge_of_64_bits_stay_there() -> None:
    """A sum that wrapped around would tell the value that noise was added to."""
    limits = np.iinfo(np.int64)
    drawn = noise.discrete_laplace(np.full(64, 1000, np.int64), 1e30)
    assert set(drawn.tolist()) <= {limits.min, limits.max}


@pytest.mark.parametrize("draw", [noise.discrete_laplace, noise.discrete_gaussian])
def test_many_values_are_drawn_in_pieces_and_stay_in_order(
    draw: Callable[[NDArray[np.int64], float], NDArray[np.int64]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value takes OpenDP half a kilobyte: the cells of 200 megapixels at once would take ten gigabytes."""
    monkeypatch.setattr(noise, "PIECE", 7)
    assert np.array_equal(draw(np.arange(40), 1e-3), np.arange(40))
    assert len(draw(np.arange(0), 1.0)) == 0
    # A draw for each value, in every piece.
    assert len(set(draw(np.zeros(40, np.int64), 1e12).tolist())) == 40


@pytest.mark.parametrize("byte", [b"\x00", b"\xff"])
@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_the_rarest_bits_give_a_vector_too(
    byte: bytes, dimensions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A draw of exactly 1 would have no direction, one of 0 no length."""
    monkeypatch.setattr("os.urandom", lambda count: byte * count)
    drawn = noise.vector_laplace(dimensions, 1.0)
    assert np.isfinite(drawn).all()
    assert np.linalg.norm(drawn) > 0


@pytest.mark.parametrize(
    "draw",
    [
        # So wide that two of fifty pairs of draws are alike once in 10^11 runs.
        lambda: noise.discrete_laplace(zeros(50), 1e12),
        lambda: noise.discrete_gaussian(zeros(50), 1e12),
        lambda: noise.vector_laplace(50, 1e-6),
    ],
)
def test_no_seed_repeats_noise(
    draw: Callable[[], NDArray[np.float64]], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    for _ in range(2):
        np.random.seed(1)
        for name in ("EYELID_SEED", "PYTHONHASHSEED", "OPENDP_SEED", "SEED"):
            monkeypatch.setenv(name, "1")
        drawn.append(draw())
    assert not np.any(drawn[0] == drawn[1])


def test_nothing_in_privacy_takes_a_seed_or_a_generator() -> None:
    package = Path(noise.__file__).parent
    for path in package.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.arg] if isinstance(node, ast.arg) else []
            names += [node.attr] if isinstance(node, ast.Attribute) else []
            names += (
                [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            )
            for name in names:
                assert not {"seed", "rng", "random", "default_rng", "generator"} & {name.lower()}, (
                    path,
                    name,
                )
    assert list(inspect.signature(noise.vector_laplace).parameters) == ["dimensions", "epsilon"]


@pytest.mark.parametrize("method", [name for name in NAMES if name not in ("lock", "solid")])
def test_no_method_takes_a_seed(method: str) -> None:
    with pytest.raises(UsageError, match="cannot take 'seed=1'"):
        parse(f"{method}:seed=1")


def test_without_opendp_the_user_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    noise._opendp.cache_clear()
    monkeypatch.setitem(sys.modules, "opendp.prelude", None)
    with pytest.raises(UsageError, match=r"eyelid\[dp\]"):
        noise.discrete_laplace(zeros(1), 1.0)
