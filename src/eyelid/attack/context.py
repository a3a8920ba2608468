"""Context: who is it, by what surrounds a hidden face? Clothes, build, place and time.

Oh et al., "Faceless Person Recognition", ECCV 2016: the head and the body around a blackened face name its
person. Here the body is compared as in classical person re-identification: colour histograms of stripes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from eyelid.attack.base import Attack, AttackResult, Knowledge, Threat
from eyelid.attack.statistics import bootstrap_interval, guessing, rank1
from eyelid.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyelid.types import Bgr

STRIPES: Final = 4
BINS: Final = (12, 4, 4)
"""Hue, saturation, value."""
PLACE_WEIGHT: Final = 0.5
"""What a frame width between two places counts, where a whole change of clothes counts 1."""
TIME_WEIGHT: Final = 0.02
"""What a second between two sightings counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """A person in one released frame, the face hidden.

    ``body`` is what is shown from the shoulders down, uint8 BGR; ``hidden`` bool (height, width) marks the
    pixels of it that are covered, which tell nothing. ``place`` is x, y of the middle of the body in parts
    of the frame's sides, ``height`` its height in parts of the frame's; ``time`` in seconds.
    """

    person: int
    body: Bgr
    hidden: NDArray[np.bool_]
    place: tuple[float, float]
    height: float
    time: float


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """What the attacker has seen before (``known``) and whom it wants to name now (``probes``)."""

    known: Sequence[Sighting]
    probes: Sequence[Sighting]


class ContextAttack(Attack[Sightings]):
    """Name people by the clothes alone; with ``place`` by build, place and time as well."""

    name = "context"

    def __init__(self, *, place: bool = False) -> None:
        self._place = place

    @property
    def threat(self) -> Threat:
        """The attacker: somebody who saw the person on another moment of that day."""
        known = "clothes, build, place and time" if self._place else "clothes"
        return Threat(
            goal="name the person by what surrounds the hidden face",
            knowledge=Knowledge.NAIVE,
            capability=f"earlier pictures of the people in the same {known}; no face",
        )

    def run(self, target: Sightings) -> AttackResult:
        """Return the rank-1 rate over the people; raises UsageError where fewer than two are known."""
        people = {sighting.person for sighting in target.known}
        probes = [sighting for sighting in target.probes if sighting.person in people]
        if len(people) < 2 or not probes:
            raise UsageError(
                f"context needs two people at least, each seen at two moments of a film; here {len(people)} "
                "could be followed so; give a film that shows more people, or shows them longer"
            )
        looks = [look(one) for one in target.known]
        similar = -np.array([self._distances(probe, target.known, looks) for probe in probes])
        who = [probe.person for probe in probes]
        found = rank1(similar, who, [one.person for one in target.known])
        return AttackResult(
            attack="context with place and time" if self._place else "context, clothes alone",
            threat=self.threat,
            measure="rank-1",
            success=float(found.mean()),
            chance=guessing(who, len(people)),
            interval=bootstrap_interval(found, groups=who),
            n=len(probes),
            note=f"{len(people)} people",
        )

    def _distances(
        self, probe: Sighting, known: Sequence[Sighting], looks: Sequence[NDArray[np.float64]]
    ) -> list[float]:
        own = look(probe)
        return [
            _apart(own, seen) + (_displaced(probe, one) if self._place else 0.0)
            for one, seen in zip(known, looks, strict=True)
        ]


def _apart(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the Hellinger distance of two looks, averaged over the stripes: 0 to 1."""
    return float(np.sqrt(np.maximum(1 - (a * b).sum(axis=(1, 2)), 0)).mean())


def _displaced(a: Sighting, b: Sighting) -> float:
    """Return how far apart two sightings are in place, height and time."""
    across = float(np.hypot(a.place[0] - b.place[0], a.place[1] - b.place[1]))
    taller = abs(float(np.log(max(a.height, 1e-3) / max(b.height, 1e-3))))
    return PLACE_WEIGHT * (across + taller) + TIME_WEIGHT * abs(a.time - b.time)


def look(sighting: Sighting) -> NDArray[np.float64]:
    """Return the colours of a body, roots of histograms: float64 (stripes, 2, bins), halves summing to 1/2.

    The second histogram is of lightness alone, which colour-blind cameras share. Stripes in which everything
    is hidden are even: they are as far from everything.
    """
    hsv = cv2.cvtColor(sighting.body, cv2.COLOR_BGR2HSV).reshape(-1, 3).astype(np.int64)
    bins = np.array(BINS)
    cell = hsv * bins // np.array([180, 256, 256])
    colour = (cell[:, 0] * bins[1] + cell[:, 1]) * bins[2] + cell[:, 2]
    size = int(bins.prod())
    light = hsv[:, 2] * size // 256
    height, width = sighting.body.shape[:2]
    stripe = np.repeat(np.arange(height) * STRIPES // max(height, 1), width)
    seen = ~sighting.hidden.reshape(-1)
    tables = np.zeros((STRIPES, 2, size))
    for kind, values in enumerate((colour, light)):
        np.add.at(tables[:, kind], (stripe[seen], values[seen]), 1.0)
    totals = tables.sum(axis=2, keepdims=True)
    tables = np.where(totals > 0, tables / np.maximum(totals, 1), 1 / size)
    roots: NDArray[np.float64] = np.sqrt(tables / 2)
    return roots
