"""A secret filter follows from one known picture, to the rounding, and then hides nothing."""

import numpy as np
import pytest

from eyelid.attack.fidelity import psnr
from eyelid.attack.keyed_blur import KeyedBlur, blur, estimate_weights, unblur, weights_of
from eyelid.errors import UsageError
from tests.attack.faces import invented

FACES = invented(people=4, each=4, height=64, width=56, noise=20)


def test_a_key_stands_for_one_filter() -> None:
    first, second = weights_of(b"one", 9), weights_of(b"two", 9)
    assert first.sum() == pytest.approx(1)
    assert (first > 0).all()
    assert np.array_equal(first, weights_of(b"one", 9))
    assert not np.allclose(first, second)


@pytest.mark.parametrize("guess", [7, 9, 11])
def test_one_known_pair_betrays_the_filter(guess: int) -> None:
    """Also where the attacker takes a filter larger than it is; a smaller one cannot hold it."""
    secret = weights_of(b"secret", 7)
    clear = FACES.pictures[:1]
    found = estimate_weights(clear, blur(clear, secret), guess)
    padded = np.pad(secret, (guess - 7) // 2)
    assert np.abs(found - padded).max() < 0.15 * secret.max()


def test_what_the_estimate_restores_is_nearer_than_what_was_published() -> None:
    secret = weights_of(b"secret", 7)
    treated = blur(FACES.pictures, secret)
    estimate = estimate_weights(FACES.pictures[:1], treated[:1], 7)
    others = slice(4, 8)
    restored = unblur(treated[others], estimate, steps=60)
    wrong = unblur(treated[others], weights_of(b"guess", 7), steps=60)
    clear = FACES.pictures[others]
    assert (psnr(restored, clear) > psnr(treated[others], clear) + 3).all()
    assert (psnr(restored, clear) > psnr(wrong, clear) + 3).all()


def test_the_attack_runs_from_key_to_names() -> None:
    result = KeyedBlur(b"secret", side=5).run(FACES)
    assert result.attack == "keyed-blur"
    assert result.chance == pytest.approx(1 / 2)
    assert "not the key" in result.threat.capability


def test_pictures_smaller_than_the_filter_are_refused() -> None:
    tiny = FACES.pictures[:1, :8, :8]
    with pytest.raises(UsageError, match="larger pictures"):
        estimate_weights(tiny, tiny, 9)
