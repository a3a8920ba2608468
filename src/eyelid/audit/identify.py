"""Who is behind the covered faces? Tracks of the original are the gallery, those of the output the probes.

The attacker has seen each person on other moments, clear, and treats these pictures by the very method that
the evidence names, as often as it likes. Pictures of the output train nobody where that method is known:
a mask that is drawn once and held would tell the same film, not the same person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from eyelid.attack.attacker import Training
from eyelid.attack.base import AttackResult, Knowledge, Threat
from eyelid.attack.reidentify import load
from eyelid.attack.statistics import (
    auc,
    bootstrap_interval,
    guessing,
    rank_curve,
    rank_probabilities,
    roc,
)
from eyelid.audit.model import Curve, CurveKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from eyelid.attack.attacker import Attacker, Rows, Scores
    from eyelid.attack.dataset import Labels, Pictures
    from eyelid.attack.statistics import Floats
    from eyelid.attack.treatment import Treatment
    from eyelid.audit.watch import Track

ATTACKERS: Final = (
    "discriminant",
    "nearest-contrast",
    "embedding-retrained",
    "embedding",
    "likelihood",
    "subspace",
)
DRAWS: Final = 8
_AUC_DRAWS: Final = 200
_UNLEARNED: Final = (
    "of each person one treated picture was to be had, too few to train a recogniser on; the attackers "
    "compared pictures instead"
)
_CAPABILITY: Final = {
    Knowledge.NAIVE: "clear pictures of the people at {moments}, and a recogniser off the shelf",
    Knowledge.METHOD: "clear pictures of the people at {moments}, which it treats alike",
    Knowledge.RETRAINED: "clear pictures of the people at {moments}, treated alike often, to learn from",
}


@dataclass(frozen=True, slots=True, eq=False)
class Lineup:
    """People to name: ``gallery`` clear pictures (n, 112, 92) of ``known`` (n,), ``probes`` of ``people``.

    ``treated`` (n, draws, 112, 92) is what the method makes of the gallery, ``ideal`` without its noise.
    People who are known and not among ``people`` are distractors. ``moments`` says when the gallery is of.
    """

    gallery: Pictures
    treated: Pictures
    ideal: Pictures
    known: Labels
    probes: Pictures
    people: Labels
    moments: str


@dataclass(frozen=True, slots=True)
class Identified:
    """Rank-1 and AUC of the strongest attacker at each level of knowledge, with the curves of the last.

    ``unlearned`` is why nobody learned from treated pictures, None where somebody did.
    """

    results: tuple[AttackResult, ...]
    curves: tuple[Curve, ...]
    unlearned: str | None = None


def line_up(
    tracks: Sequence[Track], treatment: Treatment | None, distractors: Pictures, *, still: bool
) -> Lineup | None:
    """Split every track by time: its earlier half is known, its later half is to be named.

    In a still the clear face itself is known. A track of one picture is a distractor. Where the method is not
    known (None) the attacker learns from the earlier half of the output. Returns None where fewer than two
    people are known or nobody can be probed.
    """
    gallery, treated, probes = [], [], []
    known, people = [], []
    for number, track in enumerate(tracks):
        half = len(track.clear) if still else max(1, len(track.clear) // 2)
        gallery += track.clear[:half]
        treated += track.shown[:half]
        known += [number] * half
        later = track.shown if still else track.shown[half:]
        probes += later
        people += [number] * len(later)
    gallery += list(distractors)
    known += list(range(len(tracks), len(tracks) + len(distractors)))
    if len(set(known)) < 2 or not probes:
        return None
    clear = np.stack(gallery)
    if treatment is not None:
        made, ideal = treatment.treat(clear, DRAWS), treatment.ideal(clear)
    else:
        alike = np.stack([*treated, *distractors])
        made, ideal = alike[:, None], alike
    moments = "this very moment" if still else "other moments"
    return Lineup(clear, made, ideal, np.array(known), np.stack(probes), np.array(people), moments)


def identify(lineup: Lineup) -> Identified:
    """Attack a line-up at every level of knowledge; who knows more may do what who knows less does."""
    trials = [trial for name in ATTACKERS for trial in _trials(name, lineup)]
    results: list[AttackResult] = []
    curves: tuple[Curve, ...] = ()
    for rank, level in enumerate(Knowledge):
        able = [trial for trial in trials if list(Knowledge).index(trial.level) <= rank]
        if not any(trial.level is level for trial in trials):
            continue
        best = max(able, key=lambda trial: trial.rehearsed)
        found, curves = _results(best, level, lineup)
        results += found
    learned = any(trial.level is Knowledge.RETRAINED for trial in trials)
    return Identified(tuple(results), curves, None if learned else _UNLEARNED)


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """One attacker at one level: its ``scores`` of the probes, and its success on what it knows itself."""

    name: str
    level: Knowledge
    rehearsed: float
    scores: Scores


def _trials(name: str, lineup: Lineup) -> Iterator[_Trial]:
    """Yield an attacker's trials at each of its levels, where it has enough pictures to learn from."""
    attacker = load(name)
    made = lineup.treated[:, : max(1, attacker.draws)]
    n, draws = made.shape[:2]
    rows = attacker.features(made.reshape(n * draws, *made.shape[2:])).reshape(n, draws, -1)
    probes = attacker.features(lineup.probes)
    for level in sorted(attacker.levels, key=list(Knowledge).index):
        if level is Knowledge.NAIVE:
            clear = attacker.features(lineup.gallery)
            training = Training(lineup.known, clear[:, None], clear)
        else:
            training = Training(lineup.known, rows, attacker.features(lineup.ideal))
        if _teaches(attacker, training):
            rehearsed = _rehearse(attacker, lineup, training, rows)
            yield _Trial(name, level, rehearsed, attacker.scores(training, probes))


