"""Does a cloak work on somebody who runs it as well, and learns from what comes out?

A cloak is a public tool, so an attacker cloaks pictures that he has, and compares what recognisers make of
them before and after. What a cloak moves tells nobody's name, so it counts less from then on: within-class
covariance normalisation (Hatch, Kajarekar and Stolcke, Interspeech 2006). That training on cloaked pictures
undoes cloaks is shown by Radiya-Dixit et al., "Data poisoning won't save you from facial recognition",
ICLR 2022.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from eyelid.attack.base import Knowledge, Listener, Threat, silent
from eyelid.attack.cloak_transfer import (
    SMOOTHING,
    CloakTransfer,
    Portraits,
    Recogniser,
    cloak,
    recognisers,
    smooth,
    unit,
)
from eyelid.models.extras import require
from eyelid.obfuscate.cloak import FOOLED, Cloak

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from eyelid.attack.cloak_transfer import Boxes
    from eyelid.attack.dataset import Pictures

    Rows = NDArray[np.float64]

LESSONS: Final = 40
"""Pictures that the attacker cloaks: forty seconds of two cores."""

_STEPS: Final = 10
"""Steps that these take at most: what a cloak moves shows soon; more pictures teach more than more steps."""
_SMOOTHINGS: Final = (0.0, SMOOTHING, 2 * SMOOTHING)
_FLOOR: Final = 0.1
"""What is added to each variance, in their means: from few pictures they are not known any better."""


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """Clear pictures, and what the attacker's own run of the cloak made of them."""

    clear: Portraits
    cloaked: Pictures


def prepare(
    known: Portraits,
    method: Cloak,
    pictures: int = LESSONS,
    seed: int = 0,
    *,
    against: Sequence[str] = FOOLED,
    listener: Listener = silent,
) -> Lessons:
    """Cloak so many of the pictures that are known, drawn at random; ``listener`` counts them.

    It takes the levels of ``method``, and its steps, 10 at most. Raises UsageError where PyTorch or onnx is
    not installed.
    """
    require("the attacker who learns from cloaked pictures", "cloak", "torch", "onnx")
    drawn = np.sort(np.random.default_rng(seed).permutation(len(known.people))[:pictures])
    clear = Portraits(known.pictures[drawn], known.boxes[drawn], known.people[drawn])
    quick = method.model_copy(update={"steps": min(method.steps, _STEPS)})
    return Lessons(clear, cloak(clear, quick, against=against, listener=listener))


def retrain(lessons: Lessons, known: Sequence[Recogniser] | None = None) -> Recogniser:
    """Return one recogniser made of all that are ``known``, to which what cloaks change counts little."""
    known = recognisers() if known is None else known
    boxes = lessons.clear.boxes

    def embed(pictures: Pictures, boxes: Boxes) -> Rows:
        seen = [smooth(pictures, sigma) for sigma in _SMOOTHINGS]
        return unit(np.hstack([each.embed(view, boxes) for each in known for view in seen]))

    clear = embed(lessons.clear.pictures, boxes)
    less = _less(clear - embed(lessons.cloaked, boxes))
    middle = clear.mean(axis=0)
    name = known[0].name if len(known) == 1 else "all together"
    return Recogniser(name, lambda pictures, at: unit(less(embed(pictures, at) - middle)), seen=False)


class CloakRetrained(CloakTransfer):
    """Recognises cloaked people by a gallery of clear pictures, by what :func:`retrain` made."""

    name: ClassVar[str] = "cloak-retrained"

    @property
    def threat(self) -> Threat:
        """Whoever has the same cloak, and the patience to run it."""
        return Threat(
            goal="name the people in cloaked pictures",
            knowledge=Knowledge.RETRAINED,
            capability=(
                "clear pictures of everybody, cloaks of some by the same tool to learn from, and recognisers "
                f"off the shelf: {self._recogniser.name}"
            ),
        )


def _less(moved: Rows) -> Callable[[Rows], Rows]:
    """Return how to shrink rows (n, d) along the axes along which cloaks moved others, ``moved`` (m, d)."""
    _, sizes, axes = np.linalg.svd(moved, full_matrices=False)
    variances = sizes**2
    floor = _FLOOR * max(float(variances.mean()), 1e-12)
    away = 1 - np.sqrt(floor / (variances + floor))
    return lambda rows: np.asarray(rows - (rows @ axes.T * away) @ axes)
