from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from eyelid.attack.attacker import Training, pixels
from eyelid.attack.dataset import Faces, split
from eyelid.attack.likelihood import _log_likelihood, _scale
from eyelid.attack.reidentify import ATTACKERS, load
from eyelid.attack.statistics import rank1
from eyelid.errors import UsageError
from tests.attack.faces import invented, nobody

if TYPE_CHECKING:
    from eyelid.attack.attacker import Attacker

LEARN = [name for name in ATTACKERS if not name.startswith("embedding")]


def rank1_of(attacker: Attacker, faces: Faces, seed: int = 0) -> float:
    parts = split(faces.people, seed)
    rows = attacker.features(faces.pictures)
    training = Training(faces.people[parts.training], rows[parts.training, None], rows[parts.training])
    scores = attacker.scores(training, rows[parts.probes])
    assert scores.shape == (len(parts.probes), len(faces.names))
    return float(rank1(scores, faces.people[parts.probes], np.arange(len(faces.names))).mean())


@pytest.mark.parametrize("name", LEARN)
def test_every_attacker_finds_people_who_differ_clearly(name: str) -> None:
    size = {"each": 5, "height": 28, "width": 28} if name == "network" else {}
    assert rank1_of(load(name), invented(**size)) >= 0.85


@pytest.mark.parametrize("name", LEARN)
def test_two_people_are_told_apart_too(name: str) -> None:
    size = {"height": 28, "width": 28} if name == "network" else {}
    assert rank1_of(load(name), invented(people=2, **size)) >= 0.75


@pytest.mark.parametrize("name", [n for n in LEARN if n != "network"])
def test_equal_pictures_are_worth_chance(name: str) -> None:
    faces = nobody()
    flat = Faces(np.zeros_like(faces.pictures), faces.people, faces.names)
    assert rank1_of(load(name), flat) == pytest.approx(1 / 8)


def test_the_recogniser_knows_equal_from_different_pictures() -> None:
    faces = invented(people=2, each=3, noise=2.0)
    same = Faces(np.repeat(faces.pictures[::3], 3, axis=0), faces.people, faces.names)
    assert rank1_of(load("embedding"), same) == 1.0
    assert rank1_of(load("embedding-retrained"), same) == 1.0


@pytest.mark.parametrize("name", [n for n in LEARN if n != "network"])
def test_a_row_of_features_depends_on_its_picture_alone(name: str) -> None:
    faces, attacker = invented(people=2, each=3), load(name)
    alone = np.concatenate([attacker.features(faces.pictures[i : i + 1]) for i in range(6)])
    assert np.allclose(attacker.features(faces.pictures), alone, atol=1e-4)


def test_the_network_starts_alike_each_time_and_leaves_the_callers_randomness_alone() -> None:
    import torch

    attacker = load("network")
    rows = attacker.features(invented(people=2, each=3).pictures)
    training = Training(np.repeat([0, 1], 3), rows[:, None], rows)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, again = attacker.scores(training, rows), attacker.scores(training, rows)
    assert np.allclose(first, again)
    assert torch.equal(torch.rand(1), expected)


def test_no_more_rows_are_learnt_from_than_the_limit_allows() -> None:
    training = Training(np.array([0, 1]), np.zeros((2, 10, 5), np.float32), np.zeros((2, 5), np.float32))
    rows, people = training.rows(limit=30)
    assert rows.shape == (6, 5)
    assert people.tolist() == [0, 0, 0, 1, 1, 1]
    assert len(training.rows(limit=1)[0]) == 2


def test_pictures_are_scaled_down_by_averaging_only() -> None:
    rows = pixels(np.full((2, 112, 92), 7, np.uint8))
    assert rows.shape == (2, 56 * 46)
    assert np.allclose(rows, 7)
    assert pixels(np.zeros((1, 10, 8), np.uint8)).shape == (1, 80)


def test_the_scale_of_clipped_laplace_noise_is_found_again() -> None:
    rng = np.random.default_rng(0)
    templates = rng.uniform(0, 255, (200, 30))
    for scale in (2.0, 16.0, 160.0):
        noisy = np.clip(templates[:, None] + rng.laplace(0, scale, (200, 4, 30)), 0, 255).astype(np.float32)
        assert _scale(noisy, templates) == pytest.approx(scale, rel=0.05)
    assert _scale(templates[:, None].astype(np.float32), templates) < 0.01


def test_the_likelihood_is_a_law_whose_parts_add_up_to_one() -> None:
    templates, scale = np.array([[40.0]]), 30.0
    inside = np.linspace(1e-3, 255 - 1e-3, 200_001)
    density = [np.exp(_log_likelihood(np.array([x], np.float32), templates, scale))[0] for x in inside[::200]]
    ends = [np.exp(_log_likelihood(np.array([x], np.float32), templates, scale))[0] for x in (0.0, 255.0)]
    assert np.trapezoid(density, inside[::200]) + sum(ends) == pytest.approx(1.0, abs=1e-3)


def test_an_attacker_that_does_not_exist_is_named() -> None:
    with pytest.raises(UsageError, match="no attacker 'magic'"):
        load("magic")
