from __future__ import annotations

import sys

import numpy as np
import pytest

from eyelid.attack.attacker import Attacker, Rows, Scores, Training
from eyelid.attack.base import Knowledge
from eyelid.attack.dataset import Faces, split
from eyelid.attack.reidentify import ATTACKERS, LEVELS, Reidentification, Reidentify, load
from eyelid.attack.treatment import Origin, Treatment, parse
from eyelid.errors import UsageError
from tests.attack.faces import invented, nobody

QUICK = ("likelihood", "discriminant", "logistic", "nearest")


def test_a_perfect_leak_is_found_at_every_level() -> None:
    measured = Reidentify(parse("clear"), attackers=QUICK, seeds=3).measure(invented())
    assert [r.threat.knowledge for r in measured.strongest] == list(LEVELS)
    for result in measured.strongest:
        assert result.success >= 0.95
        assert result.beats_chance
        assert result.chance == 1 / 8
        assert result.n == 3 * 16


def test_pure_noise_gives_chance_and_an_interval_that_contains_it() -> None:
    measured = Reidentify(parse("clear"), attackers=QUICK, seeds=6).measure(nobody(people=6, each=15))
    for result in (*measured.strongest, *measured.attackers):
        assert result.interval[0] <= result.chance <= result.interval[1]


@pytest.mark.parametrize("method", ["solid", "eyelid:solid", "eyelid:pixelate", "eyelid:blur"])
def test_what_reads_no_picture_gives_chance(method: str) -> None:
    measured = Reidentify(parse(method), attackers=QUICK, seeds=2).measure(invented())
    for result in measured.strongest:
        assert result.success == pytest.approx(result.chance)
        assert not result.beats_chance


def test_a_blur_of_15_pixels_on_a_face_of_200_is_reported_as_re_identifiable() -> None:
    result = Reidentify(parse("blur:15"), attackers=QUICK, seeds=2).run(invented(height=200, width=200))
    assert result.beats_chance
    assert result.success >= 0.9


def test_attackers_that_take_part_in_few_splits_are_measured_on_these() -> None:
    """The network alone: its three splits are all there are, however many were asked for."""
    measured = Reidentify(parse("solid"), attackers=["network"], seeds=4).measure(invented(people=2, each=5))
    assert measured.seeds == 3
    assert measured.strongest[-1].n == 3 * 2
    assert "of 3 splits" in measured.strongest[-1].note


def test_who_retrains_sees_what_a_naive_attacker_does_not() -> None:
    def negative(picture: Rows) -> Rows:
        return 255 - picture

    inverted = Treatment("negative", Origin.PUBLISHED, negative)  # type: ignore[arg-type]
    measured = Reidentify(inverted, attackers=QUICK, seeds=2).measure(invented())
    naive, method, retrained = (r.success for r in measured.strongest)
    assert naive < 0.5
    assert method >= 0.9
    assert retrained >= 0.9


def test_little_noise_leaves_everything_and_much_noise_next_to_nothing() -> None:
    faces = invented(people=6)
    little, much = (
        Reidentify(parse(f"dp-pixelate:eps={eps}"), attackers=("likelihood",), seeds=5).run(faces).success
        for eps in (5, 0.001)
    )
    assert little > 0.9
    assert much < 0.45  # of 60 probes at a chance of 1/6


class _Peeking(Attacker):
    """Records who it was shown, so that the test can tell whether a probe was among them."""

    name = "peeking"
    levels = frozenset({Knowledge.RETRAINED})
    shown: list[tuple[set[float], set[float]]]

    def features(self, pictures: Rows) -> Rows:  # type: ignore[override]
        return pictures.reshape(len(pictures), -1)[:, :1].astype(np.float32)

    def scores(self, training: Training, probes: Rows) -> Scores:
        self.shown.append((set(training.features.ravel().tolist()), set(probes.ravel().tolist())))
        return np.zeros((len(probes), len(np.unique(training.people))))


def test_the_choice_never_sees_a_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    people = np.repeat(np.arange(4), 10)
    pictures = (
        np.arange(40, dtype=np.uint8)[:, None, None].repeat(4, 1).repeat(4, 2)
    )  # each picture is its index
    spy = _Peeking()
    spy.shown = []
    monkeypatch.setitem(ATTACKERS, "peeking", ("peeking", "Peeking"))
    monkeypatch.setitem(sys.modules, "eyelid.attack.peeking", type("m", (), {"Peeking": lambda: spy}))
    Reidentify(parse("clear"), attackers=("peeking",), seeds=3).measure(
        Faces(pictures, people, tuple("abcd"))
    )
    assert len(spy.shown) == 6
    for seed in range(3):
        probes = set(map(float, split(people, seed).probes))
        (learnt, held_back), (trained, asked) = spy.shown[2 * seed : 2 * seed + 2]
        assert asked == probes
        assert not probes & (learnt | held_back | trained)
        assert learnt | held_back == trained


def test_a_level_includes_what_less_knowledge_can_do() -> None:
    measured = Reidentify(parse("clear"), attackers=("nearest",), seeds=2).measure(invented())
    assert [r.threat.knowledge for r in measured.strongest] == list(LEVELS)
    assert [r.threat.knowledge for r in measured.attackers] == [Knowledge.NAIVE, Knowledge.METHOD]


def test_a_slow_attacker_takes_part_in_its_splits_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(load("discriminant")), "seeds", 3)
    measured = Reidentify(parse("clear"), attackers=("nearest", "discriminant"), seeds=4).measure(invented())
    slow = [r for r in measured.attackers if r.attack == "discriminant"]
    assert {(r.note, r.n) for r in slow} == {("3 splits", 3 * 16)}
    assert measured.strongest[-1].n == 4 * 16


def test_all_of_it_survives_json_and_tells_how_far_it_is() -> None:
    heard: list[tuple[int, int]] = []
    attack = Reidentify(parse("pixelate:16"), attackers=("nearest",), seeds=2)
    measured = attack.measure(invented(), lambda done, of: heard.append((done, of)))
    assert heard == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert Reidentification.model_validate_json(measured.model_dump_json()) == measured
    assert attack.threat.knowledge is Knowledge.METHOD


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(UsageError, match="0 splits"):
        Reidentify(parse("clear"), seeds=0)
    with pytest.raises(UsageError, match="no attacker"):
        Reidentify(parse("clear"), attackers=())
