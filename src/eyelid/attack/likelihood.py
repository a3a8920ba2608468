"""The likelihood of noise: an attacker who knows that a method adds Laplace noise to cells, and to what.

Averaging over many noisy copies, as a network does in training, is a detour: whoever has clear pictures of a
person computes the mosaic without noise, and asks how probable the release is under each (Bayes' rule with
equal priors). Against DP-Pix this is the strongest attacker here, stronger than the paper's network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from eyelid.attack.attacker import Attacker, Rows, Scores, Training
from eyelid.attack.base import Knowledge

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyelid.attack.dataset import Pictures

_BETWEEN_PICTURES: Final = 4.0
"""Grey values by which two pictures of one person differ anyway; keeps the law wide where noise is small."""

_PEAK: Final = 255.0
_MOST_COLUMNS: Final = 1024
_SMALLEST_SCALE: Final = 1e-3


class Likelihood(Attacker):
    """The person under whose pictures the release is most probable, for cells clipped to 0..255."""

    name = "likelihood"
    draws = 4  # enough to see how strong the noise is; the templates have none
    levels = frozenset({Knowledge.RETRAINED})

    def features(self, pictures: Pictures) -> Rows:
        """Return every pixel: cells must keep their exact values."""
        return pictures.reshape(len(pictures), -1).astype(np.float32)

    def scores(self, training: Training, probes: Rows) -> Scores:
        """Return the logarithm of the likelihood of each probe, averaged over the pictures of each person."""
        cells = _distinct(training.features.reshape(-1, training.features.shape[-1]))
        templates = training.ideal[:, cells].astype(np.float64)
        scale = _scale(training.features[..., cells], templates) + _BETWEEN_PICTURES
        table = np.stack([_log_likelihood(row, templates, scale) for row in probes[:, cells]])
        return np.stack(
            [
                np.logaddexp.reduce(table[:, training.people == person], axis=1)
                - np.log((training.people == person).sum())
                for person in np.unique(training.people)
            ],
            axis=1,
        ).round(6)


def _distinct(rows: Rows) -> NDArray[np.int64]:
    """Return one column of each group that is equal in all rows: one pixel of each cell."""
    weights = np.random.default_rng(0).random(len(rows))
    _, first = np.unique((weights @ rows).round(3), return_index=True)
    step = -(-len(first) // _MOST_COLUMNS)
    return np.sort(first)[::step]


def _scale(features: Rows, templates: NDArray[np.float64]) -> float:
    """Return the Laplace scale that explains the noise seen: the mean of what was not clipped, corrected."""
    low, high = 0.0, 10 * _PEAK
    seen = float(np.abs(features - templates[:, None]).mean())
    room = np.stack([templates, _PEAK - templates])
    for _ in range(
        40
    ):  # the mean deviation after clipping at a distance r is s (1 - exp(-r / s)) on each side
        middle = (low + high) / 2
        expected = float((middle * -np.expm1(-room / max(middle, _SMALLEST_SCALE))).mean())
        low, high = (middle, high) if expected < seen else (low, middle)
    return (low + high) / 2


def _log_likelihood(
    row: NDArray[np.float32], templates: NDArray[np.float64], scale: float
) -> NDArray[np.float64]:
    """Return log P[row | template] for each template (n, cells): Laplace inside, its tails at both ends."""
    inside = -np.abs(row - templates) / scale - np.log(2 * scale)
    black, white = np.log(0.5) - templates / scale, np.log(0.5) - (_PEAK - templates) / scale
    logs: NDArray[np.float64] = np.where(row <= 0, black, np.where(row >= _PEAK, white, inside)).sum(axis=1)
    return logs
