"""The nearest picture: no training at all, only a gallery to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eyelid.attack.attacker import Attacker, Rows, Scores, Training, pixels
from eyelid.attack.base import Knowledge

if TYPE_CHECKING:
    from eyelid.attack.dataset import Pictures


class Nearest(Attacker):
    """The person of the gallery picture with the smallest distance; several releases are averaged first."""

    name = "nearest"
    levels = frozenset({Knowledge.NAIVE, Knowledge.METHOD})

    def scores(self, training: Training, probes: Rows) -> Scores:
        """Return negative squared distances to the nearest picture of each person."""
        gallery = training.features.mean(axis=1)
        return best_of_each(-distances(probes, gallery), training)


class NearestByContrast(Nearest):
    """The same after brightness and contrast of each picture are set alike."""

    name = "nearest-contrast"

    def features(self, pictures: Pictures) -> Rows:
        """Return pixels of mean 0 and deviation 1; a flat picture becomes 0."""
        rows = pixels(pictures)
        centred = rows - rows.mean(axis=1, keepdims=True)
        spread = centred.std(axis=1, keepdims=True)
        return np.asarray(np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-3))


def distances(probes: Rows, gallery: Rows) -> Scores:
    """Return squared distances (probes, gallery), equal for equal rows whatever the order of summation."""
    a, b = probes.astype(np.float64), gallery.astype(np.float64)
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.asarray(np.maximum(squared, 0.0).round(6))


def best_of_each(scores: Scores, training: Training) -> Scores:
    """Return the best score (probes, people) of each person from scores (probes, pictures)."""
    return np.stack([scores[:, training.people == p].max(axis=1) for p in np.unique(training.people)], axis=1)
