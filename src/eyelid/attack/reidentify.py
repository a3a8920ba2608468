"""Re-identification: who is in a treated picture? All attackers, many splits, three levels of knowledge.

The attacker that counts at a level is the strongest one that an attacker of that level could have chosen:
the choice is made on pictures held back from the training data of each split, never on its probes. Who knows
more can still do what who knows less does, so a level includes the ones below it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from pydantic import BaseModel, ConfigDict

from eyelid.attack.attacker import Attacker, Training
from eyelid.attack.base import Attack, AttackResult, Knowledge, Listener, Threat, silent
from eyelid.attack.dataset import Faces, Labels, split
from eyelid.attack.statistics import Floats, bootstrap_interval, rank_probabilities
from eyelid.attack.treatment import Origin, Treatment
from eyelid.errors import UsageError
from eyelid.evidence.summary import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyelid.attack.attacker import Rows
    from eyelid.attack.dataset import Pictures

ATTACKERS: Final = {
    "likelihood": ("likelihood", "Likelihood"),
    "discriminant": ("linear", "DiscriminantAttacker"),
    "logistic": ("linear", "LogisticAttacker"),
    "coefficients": ("coefficients", "CoefficientAttacker"),
    "subspace": ("subspace", "SubspaceAttacker"),
    "network": ("cnn", "NetworkAttacker"),
    "embedding-retrained": ("embedding", "EmbeddingClassifier"),
    "embedding": ("embedding", "EmbeddingAttacker"),
    "nearest": ("nearest", "Nearest"),
    "nearest-contrast": ("nearest", "NearestByContrast"),
}
"""Every attacker: its module and class. Of equals on the held-back pictures the first is chosen."""

LEVELS: Final = tuple(Knowledge)
SEEDS: Final = 10
CAPABILITY: Final = {
    Knowledge.NAIVE: "labelled clear pictures of the people; does not know that pictures are treated",
    Knowledge.METHOD: "labelled pictures of the people, which it treats alike before it compares",
    Knowledge.RETRAINED: "labelled pictures of the people, which it treats alike, often, and learns from",
}


class Reidentification(BaseModel):
    """All that was measured of one method: one result for each level of knowledge, and for each attacker."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    origin: Origin
    people: int
    pictures: int
    seeds: int
    strongest: tuple[AttackResult, ...]
    attackers: tuple[AttackResult, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Material:
    """Features of all pictures: ``clear`` and ``ideal`` (n, d), ``treated`` (n, draws, d)."""

    clear: Rows
    treated: Rows
    ideal: Rows

    def training(self, chosen: Labels, people: Labels, level: Knowledge) -> Training:
        if level is Knowledge.NAIVE:
            return Training(people[chosen], self.clear[chosen, None], self.clear[chosen])
        return Training(people[chosen], self.treated[chosen], self.ideal[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """One split: the success 0..1 for each probe, its person, and the success on what was held back."""

    found: Floats
    people: Labels
    held_back: float


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """One attacker at one level; ``trials`` by seed."""

    attacker: str
    level: Knowledge
    trials: dict[int, _Trial]


class Reidentify(Attack[Faces]):
    """Name the people in pictures after ``treatment``; ``attackers`` are names of :data:`ATTACKERS`.

    Each of ``seeds`` splits sets a fifth of the pictures of every person aside as probes. Raises UsageError
    for an attacker that does not exist, and for no attacker or no split.
    """

    name = "re-identification"

    def __init__(
        self,
        treatment: Treatment,
        *,
        attackers: Sequence[str] = tuple(ATTACKERS),
        seeds: int = SEEDS,
    ) -> None:
        if seeds < 1:
            raise UsageError(f"{seeds} splits measure nothing; give at least one")
        if not attackers:
            raise UsageError(f"no attacker is named; choose among {', '.join(ATTACKERS)}")
        self._treatment = treatment
        self._attackers = [load(name) for name in dict.fromkeys(attackers)]
        self._seeds = seeds

    @property
    def threat(self) -> Threat:
        """The attacker that knows most: it learns from pictures treated alike."""
        return _threat(max((level for a in self._attackers for level in a.levels), key=LEVELS.index))

    def run(self, target: Faces) -> AttackResult:
        """Return the rank-1 rate of the strongest attacker of all."""
        return self.measure(target).strongest[-1]

    def measure(self, faces: Faces, listener: Listener = silent) -> Reidentification:
        """Run every attacker at every level on every split; ``listener`` is told how many trials are done."""
        runs: list[_Run] = []
        total = sum(len(a.levels) * self._seeds_of(a) for a in self._attackers)
        done = 0
        treated = self._treatment.treat(faces.pictures, max(a.draws for a in self._attackers))
        ideal = self._treatment.ideal(faces.pictures)
        prepared: dict[object, _Material] = {}
        for attacker in self._attackers:
            key = (type(attacker).features, attacker.draws)  # several attackers learn from the same features
            if key not in prepared:
                prepared[key] = _prepare(attacker, faces.pictures, treated[:, : attacker.draws], ideal)
            material = prepared[key]
            for level in sorted(attacker.levels, key=LEVELS.index):
                run = _Run(attacker.name, level, {})
                for seed in range(self._seeds_of(attacker)):
                    run.trials[seed] = _trial(attacker, material, faces.people, level, seed)
                    done += 1
                    listener(done, total)
                runs.append(run)
        counts = np.bincount(faces.people[split(faces.people, 0).probes])
        chance = float(counts.max() / counts.sum())  # of naming the same person always
        levels = [
            level for level in LEVELS if any(LEVELS.index(r.level) <= LEVELS.index(level) for r in runs)
        ]
        return Reidentification(
            method=self._treatment.name,
            origin=self._treatment.origin,
            people=len(faces.names),
            pictures=len(faces.people),
            seeds=max(len(run.trials) for run in runs),
            strongest=tuple(self._strongest(runs, level, chance) for level in levels),
            attackers=tuple(
                _result(
                    r.attacker,
                    r.level,
                    list(r.trials.values()),
                    chance,
                    number(len(r.trials), "split", "splits"),
                )
                for r in runs
            ),
        )

    def _seeds_of(self, attacker: Attacker) -> int:
        return min(self._seeds, attacker.seeds or self._seeds)

    def _strongest(self, runs: Sequence[_Run], level: Knowledge, chance: float) -> AttackResult:
        """Judge the attacker that does best on what each split held back from its training pictures."""
        within = [run for run in runs if LEVELS.index(run.level) <= LEVELS.index(level)]
        chosen = [
            max((run for run in within if seed in run.trials), key=lambda run: run.trials[seed].held_back)
            for seed in sorted({seed for run in within for seed in run.trials})
        ]
        names = Counter(run.attacker for run in chosen).most_common()
        note = "chosen on held-back training pictures: " + ", ".join(f"{n} in {k}" for n, k in names)
        trials = [run.trials[seed] for seed, run in enumerate(chosen)]
        splits = number(len(chosen), "split", "splits")
        return _result(names[0][0], level, trials, chance, f"{note} of {splits}")


def load(name: str) -> Attacker:
    """Return an attacker by name; raises UsageError where there is none of that name."""
    if name not in ATTACKERS:
        raise UsageError(f"there is no attacker {name!r}; choose among {', '.join(ATTACKERS)}")
    module, kind = ATTACKERS[name]
    return cast("Attacker", getattr(import_module(f"eyelid.attack.{module}"), kind)())


def _prepare(attacker: Attacker, clear: Pictures, treated: Pictures, ideal: Pictures) -> _Material:
    n, draws, *size = treated.shape
    rows = attacker.features(treated.reshape(n * draws, *size))
    return _Material(attacker.features(clear), rows.reshape(n, draws, -1), attacker.features(ideal))


def _trial(attacker: Attacker, material: _Material, people: Labels, level: Knowledge, seed: int) -> _Trial:
    release = seed % material.treated.shape[1]

    def found(training: Labels, probes: Labels) -> tuple[Floats, float]:
        scores = attacker.scores(
            material.training(training, people, level), material.treated[probes, release]
        )
        ranks = rank_probabilities(scores, people[probes], np.unique(people[training]))
        return ranks[:, 0], float(
            ranks[:, 0].mean() + 1e-3 * ranks.mean()
        )  # the curve decides between equals

    outer = split(people, seed)
    inner = split(people, seed, among=outer.training)
    _, held_back = found(inner.training, inner.probes)
    success, _ = found(outer.training, outer.probes)
    return _Trial(success, people[outer.probes], held_back)


def _result(
    attacker: str, level: Knowledge, trials: Sequence[_Trial], chance: float, note: str
) -> AttackResult:
    found = np.concatenate([trial.found for trial in trials])
    people = np.concatenate([trial.people for trial in trials])
    return AttackResult(
        attack=attacker,
        threat=_threat(level),
        measure="rank-1",
        success=float(found.mean()),
        chance=chance,
        interval=bootstrap_interval(found, groups=people),
        n=len(found),
        note=note,
    )


def _threat(level: Knowledge) -> Threat:
    return Threat(goal="name the person in a picture", knowledge=level, capability=CAPABILITY[level])
