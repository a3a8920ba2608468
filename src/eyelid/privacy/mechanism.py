"""The mechanisms: what a release adds to a query, and what it costs."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from eyelid.privacy import noise
from eyelid.privacy.ledger import Cost
from eyelid.privacy.sensitivity import picture_l1

if TYPE_CHECKING:
    from collections.abc import Hashable
    from fractions import Fraction

    import numpy as np
    from numpy.typing import NDArray

    from eyelid.privacy.adjacency import DistanceAdjacency, PixelAdjacency
    from eyelid.privacy.ledger import Ledger, PrivacySpent


@dataclass(frozen=True, slots=True, eq=False)
class CellSums:
    """The sums of the samples of every cell of a region, added up over ``frames``.

    ``planes``: int64 (cells,) for each plane, cells of one plane share no sample. ``peaks``: the largest
    sample of each plane. ``pixels``: how many pixels the region has in a frame, at most.
    """

    planes: tuple[NDArray[np.int64], ...]
    peaks: tuple[int, ...]
    pixels: int
    frames: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Vector:
    """Values (n,), float64, each between 0 and its side of ``sides``."""

    values: NDArray[np.float64]
    sides: tuple[float, ...]


Query = TypeVar("Query")
Release = TypeVar("Release")


class Mechanism(ABC, Generic[Query, Release]):
    """Answers a query with noise; ``epsilon`` is the cost of one release under the adjacency."""

    name: str

    def __init__(self, epsilon: Fraction) -> None:
        self.epsilon = epsilon

    def release(self, query: Query, account: Hashable, ledger: Ledger) -> Release:
        """Charge the account and answer. Raises BudgetError before anything is drawn."""
        ledger.charge(account, Cost(self.epsilon, self._whole(query)))
        return self._answer(query)

    @abstractmethod
    def total(self, ledger: Ledger) -> PrivacySpent:
        """Return what the releases of a ledger cost, in the words of this mechanism."""

    @abstractmethod
    def _whole(self, query: Query) -> Fraction:
        """Return the epsilon of one release for inputs that differ in the whole region."""

    @abstractmethod
    def _answer(self, query: Query) -> Release:
        """Draw the noise."""


class DiscreteLaplace(Mechanism[CellSums, tuple["NDArray[np.int64]", ...]]):
    """Adds discrete Laplace noise to cell sums; epsilon is for all planes and frames together.

    Every sum of a plane gets noise of scale planes * frames * peak * m / epsilon, so that each plane takes an
    equal part of epsilon.
    """

    name = "discrete Laplace noise on cell sums"

    def __init__(self, epsilon: Fraction, adjacency: PixelAdjacency) -> None:
        super().__init__(epsilon)
        self.adjacency = adjacency

    def scale(self, query: CellSums, plane: int) -> float:
        """Return the scale of the noise on the sums of one plane, rounded up, in units of its samples."""
        sensitivity = picture_l1((query.peaks[plane],), self.adjacency.pixels, query.frames)
        return math.nextafter(float(len(query.planes) * sensitivity / self.epsilon), math.inf)

    def total(self, ledger: Ledger) -> PrivacySpent:
        """Return what the releases of a ledger cost for m pixels and for whole regions."""
        return ledger.total(self.name, self.adjacency.statement, self.adjacency.pixels)

    def _whole(self, query: CellSums) -> Fraction:
        return self.epsilon * self.adjacency.steps(query.pixels)

    def _answer(self, query: CellSums) -> tuple[NDArray[np.int64], ...]:
        return tuple(
            noise.discrete_laplace(sums, self.scale(query, plane)) for plane, sums in enumerate(query.planes)
        )


class VectorLaplace(Mechanism[Vector, "NDArray[np.float64]"]):
    """Adds noise of density proportional to exp(-epsilon * norm(z)) to a vector: metric privacy.

    Two inputs whose vectors lie at Euclidean distance D are told apart by epsilon * D at most.
    """

    name = "multivariate Laplace noise on a vector"

    def __init__(self, epsilon: Fraction, adjacency: DistanceAdjacency) -> None:
        super().__init__(epsilon)
        self.adjacency = adjacency

    def total(self, ledger: Ledger) -> PrivacySpent:
        """Return what the releases of a ledger cost for each unit of distance and for whole regions."""
        return ledger.total(self.name, self.adjacency.statement, None)

    def _whole(self, query: Vector) -> Fraction:
        return self.epsilon * self.adjacency.farthest(query.sides)

    def _answer(self, query: Vector) -> NDArray[np.float64]:
        return query.values + noise.vector_laplace(len(query.values), float(self.epsilon))
