"""Linear classifiers, trained on pictures treated alike: with few pictures a person they beat networks."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import TYPE_CHECKING, Final

import numpy as np

from eyelid.attack.attacker import Attacker, Rows, Scores, Training
from eyelid.attack.base import Knowledge
from eyelid.attack.threads import one_thread
from eyelid.models.extras import require

if TYPE_CHECKING:
    from eyelid.attack.dataset import Labels

_MOST_COMPONENTS: Final = 200
_MOST_NUMBERS: Final = 400_000
_ITERATIONS: Final = 200
_LEAST_SPREAD: Final = 1e-3
"""Of the deviation of the first component, which is 1."""


class LinearAttacker(Attacker):
    """Principal components, then a classifier that is linear in them; subclasses say which."""

    levels = frozenset({Knowledge.NAIVE, Knowledge.RETRAINED})

    def scores(self, training: Training, probes: Rows) -> Scores:
        """Return the classifier's scores; pictures that are all alike leave it nothing but a guess."""
        require(f"the attacker {self.name}", "attack", "sklearn")
        with warnings.catch_warnings(), one_thread():
            warnings.simplefilter("ignore")  # enough iterations for an attack need not reach the optimum
            reduced, seen = principal_components(training, probes)
            if reduced.features.shape[-1] == 0:
                return np.zeros((len(probes), len(np.unique(training.people))))
            rows, people = reduced.rows(_MOST_NUMBERS)
            table = np.asarray(self._classify(rows, people, seen), np.float64)
        return table if table.ndim == 2 else np.stack([-table, table], axis=1)

    @abstractmethod
    def _classify(self, rows: Rows, people: Labels, probes: Rows) -> Scores:
        """Learn from rows (n, d) and return decision values (p, people), or (p,) for two people."""


class LogisticAttacker(LinearAttacker):
    """Multinomial logistic regression."""

    name = "logistic"

    def _classify(self, rows: Rows, people: Labels, probes: Rows) -> Scores:
        from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

        model = LogisticRegression(C=1.0, max_iter=_ITERATIONS).fit(rows, people)
        return np.asarray(model.decision_function(probes), np.float64)


class DiscriminantAttacker(LinearAttacker):
    """Linear discriminant analysis, the covariance shrunk: what differs within a person counts less."""

    name = "discriminant"

    def _classify(self, rows: Rows, people: Labels, probes: Rows) -> Scores:
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # type: ignore[import-untyped]

        # where all pictures of a person are equal, there is no covariance to divide by
        shaken = rows + np.random.default_rng(0).normal(0.0, _LEAST_SPREAD, rows.shape)
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.2).fit(shaken, people)
        return np.asarray(model.decision_function(probes), np.float64)


def principal_components(training: Training, probes: Rows) -> tuple[Training, Rows]:
    """Return training and probes in the components of the training pictures, largest first.

    At most 200, scaled together so that the first has a deviation of 1. None are left where all training
    pictures are equal.
    """
    means = training.features.mean(axis=1, dtype=np.float64)
    centre = means.mean(axis=0)
    _, sizes, axes = np.linalg.svd(means - centre, full_matrices=False)
    kept = axes[:_MOST_COMPONENTS][sizes[:_MOST_COMPONENTS] > 1e-6 * max(sizes[0], 1.0)]
    basis = (kept.T / (max(sizes[0], 1e-12) / np.sqrt(len(means)))).astype(np.float32)
    middle = centre.astype(np.float32)
    return (
        Training(training.people, (training.features - middle) @ basis, (training.ideal - middle) @ basis),
        (probes - middle) @ basis,
    )