def _teaches(attacker: Attacker, training: Training) -> bool:
    """Return whether there are two people, and for a classifier more pictures than people."""
    people = len(np.unique(training.people))
    pictures = len(training.people) * training.features.shape[1]
    return people > 1 and (Knowledge.RETRAINED not in attacker.levels or pictures > people)


def _rehearse(attacker: Attacker, lineup: Lineup, training: Training, rows: Rows) -> float:
    """Return the rank-1 rate on known pictures as often as they were treated, 0 where these are too few.

    They are named from other pictures of the same people or, where there is one of each, from the same ones
    treated at other times: an output of a still shows the known picture itself.
    """
    named: list[Floats] = []
    halves = [*_other_pictures(training, rows)] or _other_draws(attacker, lineup, training)
    for half, probes, behind in halves:
        if _teaches(attacker, half):
            scores = attacker.scores(half, probes)
            named.append(rank_probabilities(scores, behind, np.unique(half.people))[:, 0])
    return float(np.concatenate(named).mean()) if named else 0.0


def _other_pictures(training: Training, rows: Rows) -> Iterator[tuple[Training, Rows, Labels]]:
    """Yield every second picture to learn from and the rest to name, then the other way round."""
    people = training.people
    odd = np.arange(len(people)) % 2 == 1
    for held in (odd, ~odd):
        held = held & np.isin(people, people[~held])
        if held.any():
            half = Training(people[~held], training.features[~held], training.ideal[~held])
            yield half, rows[held].reshape(-1, rows.shape[-1]), np.repeat(people[held], rows.shape[1])


def _other_draws(
    attacker: Attacker, lineup: Lineup, training: Training
) -> Iterator[tuple[Training, Rows, Labels]]:
    """Yield the first treatments of each picture to learn from, the rest to name."""
    n, draws, *size = lineup.treated.shape
    first = draws // 2
    if first:
        half = Training(training.people, training.features[:, :first], training.ideal)
        probes = attacker.features(lineup.treated[:, first:].reshape(n * (draws - first), *size))
        yield half, probes, np.repeat(training.people, draws - first)


def _results(trial: _Trial, level: Knowledge, lineup: Lineup) -> tuple[list[AttackResult], tuple[Curve, ...]]:
    name, scores = trial.name, trial.scores
    known = np.unique(lineup.known)
    threat = Threat(
        goal="name the person behind a face",
        knowledge=level,
        capability=_CAPABILITY[level].format(moments=lineup.moments),
    )
    found = rank_probabilities(scores, lineup.people, known)[:, 0]
    own = lineup.people[:, None] == known
    label = f"re-identification by {name}"
    note = f"{len(np.unique(lineup.people))} people among {len(known)}"
    if trial.level is not level:
        note += f"; what this attacker knows more than one who is {trial.level} helps it no further"
    rank = AttackResult(
        attack=label,
        threat=threat,
        measure="rank-1",
        success=float(found.mean()),
        chance=guessing(lineup.people, len(known)),
        interval=bootstrap_interval(found, groups=lineup.people),
        n=len(found),
        note=note,
    )
    pairs = AttackResult(
        attack=label,
        threat=threat,
        measure="AUC",
        success=auc(scores.ravel(), own.ravel()),
        chance=0.5,
        interval=_auc_interval(scores, own, lineup.people),
        n=own.size,
        note=note,
    )
    ranks = rank_curve(scores, lineup.people, known)
    points = roc(scores.ravel(), own.ravel())
    keep = np.unique(np.linspace(0, len(points.thresholds) - 1, 200).round().astype(int))
    curves = (
        Curve(
            kind=CurveKind.RANK,
            name=f"{name}, {level}",
            x=tuple(float(k) for k in range(1, len(ranks) + 1)),
            y=tuple(float(v) for v in ranks),
        ),
        Curve(
            kind=CurveKind.ROC,
            name=f"{name}, {level}",
            x=tuple(points.false_positive_rate[keep].tolist()),
            y=tuple(points.true_positive_rate[keep].tolist()),
        ),
    )
    return [rank, pairs], curves


def _auc_interval(scores: Scores, own: NDArray[np.bool_], people: Labels) -> tuple[float, float]:
    """Return the interval of the AUC over people; one person alone tells nothing of others."""
    if len(np.unique(people)) < 2:
        return 0.0, 1.0
    rows = np.hstack([scores, own])
    return bootstrap_interval(rows, groups=people, statistic=_auc_of_rows, draws=_AUC_DRAWS)


def _auc_of_rows(rows: Floats) -> float:
    """Return the AUC of rows that hold the scores of all people, then which of them is the right one."""
    scores, own = np.hsplit(rows, 2)
    return auc(scores.ravel(), own.ravel() > 0)
