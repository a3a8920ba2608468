"""What attacks that restore pictures share: who they learn from, whom they attack, and how it is judged."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from eyelid.attack.base import Attack, AttackResult, Listener, silent
from eyelid.attack.dataset import Faces, split
from eyelid.attack.fidelity import embed, psnr, ssim
from eyelid.attack.statistics import bootstrap_interval, rank1
from eyelid.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from eyelid.attack.dataset import Labels, Pictures
    from eyelid.attack.statistics import Floats

    Restorer: TypeAlias = Callable[[Pictures], Pictures]

FEWEST_PEOPLE: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Restored:
    """What became of the probes: pictures uint8 (n, height, width), and their ``people`` (n,).

    ``match_treated`` and ``match_restored`` float64 (n,) are 1 where the recogniser names the right person
    of ``gallery_people``, whose pictures it has clear.
    """

    clear: Pictures
    treated: Pictures
    restored: Pictures
    people: Labels
    match_treated: Floats
    match_restored: Floats
    gallery_people: int

    def psnr(self) -> tuple[float, float]:
        """Return the mean PSNR in dB of the treated and of the restored pictures."""
        return float(psnr(self.treated, self.clear).mean()), float(psnr(self.restored, self.clear).mean())

    def ssim(self) -> tuple[float, float]:
        """Return the mean structural similarity of the treated and of the restored pictures."""
        return float(ssim(self.treated, self.clear).mean()), float(ssim(self.restored, self.clear).mean())


class RestorationAttack(Attack[Faces]):
    """Restores pictures, and asks the shipped recogniser who is in them.

    Half of the people are victims; the attacker has never seen the others' pictures but may use those of the
    rest. Of every victim a fifth of the pictures are probes, the others are the gallery, clear.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    @abstractmethod
    def release(self, pictures: Pictures) -> Pictures:
        """Return what is published of pictures (n, height, width)."""

    @abstractmethod
    def prepare(self, clear: Pictures, treated: Pictures, listener: Listener, /) -> Restorer:
        """Return what restores, with pictures of people who are no victims at hand, clear and treated.

        ``listener`` is told of the work of either that takes long.
        """

    def run(self, target: Faces) -> AttackResult:
        """Restore the probes and return the rate at which the recogniser names them."""
        return self.result(self.measure(target))

    def measure(self, faces: Faces, listener: Listener = silent) -> Restored:
        """Restore the probes; ``listener`` is told how many steps of the work are done.

        Raises InputError where there are fewer than four people.
        """
        everybody = np.unique(faces.people)
        if len(everybody) < FEWEST_PEOPLE:
            raise InputError(
                f"there are {len(everybody)} people only; a restoration needs pictures of at least "
                f"{FEWEST_PEOPLE}, half of whom the attacker learns from"
            )
        victims = np.random.default_rng(self._seed).permutation(everybody)[: len(everybody) // 2]
        attacked = np.isin(faces.people, victims)
        parts = split(faces.people, self._seed, np.flatnonzero(attacked))
        others = faces.pictures[~attacked]
        restore = self.prepare(others, self.release(others), listener)
        clear, people = faces.pictures[parts.probes], faces.people[parts.probes]
        treated = self.release(clear)
        restored = restore(treated)
        owners = faces.people[parts.training]
        gallery = embed(faces.pictures[parts.training])
        before, after = (rank1(embed(seen) @ gallery.T, people, owners) for seen in (treated, restored))
        return Restored(clear, treated, restored, people, before, after, len(victims))

    def result(self, restored: Restored) -> AttackResult:
        """Return the rank-1 rate of the restored probes, with the fidelity as a note."""
        (before, after), (alike, restored_alike) = restored.psnr(), restored.ssim()
        return AttackResult(
            attack=self.name,
            threat=self.threat,
            measure="rank-1",
            success=float(restored.match_restored.mean()),
            chance=1 / restored.gallery_people,
            interval=bootstrap_interval(restored.match_restored, groups=restored.people),
            n=len(restored.people),
            note=(
                f"rank-1 of the treated pictures {restored.match_treated.mean():.3f}; PSNR {before:.1f} dB "
                f"treated, {after:.1f} dB restored; SSIM {alike:.2f} treated, {restored_alike:.2f} restored"
            ),
        )
