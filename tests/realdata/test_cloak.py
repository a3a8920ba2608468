"""A cloak that the shipped recognisers fall for does not hold against who learns from cloaked pictures."""

from pathlib import Path

import pytest

from eyelid.attack.cloak_retrained import CloakRetrained, Lessons, prepare, retrain
from eyelid.attack.cloak_transfer import CloakTransfer, cloak_probes, recognisers
from eyelid.attack.dataset import read_faces
from eyelid.obfuscate.cloak import FOOLED, Cloak


@pytest.mark.slow
def test_who_learns_names_most_people_behind_a_cloak(data_dir: Path) -> None:
    target = cloak_probes(read_faces(data_dir / "faces_orl"), Cloak())
    lessons = prepare(target.gallery, Cloak())
    fooled = [recogniser for recogniser in recognisers() if recogniser.name in FOOLED]
    naive = [CloakTransfer(recogniser).run(target).success for recogniser in fooled]
    idle = Lessons(lessons.clear, lessons.clear.pictures)
    untaught, taught = (CloakRetrained(retrain(each, fooled)).run(target).success for each in (idle, lessons))
    assert max(naive) <= 0.5
    assert taught >= untaught
    assert taught >= max(naive) + 0.25
    assert CloakRetrained(retrain(lessons)).run(target).success >= 0.75
