"""The rows of the literature on the AT&T faces; `python benchmarks/paper_tables.py` runs all ten splits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eyelid.attack.average import AverageAttack
from eyelid.attack.dataset import Faces, read_faces
from eyelid.attack.reidentify import Reidentify
from eyelid.attack.treatment import parse

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.realdata, pytest.mark.timeout(1200)]

SEEDS = 4


@pytest.fixture(scope="module")
def faces(data_dir: Path) -> Faces:
    """40 people with 10 pictures of 112x92 pixels each."""
    return read_faces(data_dir / "faces_orl")


@pytest.mark.parametrize(
    ("method", "attackers", "at_least", "at_most"),
    [
        ("clear", ("discriminant", "nearest"), 0.95, 1.0),
        ("pixelate:16", ("likelihood", "discriminant", "nearest"), 0.95, 1.0),
        ("dp-pixelate:eps=.1", ("likelihood", "logistic", "nearest"), 0.03, 0.15),
        pytest.param("dp-pixelate:eps=.5", ("likelihood", "nearest"), 0.45, 0.85, marks=pytest.mark.slow),
        ("dp-pixelate:eps=1", ("likelihood", "nearest"), 0.85, 0.97),
        ("p3:10", ("coefficients",), 0.88, 1.0),  # 90 over ten splits
        pytest.param("svd:k=4,eps=.001", ("subspace",), 0.75, 1.0, marks=pytest.mark.slow),
        ("blur:15", ("discriminant", "nearest"), 0.95, 1.0),
    ],
)
def test_the_strongest_attacker_finds_what_the_literature_found_or_more(
    faces: Faces, method: str, attackers: tuple[str, ...], at_least: float, at_most: float
) -> None:
    result = Reidentify(parse(method), attackers=attackers, seeds=SEEDS).run(faces)
    assert at_least <= result.success <= at_most
    assert result.interval[0] <= result.success <= result.interval[1]


def test_what_eyelid_ships_by_default_gives_chance(faces: Faces) -> None:
    for method in ("eyelid:solid", "eyelid:pixelate", "eyelid:blur"):
        result = Reidentify(parse(method), attackers=("discriminant", "nearest"), seeds=SEEDS).run(faces)
        assert not result.beats_chance, method


def test_a_hundred_frames_without_a_ledger_undo_the_noise(faces: Faces) -> None:
    attack = AverageAttack(parse("dp-pixelate:eps=.1"), frames=100, attackers=("discriminant",), seeds=SEEDS)
    assert attack.run(faces).success >= 0.75
