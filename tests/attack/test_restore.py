"""A learned restoration guesses what it has learned, and no more than there is to learn."""

import numpy as np
import pytest

from eyelid.attack.base import Knowledge
from eyelid.attack.fidelity import psnr
from eyelid.attack.restore import LearnedRestoration, LearnedRestorer
from eyelid.attack.treatment import parse
from eyelid.errors import InputError, UsageError
from eyelid.models import extras
from tests.attack.faces import invented, nobody

FACES = invented(people=12, each=5, height=42, width=34, noise=0)


KNOWN, UNKNOWN = (
    invented(people=n, each=3, height=42, width=34, noise=0, seed=n).pictures[::3] for n in (80, 9)
)


def gain(method: str, epochs: int) -> float:
    """Return by how many dB a restoration is nearer to pictures of unknown people than what was published."""
    known, unknown = (parse(method).treat(pictures)[:, 0] for pictures in (KNOWN, UNKNOWN))
    restored = LearnedRestorer(KNOWN, known, epochs=epochs).restore(unknown)
    return float((psnr(restored, UNKNOWN) - psnr(unknown, UNKNOWN)).mean())


@pytest.mark.parametrize("method", ["pixelate:6", "blur:15", "p3:10"])
def test_it_restores_people_it_has_not_seen(method: str) -> None:
    assert gain(method, epochs=3) > 1


def test_the_network_improves_on_the_linear_guess() -> None:
    assert gain("pixelate:6", epochs=6) > gain("pixelate:6", epochs=0) + 0.2


def test_what_is_black_comes_back_as_one_picture_for_everybody() -> None:
    treated = np.zeros_like(FACES.pictures)
    restored = LearnedRestorer(FACES.pictures, treated, epochs=1).restore(treated[:5])
    assert (restored == restored[0]).all()


def test_the_same_pairs_give_the_same_restorer() -> None:
    faces = nobody(people=3, each=4, height=17, width=22)
    first, second = (LearnedRestorer(faces.pictures, faces.pictures, epochs=1) for _ in range(2))
    assert np.array_equal(first.restore(faces.pictures), second.restore(faces.pictures))


def test_the_attack_learns_from_others_than_its_victims() -> None:
    attack = LearnedRestoration(parse("pixelate:8"), epochs=1)
    outcome = attack.measure(FACES)
    result = attack.result(outcome)
    assert result.threat.knowledge is Knowledge.RETRAINED
    assert outcome.gallery_people == 6 == len(np.unique(outcome.people))
    assert outcome.restored.shape == outcome.clear.shape == outcome.treated.shape
    assert result.n == len(outcome.people)


def test_too_few_pictures_and_a_missing_package_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = FACES.pictures[:7]
    with pytest.raises(InputError, match="too few"):
        LearnedRestorer(pictures, pictures)
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"eyelid\[attack\]"):
        LearnedRestorer(pictures, pictures)
