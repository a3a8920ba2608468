"""Clothes name people where they repeat, and not where everybody wears the same."""

from __future__ import annotations

import numpy as np
import pytest

from eyelid.attack.context import ContextAttack, Sighting, Sightings, look
from eyelid.errors import UsageError

PEOPLE = 12


def sighting(
    person: int, colour: tuple[int, int, int], seed: int, x: float = 0.5, time: float = 0
) -> Sighting:
    rng = np.random.default_rng(seed)
    body = np.clip(np.array(colour) + rng.normal(0, 6, (60, 30, 3)), 0, 255).astype(np.uint8)
    hidden = np.zeros((60, 30), np.bool_)
    hidden[:10] = True
    body[:10] = 0
    return Sighting(person, body, hidden, (x, 0.5), 0.4, time)


def colours(seed: int) -> list[tuple[int, int, int]]:
    rng = np.random.default_rng(seed)
    return [(int(b), int(g), int(r)) for b, g, r in rng.integers(20, 235, (PEOPLE, 3))]


def test_repeated_clothes_name_people() -> None:
    known = [sighting(i, c, i) for i, c in enumerate(colours(1))]
    probes = [sighting(i, c, 100 + i) for i, c in enumerate(colours(1))] * 2
    result = ContextAttack().run(Sightings(known, probes))
    assert result.success > 0.8
    assert result.beats_chance
    assert result.chance == pytest.approx(1 / PEOPLE)


def test_changed_clothes_and_uniforms_give_chance() -> None:
    known = [sighting(i, c, i) for i, c in enumerate(colours(1))]
    changed = [sighting(i, c, 100 + i) for i, c in enumerate(colours(2))]
    assert not ContextAttack().run(Sightings(known, changed)).beats_chance
    uniform = [sighting(i, (90, 60, 40), i) for i in range(PEOPLE)]
    again = [sighting(i, (90, 60, 40), 100 + i) for i in range(PEOPLE)]
    assert not ContextAttack().run(Sightings(uniform, again)).beats_chance


def test_place_tells_people_in_uniform_apart() -> None:
    def standing(seed: int) -> list[Sighting]:
        return [sighting(i, (90, 60, 40), seed + i, x=i / PEOPLE) for i in range(PEOPLE)]

    target = Sightings(standing(0), standing(100))
    assert ContextAttack(place=True).run(target).success > 0.9


def test_what_is_hidden_tells_nothing() -> None:
    one, other = sighting(0, (10, 20, 200), 1), sighting(1, (200, 20, 10), 2)
    covered = [Sighting(s.person, s.body, np.ones((60, 30), np.bool_), s.place, 0.4, 0) for s in (one, other)]
    np.testing.assert_array_equal(look(covered[0]), look(covered[1]))


@pytest.mark.parametrize("people", [0, 1])
def test_too_few_people_are_refused(people: int) -> None:
    some = [sighting(i, (10, 200, 30), i) for i in range(people)]
    with pytest.raises(UsageError, match="two people"):
        ContextAttack().run(Sightings(some, some))
