"""Is the output still of use? A linear probe learns the user's labels from the original and from the output.

Alain and Bengio, "Understanding intermediate layers using linear classifier probes", 2016: what a linear
classifier finds in a picture is there for any other model as well.
"""

from __future__ import annotations

import bisect
import csv
from typing import TYPE_CHECKING, Final

import numpy as np

from eyelid.errors import InputError, UsageError
from eyelid.models.extras import require

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eyelid.types import Bgr

BLOCKS: Final = 5
"""The film is cut into so many pieces; each is judged by what the others teach: neighbours are alike."""


class Labels:
    """What happens from when on: a CSV file with the columns ``seconds`` and ``label``, in order of time.

    For a still with several pages, ``seconds`` counts pages from 0. Raises InputError where the file cannot
    be read or is not of that form.
    """

    def __init__(self, path: Path) -> None:
        try:
            with path.open(newline="", encoding="utf-8") as file:
                rows = [(float(row["seconds"]), str(row["label"])) for row in csv.DictReader(file)]
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}); check the name") from None
        except (KeyError, ValueError, TypeError, csv.Error):
            raise InputError(f"{path} needs the columns seconds and label, a number and a word") from None
        self._starts = [start for start, _ in rows]
        self._names = [name for _, name in rows]
        if not rows or self._starts != sorted(self._starts) or not np.isfinite(self._starts).all():
            raise InputError(f"{path} must hold labels in order of their seconds")

    def at(self, seconds: float) -> str | None:
        """Return the label at a time; None before the first."""
        place = bisect.bisect_right(self._starts, seconds)
        return self._names[place - 1] if place else None


def accuracy(pictures: Sequence[Bgr], labels: Sequence[str]) -> float:
    """Return the accuracy of a linear probe on small pictures of equal size, each judged by other pieces.

    Raises UsageError where there are fewer than two labels, or none that occurs in two pieces.
    """
    require("a linear probe", "audit", "sklearn")
    from sklearn.discriminant_analysis import (  # type: ignore[import-untyped]
        LinearDiscriminantAnalysis,
    )

    rows = np.stack(pictures).reshape(len(pictures), -1).astype(np.float64)
    names = np.asarray(labels)
    piece = np.arange(len(rows)) * BLOCKS // len(rows)
    right, judged = 0, 0
    for held in range(BLOCKS):
        known = piece != held
        probes = ~known & np.isin(names, names[known])
        if not probes.any() or len(np.unique(names[known])) < 2:
            continue
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.5).fit(rows[known], names[known])
        right += int((model.predict(rows[probes]) == names[probes]).sum())
        judged += int(probes.sum())
    if not judged:
        raise UsageError("the labels name too little: give at least two, each at several times of the film")
    return right / judged
