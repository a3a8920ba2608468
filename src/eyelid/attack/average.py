"""Averaging: many releases of one still face are one release with less noise, where nobody kept a ledger.

Noise of n independent frames shrinks by the root of n, and their epsilons add up; a video of 100 frames at
epsilon 0.1 each is a release at 10. A ledger that holds one release through time leaves nothing to average.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import BaseModel, ConfigDict

from eyelid.attack.base import Attack, AttackResult, Knowledge, Listener, Threat, silent
from eyelid.attack.dataset import Faces, Picture
from eyelid.attack.reidentify import SEEDS, Reidentify
from eyelid.attack.treatment import Treatment
from eyelid.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FRAMES: Final = 100
ATTACKERS: Final = ("discriminant", "logistic", "nearest-contrast")


class Averaging(BaseModel):
    """Rank-1 from one frame and from the average of ``frames`` frames of the same still face."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    frames: int
    single: AttackResult
    averaged: AttackResult


class AverageAttack(Attack[Faces]):
    """Name the people in ``frames`` releases of each picture, averaged; the attacker trains on averages too.

    ``attackers`` and ``seeds`` as for :class:`~eyelid.attack.reidentify.Reidentify`. Raises UsageError for
    fewer than two frames.
    """

    name = "frame averaging"

    def __init__(
        self,
        treatment: Treatment,
        *,
        frames: int = FRAMES,
        attackers: Sequence[str] = ATTACKERS,
        seeds: int = SEEDS,
    ) -> None:
        if frames < 2:
            raise UsageError(f"{frames} frames cannot be averaged; give at least two")
        self._treatment = treatment
        self._frames = frames
        self._attackers = tuple(attackers)
        self._seeds = seeds

    @property
    def threat(self) -> Threat:
        """The attacker: one that has a video of somebody who holds still, or aligns the frames."""
        return Threat(
            goal="name the person behind noise",
            knowledge=Knowledge.RETRAINED,
            capability=f"{self._frames} frames of a still face, each with fresh noise, and others to learn",
        )

    def run(self, target: Faces) -> AttackResult:
        """Return the rank-1 rate from averages."""
        return self.measure(target).averaged

    def measure(self, faces: Faces, listener: Listener = silent) -> Averaging:
        """Attack single frames, then averages; ``listener`` is told how many trials of both are done."""
        single = self._strongest(self._treatment, faces, lambda done, of: listener(done, 2 * of))
        merged = Treatment(
            f"{self._treatment.name}, {self._frames} frames averaged",
            self._treatment.origin,
            averaging(self._treatment.release, self._frames),
        )
        averaged = self._strongest(merged, faces, lambda done, of: listener(of + done, 2 * of))
        note = f"one frame: {single.success:.1%}; {averaged.note}"
        update = {"attack": self.name, "threat": self.threat, "note": note}
        return Averaging(
            method=self._treatment.name,
            frames=self._frames,
            single=single,
            averaged=averaged.model_copy(update=update),
        )

    def _strongest(self, treatment: Treatment, faces: Faces, listener: Listener) -> AttackResult:
        attack = Reidentify(treatment, attackers=self._attackers, seeds=self._seeds)
        return attack.measure(faces, listener).strongest[-1]


def averaging(release: Callable[[Picture], Picture], frames: int) -> Callable[[Picture], Picture]:
    """Return a release that is the rounded mean of ``frames`` fresh ones, the same each time for a picture.

    An attacker has one video of a picture, so it averages once.
    """
    known: dict[bytes, Picture] = {}

    def mean(picture: Picture) -> Picture:
        seen = picture.tobytes()
        if seen not in known:
            total = np.zeros(picture.shape, np.float64)
            for _ in range(frames):
                total += release(picture)
            known[seen] = np.rint(total / frames).astype(np.uint8)
        return known[seen]

    return mean
